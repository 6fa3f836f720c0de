"""The database in a SQLite file: the default, for one machine.

One connection writes for the journal, and one more for leases. Reads take connections of their own
from a pool, so they run in any thread, see committed records only, and never wait for the writer.
Transactions are short and take the right to write when they begin, so several processes share a
file without meeting a locked one.

A commit survives the end of the process; with durability `full` it also survives a loss of power.
Times are seconds.

A store is the file that was opened. Each use compares it with the file at its path: once that is
gone or is another one, nothing is read or written any more.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from fanwise.errors import StoreError
from fanwise.model import StoreReport, StoreSize
from fanwise.stores import sqlite_files
from fanwise.stores.database import (
    HEADS,
    Insert,
    Reader,
    Settle,
    Statement,
    Witness,
    Writer,
    findable,
    head_values,
    most_s,
)
from fanwise.stores.rows import Row, SqlValue
from fanwise.stores.sql_maintenance import check_records
from fanwise.stores.sql_store import SqlStore
from fanwise.stores.sqlite_errors import explained, refusing
from fanwise.stores.sqlite_files import transaction
from fanwise.stores.sqlite_text import bulk_insert, translated
from fanwise.stores.sqlite_writer import WritingConnection
from fanwise.stores.store import TIMEOUT_S, Durability
from fanwise.stores.turns import in_turns

_Result = TypeVar("_Result")

_MOST_PROBLEMS = 20
_LOOK_S = 0.02
_STAMP_S = 0.05
_STEPS = 10_000  # of SQLite, between two looks at the time that a query has left
_TICK_S = 0.01  # the longest tick of file systems' clocks
_SIZE = """
SELECT page_count * page_size, freelist_count * page_size
FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""


def open_sqlite(
    path: str | Path,
    *,
    durability: Durability = "normal",
    create: bool = True,
    read_only: bool = False,
    timeout_s: float = TIMEOUT_S,
    now: Callable[[], float] = time.time,
) -> SqlStore:
    """Open the store in the file at `path`; with `create`, a new one is made if there is none.

    A `read_only` store refuses to write. Operations wait `timeout_s` for other processes. Raises
    `StoreError` if the file can't be opened, isn't a store, or is of another version of fanwise.
    """
    return SqlStore(
        open_database(
            path,
            durability=durability,
            create=create,
            read_only=read_only,
            timeout_s=timeout_s,
            now=now,
        )
    )


def open_database(
    path: str | Path,
    *,
    durability: Durability = "normal",
    create: bool = True,
    read_only: bool = False,
    timeout_s: float = TIMEOUT_S,
    now: Callable[[], float] = time.time,
) -> SqliteDatabase:
    """Open the database of a store; see `open_sqlite`. Its clock is `now`, as of all processes."""
    place = Path(path).expanduser().absolute()
    if read_only:
        database = _for_reading(place, timeout_s, now)
    else:
        writer = sqlite_files.open_writer(
            place, durability=durability, create=create, timeout_s=timeout_s
        )
        database = SqliteDatabase(place, writer, sqlite_files.READ_ONLY, timeout_s, now, durability)
    try:
        sqlite_files.require_newest(database.revision(), place)
    except BaseException:
        database.close()
        raise
    return database


def check_sqlite(path: str | Path) -> StoreReport:
    """Check the store in the file at `path`. Raises `StoreError` if it can't be read, or is newer.

    It reads the whole file, and holds up no other process.
    """
    place = Path(path).expanduser().absolute()
    with contextlib.closing(_for_reading(place, TIMEOUT_S, time.time)) as database:
        sqlite_files.require_known(database.revision(), place)
        return check_records(database)


def _for_reading(path: Path, timeout_s: float, now: Callable[[], float]) -> SqliteDatabase:
    return SqliteDatabase(path, None, sqlite_files.reading_mode(path, timeout_s), timeout_s, now)


