"""The store over any database: each port is a class of its own, and `SqlStore` is all of them.

Statements are those of `fanwise.stores.statements`, records become rows in `fanwise.stores.rows`,
and everything that differs between databases is behind `fanwise.stores.database`. Times are
seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from msgspec.structs import replace

from fanwise.model import CloseWaits, Discard, Record, RunRecord, SlotWish
from fanwise.stores import (
    ending_statements,
    rows,
    sql_kv,
    statements,
    tile_statements,
    wait_statements,
)
from fanwise.stores.database import Database, Reader, Writer, refused
from fanwise.stores.new_runs import (
    id_is_taken,
    insert_run,
    is_inserted,
    refuse_repeat,
    require_no_repeat,
    run_values,
)
from fanwise.stores.rows import SqlValue, items_within, steps_within
from fanwise.stores.sql_access import SqlAccess
from fanwise.stores.sql_arrivals import SqlArrivals
from fanwise.stores.sql_endings import SqlEndings
from fanwise.stores.sql_fires import SqlFires
from fanwise.stores.sql_kv import SqlKeyValues
from fanwise.stores.sql_maintenance import SqlMaintenance
from fanwise.stores.sql_ownership import (
    BEAT,
    LEASE,
    SqlMailbox,
    SqlOwnership,
    require_tokens,
    take_new,
)
from fanwise.stores.sql_queue import SqlQueue
from fanwise.stores.sql_records import SqlRecords
from fanwise.stores.sql_shares import SqlShares
from fanwise.stores.sql_slots import (
    SqlSlots,
    free_slot,
    limits_of,
    lock_keys,
    release,
    take_slot,
)
from fanwise.stores.sql_tiles import SqlChanges, SqlTiles
from fanwise.stores.sql_waits import SqlWaits
from fanwise.stores.tile_rows import Along, VisitKinds, number_kinds


class SqlJournal:
    """The port `Journal` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_run(
        self, run: RunRecord, engine_no: int | None = None, waiter_no: int | None = None
    ) -> int:
        """Record a new run and return its number; see `Journal.create_run`."""
        values = run_values(run, self._database.place)
        numbers: list[int] = []  # those that the database has given out

        def insert(writer: Writer) -> int | None:
            run_no = insert_run(writer, run, values)
            if run_no is not None:
                numbers.append(run_no)
                if engine_no is not None:
                    _start(writer, replace(run, run_no=run_no), engine_no, waiter_no)
            return run_no

        number = self._database.writing(insert, is_inserted(run, numbers))
        if number is None:
            raise id_is_taken(run)
        return number

    def commit(
        self,
        records: Sequence[Record],
        tokens: Mapping[int, int] = {},
        *,
        at_once_bytes: int | None = None,
    ) -> bool:
        """Write all of `records` or, with an error, none of them; see `Journal.commit`."""
        if at_once_bytes is not None:  # rows are made once it is clear that nothing waits
            return self._database.writing_at_once(
                lambda writer: self._write(writer, *self._prepared(records), tokens),
                at_once_bytes,
            )
        written, along = self._prepared(records)  # before the transaction, to keep that short

        def write(writer: Writer) -> None:
            self._write(writer, written, along, tokens)

        added = _first_added(written)
        if added is not None:
            self._database.writing(
                write,
                lambda reader: [None] * added.is_there(reader),
                lambda reader: added.is_kept(reader, tokens),
            )
        else:
            # It may have taken back the row that the last commit was to be known by.
            self._database.writing(write, witness=lambda _: True)
        return True

    def _prepared(self, records: Sequence[Record]) -> tuple[rows.Rows, Along]:
        """The rows of records, and what is written along. Raises `RecordRefusedError`."""
        try:
            written = rows.to_rows(records)
            return written, Along(written)
        except (TypeError, ValueError) as error:
            raise refused(self._database.place, error) from error

    def _write(
        self, writer: Writer, written: rows.Rows, along: Along, tokens: Mapping[int, int]
    ) -> None:
        """Write rows if the runs' owners are as `tokens` say, and free the slots of ended runs."""
        limits = lock_keys(writer, limits_of(*written.freed.values()))
        require_tokens(writer, tokens, self._database.place)
        _write(writer, written, along)
        for run_no in written.freed:
            free_slot(writer, run_no)
        release(writer, limits)
        for run_no in along.runs:
            writer.touch(run_no)


class _Added(NamedTuple):
    """The first row that a commit adds, which no other commit replaces, by its table and key."""

    table: str
    key: dict[str, SqlValue]

    def is_there(self, reader: Reader) -> bool:
        """Say whether the commit has happened."""
        return bool(reader.read(statements.ROW[self.table], **self.key))

    def is_kept(self, reader: Reader, tokens: Mapping[int, int]) -> bool:
        """Say whether the row is there, or its run has another owner, who may have deleted it."""
        run_no = self.key["run_no"]
        leases = reader.read(LEASE, run_no=run_no)
        is_owned = bool(leases) and rows.to_lease(leases[0]).token == tokens.get(int(run_no or 0))
        return not is_owned or self.is_there(reader)


