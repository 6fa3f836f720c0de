"""Statements and tables as SQLite's own text.

The journal's thread writes while the event loop's thread is busy with Python. The driver gives up
the interpreter at each step of a statement and may wait 5 ms to get it back, so the number of
statements in a commit counts: `BulkInsert` writes up to 2,048 rows with each.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator, Sequence

from fanwise.stores.database import Insert, Statement
from fanwise.stores.rows import SqlValue
from fanwise.stores.schema import Table

_WORDS = {
    "string_agg(": "group_concat(",
    " FOR SHARE": "",  # a transaction that may write has the database alone
    " FOR UPDATE": "",
    " SKIP LOCKED": "",
    "fanwise_up_since()": "0.0",  # a file is always there
}
_TYPES = {"DOUBLE PRECISION": "DOUBLE", "DEFAULT FALSE": "DEFAULT 0"}

_MAX_ROWS = 2_048
_MERGED_ROWS = 16
_MAX_VALUES = 32_766  # SQLite's own bound on the parameters of one statement


@functools.lru_cache(maxsize=512)
def translated(statement: Statement) -> str:
    """Return a statement in the words of SQLite."""
    for word, own in _WORDS.items():
        statement = statement.replace(word, own)
    return statement


def definition(table: Table) -> Iterator[str]:
    """The statements that make a table and its indexes."""
    parts = [f"{name} {kind}" for name, kind in table.columns.items() if name != table.serial]
    if table.serial is None:
        parts.append(f"CONSTRAINT {table.name}_key PRIMARY KEY ({', '.join(table.key)})")
    else:
        parts.insert(0, f"{table.serial} INTEGER PRIMARY KEY AUTOINCREMENT")
    parts += [f"CONSTRAINT {n} UNIQUE ({', '.join(c)})" for n, c in table.unique.items()]
    text = f"CREATE TABLE {table.name} ({', '.join(parts)})"
    for kind, own in _TYPES.items():
        text = text.replace(kind, own)
    yield f"{text} WITHOUT ROWID" if table.clustered else text
    for name, columns in table.indexes.items():
        yield f"CREATE INDEX {name} ON {table.name} {columns}"


class BulkInsert:
    """Inserts any number of rows into one table, with few statements."""

    def __init__(self, insert: Insert) -> None:
        columns = insert.columns
        self._begin = f"INSERT INTO {insert.table.name} ({', '.join(columns)}) VALUES "
        self._end = insert.on_conflict
        self._width = len(columns)
        self._row = f"({', '.join('?' * self._width)})"
        largest = min(_MAX_ROWS, _MAX_VALUES // self._width)
        # Sizes are powers of two: the driver then finds each of the few statements prepared. Rows
        # that merge are few, and one statement for all of them gives the interpreter up once.
        powers = [1 << power for power in reversed(range(largest.bit_length()))]
        self._sizes = range(_MERGED_ROWS, 0, -1) if insert.merges else powers
        self._texts: dict[int, str] = {}

    def write(self, connection: sqlite3.Connection, values: Sequence[SqlValue]) -> None:
        """Insert the rows whose values are in `values`, one row after the other."""
        start, width = 0, self._width
        for size in self._sizes:
            span = size * width
            while len(values) - start >= span:
                connection.execute(self._text_for(size), values[start : start + span])
                start += span

    def _text_for(self, size: int) -> str:
        text = self._texts.get(size)
        if text is None:
            text = self._begin + ", ".join([self._row] * size) + self._end
            self._texts[size] = text
        return text


bulk_insert = functools.cache(BulkInsert)
