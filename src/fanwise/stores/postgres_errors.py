"""Errors of PostgreSQL as those of a store: a record is refused, the server is away, or all fails.

No message tells a value: PostgreSQL quotes values in the details of an error, which are left out.
The driver knows no SQLSTATE where a connection can't be made, so that texts of errors are looked
through then.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import psycopg

from fanwise.errors import RecordRefusedError, StoreError
from fanwise.stores.database import SHORTER, TOO_LONG, most_s, refused


class Trouble(NamedTuple):
    """A cause of errors and its remedy; `passes` if the server may be well again soon."""

    cause: str
    remedy: str
    passes: bool = False


_RIGHTS: Final = Trouble(
    "the role lacks a right that a store needs",
    "Use the role that made the store, or grant its rights; to make one, CREATE on the schema.",
)
_GONE: Final = Trouble(
    "its tables aren't those of a store of this version",
    "Look at it with: fanwise db check; restore it from a copy, or use another one with --store.",
)
_PASSWORD: Final = Trouble(
    "the server refuses the user or the password",
    "Check both; PGPASSWORD and ~/.pgpass keep a password out of the URL.",
)
_NOT_ADMITTED: Final = Trouble(
    "the server admits no such connection",
    "Add it to pg_hba.conf there, or connect as that wants it: ?sslmode=require encrypts.",
)
_CONNECTIONS: Final = Trouble(
    "the server has no connection left",
    "Raise max_connections, or connect through a pooler.",
    passes=True,
)
READ_ONLY: Final = Trouble(
    "the server takes no changes: it is a replica, or was set to read only",
    "Name the primary in the URL, or several hosts: postgresql://host1,host2/database",
    passes=True,
)
_UNREACHABLE: Final = Trouble(
    "the server can't be reached",
    "Check that it runs, and the URL's host and port.",
    passes=True,
)
_SHORT: Final = Trouble(
    "the server is short of memory or of another resource",
    "Look into the server's log.",
    passes=True,
)
_UNKNOWN: Final = Trouble("PostgreSQL reports an error", "Look into the server's log.")

_CUT_OFF: Final = "57014"
_TOO_LONG: Final = Trouble(TOO_LONG, SHORTER)

_BY_STATE: Final = {
    "25006": READ_ONLY,
    "25P03": _UNREACHABLE,  # this process was stopped within a transaction
    "28000": _NOT_ADMITTED,
    "28P01": _PASSWORD,
    "3D000": Trouble("there is no such database", "Make it with createdb, or check the URL."),
    "3F000": Trouble("the search path names no schema", "Make the schema, or set search_path."),
    "42501": _RIGHTS,
    "42703": _GONE,
    "42P01": _GONE,
    "53100": Trouble("the disk of the server is full", "Free some space there."),
    "53300": _CONNECTIONS,
    "55P03": Trouble(
        "another session keeps it locked",
        "Wait until that has finished, or end it; ?timeout=1m waits longer.",
    ),
    _CUT_OFF: Trouble(
        "the server cut a statement off, by its time limit or a person's request",
        "Raise statement_timeout of the role or the database.",
    ),
}
_BY_CLASS: Final = {"08": _UNREACHABLE, "53": _SHORT, "57": _UNREACHABLE}
_CLASSES_OF_RECORDS: Final = ("22", "23", "54")
_CONFLICTS: Final = ("40001", "40P01")

# The texts of the server, in English, where there is no connection that could tell a SQLSTATE.
_BY_TEXT: Final = (
    ("too many connections", "53300"),
    ("connection slots", "53300"),
    ("is read-only", "25006"),
    ("permission denied for database", "42501"),
    ("password", "28P01"),
    ("pg_hba.conf", "28000"),
    ("authentication failed", "28P01"),
    ('role "', "28P01"),
    ('database "', "3D000"),
)


def trouble(error: psycopg.Error) -> Trouble:
    """Return the trouble behind an error of the driver."""
    state = error.sqlstate or _state_by_text(error)
    found = _BY_STATE.get(state)
    if state == _CUT_OFF and most_s() is not None:
        return _TOO_LONG
    if found is not None:
        return found
    is_lost = isinstance(error, psycopg.OperationalError) and not state
    return _UNREACHABLE if is_lost else _BY_CLASS.get(state[:2], _UNKNOWN)


def _state_by_text(error: psycopg.Error) -> str:
    if not isinstance(error, psycopg.OperationalError):
        return ""
    text = str(error)
    return next((state for part, state in _BY_TEXT if part in text), "")


def is_conflict(error: psycopg.Error) -> bool:
    """Say whether the transaction met others, and may do better when it is done again."""
    return error.sqlstate in _CONFLICTS


def explained(place: str, error: Exception, *, was_waited_out: bool = False) -> StoreError:
    """Return the error of a store for an error of the driver, or for text that it can't send.

    If an outage `was_waited_out` for the URL's `wait`, the hint says how to wait longer.
    """
    if not isinstance(error, psycopg.Error):
        return refused(place, error)
    state = error.sqlstate or ""
    if state.startswith("22") or (not state and isinstance(error, psycopg.DataError)):
        return _refused(place, "a text with NUL, or a number out of range")
    if state.startswith(_CLASSES_OF_RECORDS):
        return _refused(place, error.diag.message_primary or state)
    if not state and isinstance(error, psycopg.ProgrammingError):
        return _refused(place, "a value of a type that PostgreSQL doesn't take")
    found = trouble(error)
    longer = " ?wait=5m waits longer." if was_waited_out and found is _UNREACHABLE else ""
    return StoreError(f"{place}: {found.cause} ({_detail(error)}).", hint=found.remedy + longer)


def _refused(place: str, cause: str) -> RecordRefusedError:
    return RecordRefusedError(f"{place}: the store refuses a record ({cause}).")


def _detail(error: psycopg.Error) -> str:
    """The words of the server or the driver, in one line, without any full stop."""
    text = error.diag.message_primary
    if text is None:
        # Each address that was tried has a line, and an answer says more than none.
        lines = [line for line in str(error).splitlines() if "FATAL" in line]
        text = (lines or str(error).splitlines() or [""])[0]
        text = text.removeprefix("connection failed: ").removeprefix("connection is bad: ")
    return " ".join(text.split()).rstrip(".")