def _first_added(written: rows.Rows) -> _Added | None:
    """The first row that a commit adds; None if it only replaces, and may be done again."""
    for insert, values in (
        (statements.INSERT_EVENTS, written.events),
        (statements.INSERT_SHORT_ITEMS, written.short_items),
        (statements.INSERT_LABELLED_ITEMS, written.labelled_items),
        (statements.INSERT_ITEMS, written.items),
    ):
        if values:
            found = dict(zip(insert.columns, values, strict=False))
            return _Added(insert.table.name, {name: found[name] for name in insert.table.key})
    return None


def _start(writer: Writer, run: RunRecord, engine_no: int, waiter_no: int | None) -> None:
    """Give an engine a new run, with the slot that it needs. Raises `NoSlotError`."""
    origin = run.origin
    writer.change(BEAT, engine_no=engine_no)
    refuse_repeat(writer, run)
    if origin.limit is not None:
        wish = SlotWish(run.id, origin.limit, origin.priority, waiter_no)
        take_slot(writer, wish, run.run_no, is_new=True)
    if origin.repeat is not None:
        require_no_repeat(writer, run.run_no, run.id, origin.repeat)
    take_new(writer, run.run_no, engine_no)


def _write(writer: Writer, written: rows.Rows, along: Along) -> None:
    """Write what one commit holds, after taking back what it discards."""
    for record in written.discards:
        if isinstance(record, Discard):
            _discard(writer, record)
        else:
            _close(writer, record)
    writer.insert(statements.INSERT_RUNS, written.runs)
    for run_no, tags in written.tags.items():
        writer.execute(statements.DISCARD_TAGS, run_no=run_no)
        writer.insert(statements.INSERT_TAGS, rows.from_tags(run_no, tags))
    writer.insert(statements.INSERT_TASKS, written.tasks)
    writer.insert(statements.INSERT_SHORT_TASKS, written.short_tasks)
    writer.insert(statements.INSERT_EVENTS, written.events)
    for (run_no, visit_no), kinds in along.kinds.items():
        _number_kinds(writer, run_no, visit_no, kinds, written.items)
    writer.insert(tile_statements.INSERT_TILES, along.tiles)
    writer.insert(statements.INSERT_SHORT_ITEMS, written.short_items)
    writer.insert(statements.INSERT_LABELLED_ITEMS, written.labelled_items)
    writer.insert(statements.INSERT_ITEMS, written.items)
    writer.insert(statements.INSERT_PAYLOADS, written.payloads)
    writer.insert(statements.INSERT_LOGS, written.logs)
    writer.insert(statements.INSERT_SLEEPS, written.sleeps)
    writer.insert(statements.INSERT_PROGRESS, written.progress)
    for run_no, status, ended_at in written.ended:
        writer.execute(ending_statements.RUN_ENDED, run_no=run_no, status=status, ended_at=ended_at)


def _number_kinds(
    writer: Writer, run_no: int, visit_no: int, kinds: VisitKinds, items: list[SqlValue]
) -> None:
    """Count the failures of a visit by kinds, and write the kind of each among `items`."""
    found = writer.read(tile_statements.KINDS_TO_NUMBER, run_no=run_no, visit_no=visit_no)
    values, numbers = number_kinds(kinds, found)
    for place, kind_no in numbers.items():
        items[place] = kind_no
    writer.insert(tile_statements.INSERT_KINDS, values)


def _discard(writer: Writer, record: Discard) -> None:
    run_no = record.run_no
    if record.visit_no is not None:
        key = {"run_no": run_no, "visit_no": record.visit_no}
        of_visit = statements.DISCARD_VISIT if record.whole else statements.DISCARD_ITEMS
        if record.kind is not None:
            key, of_visit = {**key, "kind": record.kind}, statements.DISCARD_KIND
        for statement in of_visit:
            writer.execute(statement, **key)
    if record.under:
        steps, items = steps_within(record.under), items_within(record.under)
        for bounds in (steps, items) if record.whole else (steps,):
            for statement in statements.DISCARD_STEPS:
                writer.execute(statement, run_no=run_no, **bounds)
        writer.execute(statements.DISCARD_SLEEP, run_no=run_no, path=record.under)
        writer.execute(wait_statements.DISCARD, run_no=run_no, path=record.under)
        writer.execute(sql_kv.DISCARD_READINGS, run_no=run_no, path=record.under)
        for bounds in (steps, items):
            writer.execute(statements.DISCARD_SLEEPS_WITHIN, run_no=run_no, **bounds)
            writer.execute(wait_statements.DISCARD_WITHIN, run_no=run_no, **bounds)
            writer.execute(sql_kv.DISCARD_READINGS_WITHIN, run_no=run_no, **bounds)


def _close(writer: Writer, closing: CloseWaits) -> None:
    run_no, under = closing.run_no, closing.under
    writer.execute(wait_statements.CLOSE, run_no=run_no, path=under)
    for bounds in (steps_within(under), items_within(under)):
        writer.execute(wait_statements.CLOSE_WITHIN, run_no=run_no, **bounds)


class SqlStore(
    SqlJournal,
    SqlRecords,
    SqlTiles,
    SqlChanges,
    SqlOwnership,
    SqlMailbox,
    SqlQueue,
    SqlSlots,
    SqlShares,
    SqlWaits,
    SqlFires,
    SqlArrivals,
    SqlAccess,
    SqlKeyValues,
    SqlEndings,
    SqlMaintenance,
):
    """A `Store` over a database, which it owns: closing the store closes the database."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, which then raises `StoreError`. Closing it again does nothing."""
        self._database.close()