class SqliteDatabase:
    """A `Database` in a SQLite file; made by `open_sqlite`."""

    def __init__(
        self,
        path: Path,
        writer: sqlite3.Connection | None,
        reading_mode: str,
        timeout_s: float,
        now: Callable[[], float],
        durability: Durability = "normal",
    ) -> None:
        self._path = path
        self._durability = durability
        self._reading_mode = reading_mode
        self._timeout_s = timeout_s
        self._now = now
        self._file = sqlite_files.OpenedFile(path, writes=writer is not None)
        self._writer: WritingConnection | None = None
        if writer is not None:
            self._add_clock(writer)
            self._writer = WritingConnection(writer, timeout_s, self._connect_to_log)
        self._idle_readers: list[sqlite3.Connection] = []
        self._controller: sqlite3.Connection | None = None
        self._control = threading.Lock()
        self._watcher: sqlite3.Connection | None = None
        self._watch = threading.Lock()
        self._is_closed = False
        self._seen: tuple[int, ...] | None = None  # of the file beside the store

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self._path)

    def close(self) -> None:
        """Close all connections; see `Database.close`."""
        self._is_closed = True
        while self._idle_readers:
            self._idle_readers.pop().close()
        with self._control:
            if self._controller is not None:
                self._controller.close()
        with self._watch:
            if self._watcher is not None:
                self._watcher.close()
        # The writer goes last: it tidies up the files beside the store, which readers can't.
        if self._writer is not None:
            self._writer.close(self._settle_log)

    def read(self, query: Statement, **values: SqlValue) -> list[Row]:
        """Every row of the answer."""
        with self._reading() as connection, _limited(connection):
            return connection.execute(translated(query), findable(values)).fetchall()

    def reading(self, work: Callable[[Reader], _Result]) -> _Result:
        """The result of `work` with the database as it is now."""
        with self.snapshot() as reader:
            return work(reader)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """A reader of the database as it is now; it holds up no writer."""
        with (
            self._reading() as connection,
            _limited(connection) as renew,
            transaction(connection, "DEFERRED"),
        ):
            yield _SqliteTransaction(connection, renew)

    def writing(
        self,
        work: Callable[[Writer], _Result],
        settle: Settle[_Result] | None = None,
        witness: Witness | None = None,
    ) -> _Result:
        """A transaction on the connection that writes; a commit is always answered here."""
        with self._exclusively() as connection:
            return _changed(connection, work)

    def writing_at_once(self, work: Callable[[Writer], object], size_bytes: int) -> bool:
        """Make a transaction on the connection that writes, if it waits for no lock or disk."""
        writer = self._require_writable()
        with explained(self._path), refusing(self._path):
            return writer.at_once(lambda connection: _changed(connection, work), size_bytes)

    def controlling(
        self, work: Callable[[Writer], _Result], settle: Settle[_Result] | None = None
    ) -> _Result:
        """A transaction on a connection of its own, beside those of the journal's thread."""
        self._require_writable()
        with self._control, explained(self._path):
            if self._controller is None:
                self._controller = self._connect(sqlite_files.READ_WRITE)
                self._controller.execute(f"PRAGMA synchronous = {self._durability}")
            return _changed(self._controller, work)

    def revision(self) -> str:
        """The revision of the schema, or empty text before the first one."""
        with self._reading() as connection:
            return sqlite_files.revision(connection)

    def damage(self) -> tuple[str, ...]:
        """The findings of SQLite's own check, which names tables, indexes and pages only."""
        with self._reading() as connection:
            found = connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})").fetchall()
        return () if found == [("ok",)] else tuple(" ".join(text.split()) for (text,) in found)

    def size(self) -> StoreSize:
        """The file's size, without the files that SQLite keeps beside it while it is in use."""
        with self._reading() as connection:
            return StoreSize(*connection.execute(_SIZE).fetchone())

    def vacuum(self, *, rewrite: bool) -> None:
        """Give free pages back; see `Maintenance.vacuum`.

        A file that was made without room for its pages' whereabouts gives nothing back until it has
        been rewritten once.
        """
        with self._exclusively() as connection:
            if rewrite:
                connection.execute("PRAGMA auto_vacuum = incremental")
                connection.execute("VACUUM")
            else:
                for _ in in_turns(lambda most: _free(connection, most)):
                    pass

    def await_change(self, timeout_s: float) -> bool:
        """Wait until the file beside the store has another size or time; see `Queue.await_change`.

        Each commit writes there, several times perhaps, of which the last one counts. So that is
        waited for, and with it the next tick of the file system's clock.
        """
        until = time.monotonic() + timeout_s
        while (stamp := sqlite_files.log_stamp(self._path)) == self._seen:
            left_s = until - time.monotonic()
            if left_s <= 0 or self._is_closed:
                return False
            time.sleep(min(_LOOK_S, left_s))
        if self._seen is not None:
            time.sleep(_TICK_S)
            stamp = sqlite_files.log_stamp(self._path)
        self._seen = stamp
        return True

    def stamp(self) -> int:
        """The file's version, as a connection sees it that never writes.

        Commits of the same connection, which it would miss, are none; of others it misses none.
        """
        self._require_open()
        with self._watch, explained(self._path):
            if self._watcher is None:
                self._watcher = self._connect(self._reading_mode)
            version: int = self._watcher.execute("PRAGMA data_version").fetchone()[0]
            return version

    def await_stamp(self, stamp: int, timeout_s: float) -> bool:
        """Wait until the file has another version; it takes some microseconds to look."""
        until = time.monotonic() + timeout_s
        while self.stamp() == stamp:
            left_s = until - time.monotonic()
            if left_s <= 0:
                return False
            time.sleep(min(_STAMP_S, left_s))
        return True

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that no other thread uses meanwhile."""
        self._require_open()
        with explained(self._path):
            try:
                connection = self._idle_readers.pop()
            except IndexError:
                connection = self._connect(self._reading_mode)
            try:
                yield connection
            finally:
                self._idle_readers.append(connection)
                if self._is_closed:
                    self.close()

    def _settle_log(self, writer: sqlite3.Connection) -> None:
        """Empty the log of a file that has left its place.

        SQLite leaves it where it is then, and would apply it to the next file at this path. Its
        content goes into the file that was opened, wherever that is now.
        """
        with contextlib.suppress(sqlite3.Error):
            try:
                self._file.require_same()
            except StoreError:
                writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _connect(self, mode: str) -> sqlite3.Connection:
        return self._add_clock(sqlite_files.connect(self._path, mode, self._timeout_s))

    def _connect_to_log(self) -> sqlite3.Connection:
        self._require_open()
        return sqlite_files.connect(self._path, sqlite_files.READ_WRITE, timeout_s=0)

    def _add_clock(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        connection.create_function("fanwise_now", 0, self._now)
        return connection

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, with its errors turned into those of a `Database`."""
        writer = self._require_writable()
        with explained(self._path), refusing(self._path), writer.patiently() as connection:
            yield connection

    def _require_writable(self) -> WritingConnection:
        self._require_open()
        if self._writer is None:
            raise StoreError(f"{self._path}: the store was opened for reading only.")
        return self._writer

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreError(f"{self._path}: the store has been closed.", hint="Open it again.")
        self._file.require_same()


