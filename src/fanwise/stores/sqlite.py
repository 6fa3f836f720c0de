"""The store in a SQLite file: the default, for one machine.

One connection writes for the journal, and one more for leases. Reads take connections of their own
from a pool, so they run in any thread, see committed records only, and never wait for the writer.
Transactions are short and take the right to write when they begin, so several processes share a
store without meeting a locked one.

What `commit` has written survives the end of the process; with durability `full` it also survives
a loss of power. Times are seconds.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from fanwise.bitmap import Bitmap
from fanwise.errors import LeaseLostError, StoreError, UsageError
from fanwise.model import (
    EndedRun,
    ItemOutcome,
    ItemTimes,
    Lease,
    LogEntry,
    Owner,
    Record,
    RecordedEvent,
    RecordedItems,
    RunRecord,
    RunRequest,
    Sleep,
    Status,
    StoreSize,
    VisitRecord,
)
from fanwise.ports import PAGE_BYTES
from fanwise.stores import rows, sqlite_files, sqlite_upkeep
from fanwise.stores import sqlite_statements as statements
from fanwise.stores.sqlite_errors import explained, refusing
from fanwise.stores.store import Durability

_PAGE_EVENTS = 100  # an event may hold the whole result of a task
_PAGE_RUNS = 1_000
_NEWEST = 2**62  # above the number of any run
_MAX_RUN_IDS = 10_000
_SAMPLED_ITEMS = 20_000  # a quantile of so many is off by at most a percent of the items


def open_sqlite(
    path: str | Path,
    *,
    durability: Durability = "normal",
    create: bool = True,
    read_only: bool = False,
    timeout_s: float = 10.0,
) -> SqliteStore:
    """Open the store in the file at `path`; with `create`, a new one is made if there is none.

    A `read_only` store refuses to write. Operations wait `timeout_s` for other processes. Raises
    `StoreError` if the file can't be opened, isn't a store, or is of another version of fanwise.
    """
    place = Path(path).expanduser().absolute()
    if read_only:
        writer, mode = None, sqlite_files.reading_mode(place, timeout_s)
    else:
        mode = sqlite_files.READ_ONLY
        writer = sqlite_files.open_writer(
            place, durability=durability, create=create, timeout_s=timeout_s
        )
    store = SqliteStore(place, writer, mode, timeout_s)
    try:
        store.require_newest()
    except BaseException:
        store.close()
        raise
    return store


class SqliteStore:
    """A `Store` in a SQLite file; made by `open_sqlite`."""

    def __init__(
        self, path: Path, writer: sqlite3.Connection | None, reading_mode: str, timeout_s: float
    ) -> None:
        self._path = path
        self._writer = writer
        self._reading_mode = reading_mode
        self._timeout_s = timeout_s
        self._idle_readers: list[sqlite3.Connection] = []
        self._controller: sqlite3.Connection | None = None
        self._control = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, which then raises `StoreError`. Closing it again does nothing."""
        self._is_closed = True
        while self._idle_readers:
            self._idle_readers.pop().close()
        with self._control:
            if self._controller is not None:
                self._controller.close()
        # The writer goes last: it tidies up the files beside the store, which readers can't.
        if self._writer is not None:
            self._writer.close()

    def require_newest(self) -> None:
        """Raise `StoreError` unless the store is of this version of fanwise."""
        with self._reading() as connection:
            sqlite_files.require_newest(connection, self._path)

    def create_run(self, run: RunRecord) -> int:
        """Record a new run and return its number. Raises `UsageError` if its id is taken."""
        with self._writing() as connection:
            row = rows.from_run(run)
            try:
                with sqlite_files.transaction(connection):
                    return statements.insert_run(connection, row, run.tags)
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                    raise
                raise UsageError(
                    f'a run with the id "{run.id}" exists already.',
                    hint=f"Choose another id, or look at that run: fanwise show {run.id}",
                ) from error

    def commit(self, records: Sequence[Record], tokens: Mapping[int, int] = {}) -> None:
        """Write all of `records` or, with an error, none of them; see `Journal.commit`."""
        with self._writing() as connection:
            written = rows.to_rows(records)  # before the transaction, to keep that short
            with sqlite_files.transaction(connection):
                for run_no, token in tokens.items():
                    self._require_token(connection, run_no, token)
                statements.write(connection, written)

    def _require_token(self, connection: sqlite3.Connection, run_no: int, token: int) -> None:
        """Raise `LeaseLostError` unless the run's lease has this fencing token."""
        found = statements.LEASE.all(connection, run_no=run_no)
        if not found or rows.to_lease(found[0]).token != token:
            raise LeaseLostError(
                f"{self._path}: another process has taken run number {run_no} over.", run_no=run_no
            )

    def lease(self, run_no: int) -> Lease | None:
        """The run's lease, or None if nobody has ever driven it."""
        found = self._read(statements.LEASE, run_no=run_no)
        return rows.to_lease(found[0]) if found else None

    def acquire(self, run_no: int, owner: Owner, now: float, *, after: int = 0) -> Lease | None:
        """Take the run from the lease with the token `after`; see `Control.acquire`."""
        told = rows.from_owner(owner)
        with self._controlling() as connection:
            if after:
                is_taken = statements.TAKE_LEASE.changes(
                    connection, run_no=run_no, token=after, owner=told, now=now
                )
            else:
                is_taken = statements.is_unleased(connection, run_no)
                if is_taken:
                    statements.insert_lease(connection, run_no, told, now)
            return (
                rows.to_lease(statements.LEASE.all(connection, run_no=run_no)[0])
                if is_taken
                else None
            )

    def renew(self, run_no: int, token: int, now: float) -> Lease | None:
        """Say that the owner is there. None, if the lease isn't the caller's any more."""
        with self._controlling() as connection:
            if not statements.RENEW_LEASE.changes(connection, run_no=run_no, token=token, now=now):
                return None
            return rows.to_lease(statements.LEASE.all(connection, run_no=run_no)[0])

    def release(self, run_no: int, token: int, now: float) -> None:
        """Give the run back. Does nothing if the lease isn't the caller's any more."""
        with self._controlling() as connection:
            statements.RELEASE_LEASE.changes(connection, run_no=run_no, token=token, now=now)

    def request(self, run_no: int, request: RunRequest) -> None:
        """Ask something of the owner. A cancellation isn't taken back."""
        with self._controlling() as connection:
            statements.REQUEST.changes(connection, run_no=run_no, asked=request.value)

    def run(self, run_id: str) -> RunRecord | None:
        """The run with this id, or None."""
        found = self._read(statements.RUN, run_id=run_id)
        return rows.to_run(found[0]) if found else None

    def run_ids(self) -> Sequence[str]:
        """All ids, the newest first, at most 10,000."""
        return [row[0] for row in self._read(statements.RUN_IDS, limit=_MAX_RUN_IDS)]

    def runs(
        self,
        *,
        status: Status | None = None,
        workflow: str | None = None,
        since: float | None = None,
        tags: Collection[str] = (),
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[RunRecord]:
        """The newest runs first, without their `definition` and `output`; see `Records.runs`."""
        filters = _given(status=status, workflow=workflow, since=since, before=before)
        tagged = {f"tag_{number}": tag for number, tag in enumerate(tags)}
        query = statements.runs_where(tuple(filters), len(tagged))
        return [rows.to_run(row) for row in self._read(query, **filters, **tagged, limit=limit)]

    def tasks(self, run_no: int, *, within: str = "") -> Sequence[VisitRecord]:
        """The run's own tasks, or the steps of a child, in the order of `visit_no`."""
        if not within:
            found = self._read(statements.TASKS, run_no=run_no)
        else:
            bounds = statements.steps_under(within)
            depth = within.count(".") + 1
            found = self._read(statements.TASKS_WITHIN, run_no=run_no, depth=depth, **bounds)
        return [rows.to_task(row) for row in found]

    def unfinished(self) -> Sequence[RunRecord]:
        """The runs that are pending or running, the oldest first."""
        return [rows.to_run(row) for row in self._read(statements.UNFINISHED)]

    def last_visit_no(self, run_no: int) -> int:
        """The highest number of a visit that is recorded of the run, 0 if there is none."""
        return int(self._read(statements.LAST_TASK_NO, run_no=run_no)[0][0])

    def recorded_items(self, run_no: int, visit_no: int) -> RecordedItems:
        """Which items of a task are recorded."""
        values = {"run_no": run_no, "visit_no": visit_no}
        with (
            self._reading() as connection,
            explained(self._path),
            statements.RECORDED_INDEXES.each(connection, **values) as indexes,
        ):
            ((attempts,),) = statements.RECORDED_ATTEMPTS.all(connection, **values)
            failures = statements.RECORDED_FAILURES.all(connection, **values)
            return rows.to_recorded(indexes, attempts, failures)

    def begun_items(self, run_no: int, path: str) -> Bitmap:
        """Which items of the task at `path` have recorded steps of a child workflow."""
        values = {"run_no": run_no, **statements.items_under(path)}
        with (
            self._reading() as connection,
            explained(self._path),
            statements.BEGUN_ITEMS.each(connection, **values) as found,
        ):
            return rows.to_begun(found, path)

    def sleep(self, run_no: int, path: str) -> Sleep | None:
        """The latest sleep of the task or item at `path`, or None."""
        found = self._read(statements.SLEEP, run_no=run_no, path=path)
        return rows.to_sleep(found[0]) if found else None

    def events(self, run_no: int) -> Iterator[RecordedEvent]:
        """The run's events, in the order of `seq`, read page by page."""
        after = -1
        while page := self._read(statements.EVENTS, run_no=run_no, after=after, limit=_PAGE_EVENTS):
            events = [rows.to_event(row) for row in page]
            yield from events
            after = events[-1].seq

    def items(
        self,
        run_no: int,
        visit_no: int,
        *,
        status: Status | None = None,
        error: str | None = None,
        label: str | None = None,
        slower_s: float | None = None,
        after: int = -1,
        until: int | None = None,
        limit: int = 1_000,
    ) -> Sequence[ItemOutcome]:
        """At most `limit` items in the order of their indexes; see `Records.items`."""
        begins = None if error is None else rows.error_beginning(error)
        filters = _given(error=begins, label=label, slower_s=slower_s, until=until)
        query = statements.items_where(status, tuple(filters))
        values = {"run_no": run_no, "visit_no": visit_no, "after": after, "limit": limit}
        return [rows.to_item(row) for row in self._read(query, **values, **filters, status=status)]

    def item_times(self, run_no: int, visit_no: int, *, slowest: int = 3) -> ItemTimes:
        """How long the task's items took; see `Records.item_times`."""
        key = {"run_no": run_no, "visit_no": visit_no}
        (total,) = self._read(statements.ITEM_TOTALS, **key)
        part = min(1.0, _SAMPLED_ITEMS / max(total[0], 1))
        durations = self._read(statements.DURATIONS, **key, part=part)
        return rows.to_item_times(
            total, durations, self._read(statements.SLOWEST_ITEMS, **key, limit=slowest)
        )

    def logs(
        self,
        run_no: int,
        *,
        under: str | None = None,
        after: LogEntry | None = None,
        limit: int = 100,
    ) -> Sequence[LogEntry]:
        """At most `limit` logs, in the order of task, index, start and attempt."""
        visit_no, idx, at, attempt = rows.log_key(after)
        values = {"visit_no": visit_no, "idx": idx, "at": at, "attempt": attempt, "limit": limit}
        if under is None:
            found = self._read(statements.LOGS, run_no=run_no, **values)
        else:
            found = self._read(statements.LOGS_UNDER, run_no=run_no, **values, under=under)
        return [rows.to_log(row) for row in found]

    def outputs(
        self, run_no: int, visit_no: int, start: int, stop: int, *, limit_bytes: int = PAGE_BYTES
    ) -> Sequence[tuple[int, bytes]]:
        """Index and JSON text of each recorded output with `start <= index < stop`.

        It ends early once `limit_bytes` are reached; see `Pages.outputs`.
        """
        values = {"run_no": run_no, "visit_no": visit_no, "start": start, "stop": stop}
        with (
            self._reading() as connection,
            explained(self._path),
            statements.OUTPUTS.each(connection, **values) as found,
        ):
            return rows.to_outputs(found, limit_bytes)

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self._path)

    def size(self) -> StoreSize:
        """How large the store is; see `Maintenance.size`."""
        with self._reading() as connection, explained(self._path):
            return sqlite_upkeep.size(connection)

    def export(self, run_id: str) -> Iterator[Record]:
        """All that is recorded of a run; see `Maintenance.export`."""
        with self._reading() as connection, explained(self._path):
            yield from sqlite_upkeep.export(connection, run_id)

    def ended_runs(self) -> Iterator[EndedRun]:
        """All runs that are neither pending nor running, the newest first, read page by page."""
        before = _NEWEST
        while page := self._read(sqlite_upkeep.ENDED_RUNS, before=before, limit=_PAGE_RUNS):
            runs = [rows.to_ended_run(row) for row in page]
            yield from runs
            before = runs[-1].run_no

    def delete_run(self, run: EndedRun) -> bool:
        """Delete a run, if it still has that status; see `Maintenance.delete_run`."""
        with self._writing() as connection:
            return sqlite_upkeep.delete_run(connection, run)

    def delete_orphans(self) -> Iterator[int]:
        """Delete the rows that deleted runs have left; see `Maintenance.delete_orphans`."""
        with self._writing() as connection:
            yield from sqlite_upkeep.delete_orphans(connection)

    def vacuum(self, *, rewrite: bool = False) -> None:
        """Give free space back to the disk; see `Maintenance.vacuum`."""
        with self._writing() as connection:
            sqlite_upkeep.vacuum(connection, rewrite=rewrite)

    def _read(self, query: statements.Query, **values: object) -> list[rows.Row]:
        with self._reading() as connection, explained(self._path):
            return query.all(connection, **values)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that no other thread uses meanwhile."""
        self._require_open()
        try:
            connection = self._idle_readers.pop()
        except IndexError:
            with explained(self._path):
                connection = sqlite_files.connect(self._path, self._reading_mode, self._timeout_s)
        try:
            yield connection
        finally:
            self._idle_readers.append(connection)
            if self._is_closed:
                self.close()

    @contextlib.contextmanager
    def _controlling(self) -> Iterator[sqlite3.Connection]:
        """A transaction of its own, beside those of the journal's thread."""
        self._require_writable()
        with self._control, explained(self._path):
            if self._controller is None:
                self._controller = sqlite_files.connect(
                    self._path, sqlite_files.READ_WRITE, self._timeout_s
                )
            with sqlite_files.transaction(self._controller):
                yield self._controller

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, with its errors turned into those of a `Journal`."""
        writer = self._require_writable()
        with explained(self._path), refusing(self._path):
            yield writer

    def _require_writable(self) -> sqlite3.Connection:
        self._require_open()
        if self._writer is None:
            raise StoreError(f"{self._path}: the store was opened for reading only.")
        return self._writer

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreError(f"{self._path}: the store has been closed.", hint="Open it again.")


def _given(**filters: Any) -> dict[str, Any]:
    """The filters that aren't None."""
    return {name: value for name, value in filters.items() if value is not None}
