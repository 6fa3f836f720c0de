"""The statements of `fanwise.stores.queries` and the writes of the journal, as SQLite's own text.

The journal's thread writes while the event loop's thread is busy with Python. The driver gives up
the interpreter at each step of a statement and may wait 5 ms to get it back, so what counts is how
few statements a commit has: `BulkInsert` writes up to 2,048 rows with one.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Delete, Select, Table, Update
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from fanwise.model import Discard, Status
from fanwise.stores import queries, schema
from fanwise.stores.rows import Row, Rows, from_tags

_named = sqlite.dialect(paramstyle="named")
_marks = sqlite.dialect(paramstyle="qmark")

_MAX_ROWS = 2_048
_MAX_VALUES = 32_766  # SQLite's own bound on the parameters of one statement


class Query:
    """A query or a change of rows, which is run with the values of its parameters.

    It is compiled once, when it is first run: a command uses few of all there are.
    """

    def __init__(self, statement: Select[Any] | Delete | Update) -> None:
        self._statement = statement

    def all(self, connection: sqlite3.Connection, **values: Any) -> list[Row]:
        """Every row of the answer."""
        return self._run(connection, values).fetchall()

    def changes(self, connection: sqlite3.Connection, **values: Any) -> int:
        """Make a change, and return how many rows it has changed."""
        return self._run(connection, values).rowcount

    @contextlib.contextmanager
    def each(self, connection: sqlite3.Connection, **values: Any) -> Iterator[Iterator[Row]]:
        """The rows one by one, of which the caller need not take all, until the block ends."""
        with contextlib.closing(self._run(connection, values)) as cursor:
            yield cursor

    def _run(self, connection: sqlite3.Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        text, constants = self._compiled
        return connection.execute(text, {**constants, **values})

    @functools.cached_property
    def _compiled(self) -> tuple[str, dict[str, Any]]:
        compiled = self._statement.compile(dialect=_named)
        return compiled.string, dict(compiled.params)


class BulkInsert:
    """Inserts any number of rows into one table, with few statements.

    With `replaces`, a row takes the place of the one that has the same values in these columns.
    `without` names columns that the rows leave out.
    """

    def __init__(
        self, table: Table, *, replaces: Sequence[str] = (), without: Sequence[str] = ()
    ) -> None:
        columns = [column.name for column in table.columns if column.name not in without]
        insert = sqlite.insert(table)
        if replaces:
            changed = {
                column.name: column for column in insert.excluded if column.name not in replaces
            }
            insert = insert.on_conflict_do_update(index_elements=replaces, set_=changed)
        self._width = len(columns)
        self._text = insert.compile(dialect=_marks, column_keys=columns).string
        self._row = f"({', '.join('?' * self._width)})"
        largest = min(_MAX_ROWS, _MAX_VALUES // self._width)
        self._sizes = [1 << power for power in reversed(range(largest.bit_length()))]
        self._texts: dict[int, str] = {}

    def write(self, connection: sqlite3.Connection, values: list[Any]) -> None:
        """Insert the rows whose values stand in `values`, one row after the other."""
        start, width = 0, self._width
        for size in self._sizes:
            span = size * width
            while len(values) - start >= span:
                connection.execute(self._text_for(size), values[start : start + span])
                start += span

    def _text_for(self, size: int) -> str:
        # Sizes are powers of two: the driver then finds each of the few statements prepared.
        text = self._texts.get(size)
        if text is None:
            text = self._text.replace(self._row, ", ".join([self._row] * size))
            self._texts[size] = text
        return text


VERSION = Query(queries.VERSION)
RUN = Query(queries.RUN)
RUN_IDS = Query(queries.RUN_IDS)
TASKS = Query(queries.TASKS)
TASKS_WITHIN = Query(queries.TASKS_WITHIN)
EVENTS = Query(queries.EVENTS)
RUN_TASKS = Query(queries.RUN_TASKS)
RUN_EVENTS = Query(queries.RUN_EVENTS)
RUN_ITEMS = Query(queries.RUN_ITEMS)
RUN_LOGS = Query(queries.RUN_LOGS)
RUN_SLEEPS = Query(queries.RUN_SLEEPS)
OUTPUTS = Query(queries.OUTPUTS)
ITEM_TOTALS = Query(queries.ITEM_TOTALS)
DURATIONS = Query(queries.DURATIONS)
SLOWEST_ITEMS = Query(queries.SLOWEST_ITEMS)
LOGS = Query(queries.LOGS)
LOGS_UNDER = Query(queries.LOGS_UNDER)
UNFINISHED = Query(queries.UNFINISHED)
LAST_TASK_NO = Query(queries.LAST_TASK_NO)
RECORDED_INDEXES = Query(queries.RECORDED_INDEXES)
RECORDED_ATTEMPTS = Query(queries.RECORDED_ATTEMPTS)
RECORDED_FAILURES = Query(queries.RECORDED_FAILURES)
SLEEP = Query(queries.SLEEP)
BEGUN_ITEMS = Query(queries.BEGUN_ITEMS)
LEASE = Query(queries.LEASE)
UNLEASED = Query(queries.UNLEASED)
TAKE_LEASE = Query(queries.TAKE_LEASE)
RENEW_LEASE = Query(queries.RENEW_LEASE)
RELEASE_LEASE = Query(queries.RELEASE_LEASE)
REQUEST = Query(queries.REQUEST)

_discard_items = Query(queries.DISCARD_ITEMS)
_discard_steps = [Query(each) for each in queries.DISCARD_STEPS]
_discard_sleep = Query(queries.DISCARD_SLEEP)
_discard_sleeps_within = Query(queries.DISCARD_SLEEPS_WITHIN)


@functools.cache
def runs_where(filters: tuple[str, ...], tag_count: int) -> Query:
    """See `queries.runs_where`."""
    return Query(queries.runs_where(filters, tag_count))


@functools.cache
def items_where(status: Status | None, filters: tuple[str, ...]) -> Query:
    """See `queries.items_where`."""
    return Query(queries.items_where(status, filters))


_new_run = BulkInsert(schema.runs)
_runs = BulkInsert(schema.runs, replaces=["run_no"])
_tags = BulkInsert(schema.tags)
_tasks = BulkInsert(schema.tasks, replaces=["run_no", "path", "visit"])
_events = BulkInsert(schema.events)
_items = BulkInsert(schema.items)
_short_items = BulkInsert(schema.items, without=["error", "label", "has_payload"])
_labelled_items = BulkInsert(schema.items, without=["error", "has_payload"])
_payloads = BulkInsert(schema.payloads, replaces=["run_no", "visit_no", "idx"])
_logs = BulkInsert(schema.logs, replaces=["run_no", "visit_no", "idx", "at", "attempt"])
_sleeps = BulkInsert(schema.sleeps, replaces=["run_no", "path"])
_first_lease = BulkInsert(schema.leases)
_version = BulkInsert(schema.alembic_version)


def insert_run(connection: sqlite3.Connection, row: Row, tags: Sequence[str]) -> int:
    """Insert a new run, a row without its number, and return the number that it got."""
    highest = connection.execute("SELECT max(run_no) FROM runs").fetchone()[0] or 0
    number: int = 1 + max(highest, highest_deleted(connection))
    _new_run.write(connection, [number, *row])
    _tags.write(connection, from_tags(number, tags))
    return number


def highest_deleted(connection: sqlite3.Connection) -> int:
    """The highest number of a run that has been deleted, or 0: no other run may get it."""
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def steps_under(path: str) -> dict[str, str]:
    """Between which paths those are that go on with a dot: "/" is the character after it."""
    return {"first": f"{path}.", "last": f"{path}/"}


def items_under(path: str) -> dict[str, str]:
    """Between which paths those are that go on with an index: a backslash comes after "["."""
    return {"first": f"{path}[", "last": f"{path}\\"}


def is_unleased(connection: sqlite3.Connection, run_no: int) -> bool:
    """Whether there is such a run, and nobody has ever driven it."""
    return bool(UNLEASED.all(connection, run_no=run_no))


def insert_lease(connection: sqlite3.Connection, run_no: int, owner: str, now: float) -> None:
    """Insert the first lease of a run."""
    _first_lease.write(connection, [run_no, 1, owner, now, now, 0.0, None])


def _discard(connection: sqlite3.Connection, record: Discard) -> None:
    if record.visit_no is not None:
        _discard_items.changes(connection, run_no=record.run_no, visit_no=record.visit_no)
    if record.under:
        run_no, steps, items = record.run_no, steps_under(record.under), items_under(record.under)
        for change in _discard_steps:
            change.changes(connection, run_no=run_no, **steps)
        _discard_sleep.changes(connection, run_no=run_no, path=record.under)
        for within in (steps, items):
            _discard_sleeps_within.changes(connection, run_no=run_no, **within)


def write(connection: sqlite3.Connection, rows: Rows) -> None:
    """Write what one commit holds, after taking back what it discards."""
    for discard in rows.discards:
        _discard(connection, discard)
    _runs.write(connection, rows.runs)
    for run_no, tags in rows.tags.items():
        connection.execute("DELETE FROM tags WHERE run_no = ?", (run_no,))
        _tags.write(connection, from_tags(run_no, tags))
    _tasks.write(connection, rows.tasks)
    _events.write(connection, rows.events)
    _short_items.write(connection, rows.short_items)
    _labelled_items.write(connection, rows.labelled_items)
    _items.write(connection, rows.items)
    _payloads.write(connection, rows.payloads)
    _logs.write(connection, rows.logs)
    _sleeps.write(connection, rows.sleeps)


def create_schema(connection: sqlite3.Connection) -> None:
    """Make all tables of the newest version and stamp it, within the caller's transaction."""
    for table in schema.metadata.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=_marks)))
        for index in table.indexes:
            connection.execute(str(CreateIndex(index).compile(dialect=_marks)))
    _version.write(connection, [schema.REVISIONS[-1]])