class _SqliteTransaction:
    """A `Reader` and a `Writer` on a connection with an open transaction.

    Each query, and each row that is taken one by one, renews the time that there is.
    """

    __slots__ = ("_connection", "_renew", "_touched")

    def __init__(
        self, connection: sqlite3.Connection, renew: Callable[[], None] | None = None
    ) -> None:
        self._connection = connection
        self._renew = renew
        self._touched: set[int] = set()

    def read(self, query: Statement, **values: SqlValue) -> list[Row]:
        if self._renew is not None:
            self._renew()
        return self._connection.execute(translated(query), values).fetchall()

    @contextlib.contextmanager
    def each(self, query: Statement, **values: SqlValue) -> Iterator[Iterator[Row]]:
        renew = self._renew
        if renew is not None:
            renew()
        rows = self._connection.execute(translated(query), values)
        with contextlib.closing(rows) as cursor:
            yield cursor if renew is None else _renewing(cursor, renew)

    def change(self, statement: Statement, **values: SqlValue) -> int:
        return self._connection.execute(translated(statement), values).rowcount

    def execute(self, statement: Statement, **values: SqlValue) -> None:
        self._connection.execute(translated(statement), values)

    def insert(self, insert: Insert, values: Sequence[SqlValue]) -> None:
        if values:
            bulk_insert(insert).write(self._connection, values)

    def touch(self, run_no: int) -> None:
        self._touched.add(run_no)

    def count_changes(self) -> None:
        """Write the heads of the runs that the transaction has changed."""
        self.insert(HEADS, head_values(self._touched))

    def announce(self) -> None:
        """Do nothing: each commit is seen by all who wait."""


@contextlib.contextmanager
def _limited(connection: sqlite3.Connection) -> Iterator[Callable[[], None] | None]:
    """The block whose queries are broken off in time, if the caller's may not take longer.

    It gets the function that renews the time.
    """
    span_s = most_s()
    if span_s is None:
        yield None
        return
    until = 0.0

    def renew() -> None:
        nonlocal until
        until = time.monotonic() + span_s

    renew()
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        yield renew
    finally:
        connection.set_progress_handler(None, _STEPS)


def _renewing(rows: Iterator[Row], renew: Callable[[], None]) -> Iterator[Row]:
    """The rows, each of which may be waited for as long as a whole query."""
    for row in rows:
        yield row
        renew()


def _changed(connection: sqlite3.Connection, work: Callable[[Writer], _Result]) -> _Result:
    """The result of `work` in a transaction on a connection that no other thread uses."""
    with transaction(connection):
        writer = _SqliteTransaction(connection)
        result = work(writer)
        writer.count_changes()
    return result


def _free(connection: sqlite3.Connection, most: int) -> int:
    before = _free_pages(connection)
    # The pragma frees a page a step, and `execute` takes only one where there are no columns.
    connection.executescript(f"PRAGMA incremental_vacuum({most})")
    return before - _free_pages(connection)


def _free_pages(connection: sqlite3.Connection) -> int:
    number: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return number
