"""A store kept in order, over any database: the port `Maintenance`, and the check of records.

A run is deleted by its row in `runs`, in one transaction; its other rows mean nothing from then on
and go bit by bit. The database gives no run's number out again, so no later run gets the number of
rows that are still to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

from fanwise.model import EndedRun, Record, Status, StoreReport, StoreSize
from fanwise.stores import (
    arrival_statements,
    maintenance_statements,
    rows,
    schema,
    statements,
    wait_statements,
)
from fanwise.stores.arrival_rows import to_batch_event
from fanwise.stores.database import NEWEST, Database, Reader, Statement, Writer, within
from fanwise.stores.queue_statements import DELETE_SUBMISSION
from fanwise.stores.slot_statements import DELETE_REPEAT
from fanwise.stores.sql_ownership import DELETE_LEASE
from fanwise.stores.tile_statements import DELETE_HEAD
from fanwise.stores.turns import in_turns
from fanwise.stores.wait_rows import to_wait

_PAGE_RUNS = 1_000

_PARTS: tuple[tuple[Statement, Callable[[rows.Row], Record]], ...] = (
    (statements.RUN_TASKS, rows.to_task),
    (statements.RUN_EVENTS, rows.to_event),
    (statements.RUN_ITEMS, rows.to_item),
    (statements.RUN_LOGS, rows.to_log),
    (statements.RUN_SLEEPS, rows.to_sleep),
    (wait_statements.OF_RUN, to_wait),
    (arrival_statements.EVENTS_OF_RUN, to_batch_event),
)


class SqlMaintenance:
    """The port `Maintenance` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def place(self) -> str:
        """The place of the store, for people."""
        return self._database.place

    def size(self) -> StoreSize:
        """The size of the store; see `Maintenance.size`."""
        return self._database.size()

    def is_current(self) -> bool:
        """Compare the schema's revision; see `Maintenance.is_current`."""
        return self._database.revision() == schema.REVISIONS[-1]

    def within(self, span_s: float) -> AbstractContextManager[None]:
        """The block in which queries end after a span; see `Maintenance.within`."""
        return within(span_s)

    def export(self, run_id: str) -> Iterator[Record]:
        """All that is recorded of a run; see `Maintenance.export`. It holds up no writer."""
        with self._database.snapshot() as reader:
            found = reader.read(statements.RUN, run_id=run_id)
            if not found:
                return
            run = rows.to_run(found[0])
            yield run
            for query, to_record in _PARTS:
                with reader.each(query, run_no=run.run_no) as each:
                    yield from map(to_record, each)

    def ended_runs(self) -> Iterator[EndedRun]:
        """All runs that are neither pending, running nor waiting, page by page."""
        before = NEWEST
        query = maintenance_statements.ENDED_RUNS
        while page := self._database.read(query, before=before, limit=_PAGE_RUNS):
            runs = [rows.to_ended_run(row) for row in page]
            yield from runs
            before = runs[-1].run_no

    def delete_run(self, run: EndedRun) -> bool:
        """Delete a run, if it still has that status; see `Maintenance.delete_run`."""

        def delete(writer: Writer) -> bool:
            is_deleted = writer.change(
                maintenance_statements.DELETE_RUN,
                run_no=run.run_no,
                run_id=run.id,
                status=run.status.value,
            )
            if not is_deleted:
                return False
            # With it goes the right to write: a process that took the run meanwhile finds it gone.
            # With its place in a queue goes the key, which is free again.
            writer.execute(DELETE_SUBMISSION, run_no=run.run_no)
            writer.execute(DELETE_REPEAT, run_no=run.run_no)
            writer.execute(DELETE_LEASE, run_no=run.run_no)
            writer.execute(DELETE_HEAD, run_no=run.run_no)
            return True

        def settle(reader: Reader) -> list[bool]:
            found = reader.read(statements.RUN, run_id=run.id)
            return [] if found and rows.to_run(found[0]).run_no == run.run_no else [True]

        return self._database.controlling(delete, settle)

    def delete_orphans(self) -> Iterator[int]:
        """Delete the rows that deleted runs have left; see `Maintenance.delete_orphans`."""
        for left_runs, delete_some in maintenance_statements.ORPHANS:
            for (run_no,) in self._database.read(left_runs):
                yield from in_turns(partial(self._delete, delete_some, run_no))

    def _delete(self, delete_some: Statement, run_no: int, most: int) -> int:
        return self._database.controlling(
            lambda writer: writer.change(delete_some, run_no=run_no, limit=most)
        )

    def vacuum(self, *, rewrite: bool = False) -> None:
        """Give free space back to the disk; see `Maintenance.vacuum`."""
        self._database.vacuum(rewrite=rewrite)


def check_records(database: Database) -> StoreReport:
    """Report damage in a database of any revision; see `fanwise.stores.check`. Only reads.

    A problem damages or hides records. Rows that deleted runs have left are none.
    """
    revision, newest = database.revision(), schema.REVISIONS[-1]
    problems = database.damage()
    runs: dict[Status, int] = {}
    leftovers: set[int] = set()
    if revision == newest and not problems:
        counts = [
            (database.read(query)[0][0], problem)
            for problem, query in maintenance_statements.PROBLEMS.items()
        ]
        problems = tuple(f"{problem}: {count:,}" for count, problem in counts if count)
        known = {status.value: status for status in Status}
        found = database.read(maintenance_statements.RUN_COUNTS)
        runs = {known[status]: count for status, count in found if status in known}
        for left_runs, _ in maintenance_statements.ORPHANS:
            leftovers |= {number for (number,) in database.read(left_runs)}
    return StoreReport(
        place=database.place,
        revision=revision,
        newest=newest,
        size=database.size(),
        problems=problems,
        runs=runs,
        leftovers=len(leftovers),
    )
