"""Checks a SQLite store: the file by SQLite itself, and that its records fit together. Only reads.

A problem is what damages or hides what was recorded. Rows that deleted runs have left are none.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from fanwise.model import Status
from fanwise.stores import schema, sqlite_files, sqlite_upkeep, upkeep_queries
from fanwise.stores import sqlite_statements as statements
from fanwise.stores.sqlite_errors import explained
from fanwise.stores.store import StoreReport

_TIMEOUT_S = 10.0
_MOST_PROBLEMS = 20

_run_counts = statements.Query(upkeep_queries.RUN_COUNTS)
_left_runs = [statements.Query(upkeep_queries.left_runs(table)) for table in upkeep_queries.TABLES]
_problems = [
    (f"{table} without the result that they had in payloads", statements.Query(query))
    for table, query in upkeep_queries.LOST_PAYLOADS.items()
] + [
    (f"{table} with a status that isn't one", statements.Query(query))
    for table, query in upkeep_queries.UNKNOWN_STATUSES.items()
]


def check_sqlite(path: str) -> StoreReport:
    """Check the store in the file at `path`. Raises `StoreError` if it can't be read, or is newer.

    It reads the whole file, and holds up nobody.
    """
    place = Path(path).expanduser().absolute()
    mode = sqlite_files.reading_mode(place, _TIMEOUT_S)
    with explained(place), closing(sqlite_files.connect(place, mode, _TIMEOUT_S)) as connection:
        revision = sqlite_files.version(connection)
        sqlite_files.require_known(revision, place)
        problems = _damage(connection)
        is_readable = revision == schema.REVISIONS[-1] and not problems
        return StoreReport(
            place=str(place),
            revision=revision,
            newest=schema.REVISIONS[-1],
            size=sqlite_upkeep.size(connection),
            problems=_record_problems(connection) if is_readable else problems,
            runs=_runs(connection) if is_readable else {},
            leftovers=_leftovers(connection) if is_readable else 0,
        )


def _damage(connection: sqlite3.Connection) -> tuple[str, ...]:
    """What SQLite finds, which names tables, indexes and pages, but no values."""
    found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})")]
    if found == ["ok"]:
        return ()
    return tuple(" ".join(text.split()) for text in found)


def _record_problems(connection: sqlite3.Connection) -> tuple[str, ...]:
    counts = [(query.all(connection)[0][0], what) for what, query in _problems]
    return tuple(f"{what}: {count:,}" for count, what in counts if count)


def _runs(connection: sqlite3.Connection) -> dict[Status, int]:
    known = {status.value: status for status in Status}
    counts = _run_counts.all(connection)
    return {known[status]: count for status, count in counts if status in known}


def _leftovers(connection: sqlite3.Connection) -> int:
    return len({row for query in _left_runs for row in query.all(connection)})
