"""SQLite files: those of fanwise and others, new ones, and connections.

A store is known by its `application_id`, its version by Alembic's table. A file that isn't
fanwise's is left as it is, byte for byte, with nothing beside it: it is looked at through a
connection that neither writes nor locks. No file is read past SQLite, since closing any other
handle of it makes the process lose the locks that SQLite holds. Times are seconds.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from fanwise.errors import NoStoreError, StoreError, StoreUnusableError
from fanwise.stores import schema
from fanwise.stores.sqlite_errors import explained
from fanwise.stores.sqlite_text import definition

APPLICATION_ID: Final = int.from_bytes(b"fanw")
FIRST_APPLICATION_ID: Final = int.from_bytes(b"weft")
"""The id of stores until version 0.1, which had another name; an upgrade gives them the new one."""

PAGE_BYTES: Final = 16_384
"""The page size of new stores: a result of 1 KB then shares a page with others of its table."""

READ_WRITE = "rw"
READ_ONLY = "ro"
_UNTOUCHED = "ro&immutable=1"


def connect(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    """Connect to a file that exists. Transactions begin and end by statements only.

    Any thread may use the connection, one at a time. It waits `timeout_s` for a lock.
    """
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )


class OpenedFile:
    """The file of a store in use, and with `writes` the log beside it: no other files will do.

    No other file has their numbers while they are open. The log is made by the first access.
    """

    __slots__ = ("_log", "_log_number", "_number", "_path", "_place", "_writes")

    def __init__(self, path: Path, *, writes: bool) -> None:
        self._path = path
        self._place = str(path)
        self._log = str(_log_file(Path(os.path.realpath(path))))
        self._writes = writes
        self._log_number: tuple[int, int] | None = None
        with explained(path):
            self._number = _number(self._place)

    def require_same(self) -> None:
        """Raise `StoreUnusableError` unless the files still are in their places."""
        with explained(self._path):
            found = _number(self._place)
            log = _number(self._log) if self._writes else None
        if found is None:
            cause = "the file was removed while it was in use"
        elif found != self._number:
            cause = "another file was put in the place of the store while it was in use"
        elif log != self._log_number is not None:
            cause = f"{Path(self._log).name}, a part of the store, was removed while it was in use"
        else:
            self._log_number = log
            return
        raise StoreUnusableError(
            f"{self._path}: {cause}.",
            hint="Nothing more is recorded in it; end what uses a store before you move it.",
        )


def _number(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  # a third of the time that Path.stat takes
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def transaction(
    connection: sqlite3.Connection, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE"
) -> Iterator[None]:
    """One transaction: it commits at the end of the block, or nothing of the block happens."""
    # A transaction that wants the right to write only after it has read can't wait for it.
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some errors have ended the transaction already; none may hide the one on its way.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def open_writer(
    path: Path, *, durability: str, create: bool, timeout_s: float, to_upgrade: bool = False
) -> sqlite3.Connection:
    """Connect to the store at `path` for writing; with `create`, a new one is made if need be.

    Its revision may be any. With `to_upgrade` its id may be the first one, and no other process has
    the store open, also for reading, until the connection is closed. Raises `StoreError`.
    """
    with explained(path):
        _inspect(path, create=create, timeout_s=timeout_s, to_upgrade=to_upgrade)
        if create and not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            raise StoreError(
                f"{path}: the file or its folder can't be written.",
                hint="Change their rights, or use another store with --store.",
            )
        connection = connect(path, READ_WRITE, timeout_s)
        try:
            if to_upgrade:  # before anything is read, which takes the lock
                connection.execute("PRAGMA locking_mode = exclusive")
            connection.execute(f"PRAGMA synchronous = {durability}")
            if create and _is_blank(connection):
                _make(connection)
            _use_wal(connection, timeout_s)
        except BaseException:
            connection.close()
            raise
    return connection


def reading_mode(path: Path, timeout_s: float, *, to_upgrade: bool = False) -> str:
    """The mode in which to read the store at `path` without ever writing to it.

    With `to_upgrade` its id may be the first one. Raises `StoreError`.
    """
    with explained(path):
        _inspect(path, create=False, timeout_s=timeout_s, to_upgrade=to_upgrade)
        # Readers share files beside the store. Where these can't be made and don't exist yet, there
        # is no writer either.
        shared = _log_file(path).exists() or os.access(path.parent, os.W_OK)
    return READ_ONLY if shared else _UNTOUCHED


def _log_file(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def log_stamp(path: Path) -> tuple[int, ...]:
    """Size and time of the last change of the file beside a store, which each commit changes."""
    try:
        found = os.stat(_log_file(path))  # noqa: PTH116  # a third of the time that Path.stat takes
    except FileNotFoundError:
        return ()
    return found.st_size, found.st_mtime_ns


def application_id(connection: sqlite3.Connection) -> int:
    """The number by which a kind of SQLite file is known."""
    number: int = connection.execute("PRAGMA application_id").fetchone()[0]
    return number


def revision(connection: sqlite3.Connection) -> str:
    """The revision of the store's schema, or empty text before the first one."""
    table = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.execute(table).fetchone() is None:
        return ""
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found[0]) if found else ""


