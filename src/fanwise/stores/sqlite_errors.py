"""Errors of SQLite's driver as those of a store: one record is refused, or nothing works."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fanwise.errors import StoreError, StoreUnusableError
from fanwise.stores.database import SHORTER, TOO_LONG, refused

_ABOUT_A_RECORD = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,  # a value of a type that the driver doesn't know
    OverflowError,
    TypeError,
    ValueError,  # with its child UnicodeError: text that isn't UTF-8
)


class _Trouble(NamedTuple):
    cause: str
    remedy: str


_TROUBLES = {
    sqlite3.SQLITE_BUSY: _Trouble(
        "another process keeps it locked",
        "Wait until that process has finished, or end it.",
    ),
    sqlite3.SQLITE_FULL: _Trouble("the disk is full", "Free some space."),
    sqlite3.SQLITE_READONLY: _Trouble(
        "it can't be written", "Check the rights of the file and its folder, or use --store."
    ),
    sqlite3.SQLITE_CANTOPEN: _Trouble(
        "it can't be opened", "Check the rights of the file and its folder, or use --store."
    ),
    sqlite3.SQLITE_IOERR: _Trouble("the disk reports an error", "Check the disk and its mount."),
    sqlite3.SQLITE_CORRUPT: _Trouble(
        "it is damaged", "Restore it from a copy, or use another one with --store."
    ),
    sqlite3.SQLITE_INTERRUPT: _Trouble(TOO_LONG, SHORTER),
    sqlite3.SQLITE_NOTADB: _Trouble(
        "it isn't a SQLite database", "Name another file with --store."
    ),
}
_FOR_GOOD = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NO_FILES_LEFT = _Trouble(
    "this process may open no more files", "Lower a concurrency, or raise the limit: ulimit -n."
)
_UNKNOWN = _Trouble("SQLite reports an error", "Check the file, or use --store.")
_PRIMARY_CODE = 0xFF  # The upper bits of a code are variants of one trouble.


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of the system and the driver for the file at `path` into a `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
        trouble = _TROUBLES.get(code, _UNKNOWN)
        if code == sqlite3.SQLITE_CANTOPEN and _has_no_files_left():
            trouble = _NO_FILES_LEFT
        kind = StoreUnusableError if code in _FOR_GOOD else StoreError
        raise kind(f"{path}: {trouble.cause} ({_line(error)}).", hint=trouble.remedy) from error
    except OSError as error:
        is_full = error.errno in (errno.EMFILE, errno.ENFILE)
        trouble = _NO_FILES_LEFT if is_full else _TROUBLES[sqlite3.SQLITE_CANTOPEN]
        raise StoreError(
            f"{path}: {trouble.cause} ({error.strerror}).", hint=trouble.remedy
        ) from error


def _has_no_files_left() -> bool:
    """Say whether any file would fail to open: SQLite gives the same error for all reasons."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return True
    return False


def _line(error: sqlite3.Error) -> str:
    """Return the driver's text as one line: it quotes a damaged schema as it stands."""
    return " ".join(str(error).split())


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn errors that other records wouldn't meet into a `RecordRefusedError`."""
    try:
        yield
    except _ABOUT_A_RECORD as error:
        raise refused(str(path), error) from error