def require_known(revision: str, path: Path) -> None:
    """Raise `StoreError` if a newer fanwise has made this revision."""
    if revision and revision not in schema.REVISIONS:
        raise StoreError(
            f"{path}: the store was made by a newer version of fanwise (revision {revision}).",
            hint="Upgrade fanwise, or use another store with --store.",
        )


def require_newest(revision: str, path: Path) -> None:
    """Raise `StoreError` unless the store's schema is the one that this code reads and writes."""
    require_known(revision, path)
    if revision != schema.REVISIONS[-1]:
        raise StoreError(
            f"{path}: the store was made by an older version of fanwise "
            f"(revision {revision or '-'}, this one uses {schema.REVISIONS[-1]}).",
            hint=_upgrade_hint(path),
        )


def _upgrade_hint(path: Path) -> str:
    return f"Upgrade it: fanwise db upgrade --store {shlex.quote(str(path))}"


def _inspect(path: Path, *, create: bool, timeout_s: float, to_upgrade: bool = False) -> None:
    """Raise `StoreError` unless there is a store at `path`, or room for a new one."""
    try:
        status = path.stat()
    except FileNotFoundError:
        if create:
            return
        raise NoStoreError(
            f"{path}: there is no store.", hint="Check the path; the first run makes a store."
        ) from None
    if stat.S_ISDIR(status.st_mode):
        raise StoreError(
            f"{path}: this is a folder, and a store is a file.",
            hint=f"Use --store {path / 'fanwise.db'}",
        )
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path}: this isn't a regular file.", hint="Use another --store.")
    if status.st_size == 0:
        if create:
            return
        raise NoStoreError(
            f"{path}: the file is empty; no store has been made in it.",
            hint="Check the path; the first run makes a store.",
        )
    with contextlib.closing(connect(path, _UNTOUCHED, timeout_s)) as connection:
        # A schema in the file alone may end early, while the rest is in the file beside it.
        connection.execute("PRAGMA writable_schema = on")
        found = application_id(connection)
    # Until the next checkpoint an upgrade's new id is in the file beside the store.
    if found == FIRST_APPLICATION_ID and _log_file(path).exists():
        with contextlib.closing(connect(path, READ_ONLY, timeout_s)) as connection:
            found = application_id(connection)
    if found == FIRST_APPLICATION_ID and not to_upgrade:
        raise StoreError(
            f"{path}: the store was made by an older version of fanwise, under its first name.",
            hint=_upgrade_hint(path),
        )
    if found not in (APPLICATION_ID, FIRST_APPLICATION_ID):
        raise StoreError(
            f"{path}: this is a SQLite database, but not a store of fanwise.",
            hint="Name another file with --store.",
        )


def _is_blank(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _make(connection: sqlite3.Connection) -> None:
    with transaction(connection, "DEFERRED"):
        # These count only before a new file is first written to, as BEGIN IMMEDIATE would do. The
        # second takes the right to write itself.
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = incremental")
        if _is_blank(connection):  # still: another process may have been faster
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            _create_schema(connection)


def _create_schema(connection: sqlite3.Connection) -> None:
    """Make all tables of the newest revision, and stamp it as Alembic would."""
    for table in schema.TABLES:
        for statement in definition(table):
            connection.execute(statement)
    connection.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
        " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.execute("INSERT INTO alembic_version VALUES (?)", (schema.REVISIONS[-1],))


def _use_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    # SQLite doesn't wait by itself where several processes switch the mode of a new store at once.
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
        else:
            return
