"""A transaction on PostgreSQL, whose changes wait until an answer is needed, or its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from fanwise.stores.database import HEADS, Insert, Statement, head_values
from fanwise.stores.postgres_session import CHANNEL, Session
from fanwise.stores.postgres_text import bulk_insert, filled
from fanwise.stores.rows import Row, SqlValue

READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

Now = Callable[[], float]


class PostgresTransaction:
    """A `Reader` and a `Writer`; nothing is sent before the first statement that has an answer.

    `begin` are the statements that begin it, and `now` the clock of tests. Once `is_committing`,
    nobody but the server knows how it ends if the session is lost.
    """

    def __init__(self, session: Session, begin: Sequence[str], now: Now | None) -> None:
        self._session = session
        self._waiting = [*begin]
        self._copies: list[bytes] = []
        self._now = now
        self._touched: set[int] = set()
        self.is_committing = False

    def read(self, query: Statement, **values: SqlValue) -> list[Row]:
        """Every row of the answer."""
        return self._run(query, values)[0]

    @contextlib.contextmanager
    def each(self, query: Statement, **values: SqlValue) -> Iterator[Iterator[Row]]:
        """The rows one by one, read as they are taken."""
        self._flush()
        yield self._session.each(self._filled(query, values))

    def change(self, statement: Statement, **values: SqlValue) -> int:
        """Make a change, and return how many rows it has changed."""
        return self._run(statement, values)[1]

    def execute(self, statement: Statement, **values: SqlValue) -> None:
        """Make a change, when the next answer is needed."""
        self._waiting.append(self._filled(statement, values))

    def insert(self, insert: Insert, values: Sequence[SqlValue]) -> None:
        """Insert rows, when the next answer is needed."""
        if not values:
            return
        bulk = bulk_insert(insert)
        if bulk.is_copied(values):
            self._waiting.append(bulk.copy)
            self._copies.append(bulk.lines(values))
        else:
            self._waiting += bulk.statements(values)

    def touch(self, run_no: int) -> None:
        """Count a change of a run when the transaction ends."""
        self._touched.add(run_no)

    def announce(self) -> None:
        """Wake the processes that wait, once the transaction is committed."""
        self._waiting.append(f"NOTIFY {CHANNEL}")

    def commit(self) -> None:
        """Send what waits, and end the transaction."""
        self.insert(HEADS, head_values(self._touched))
        self._waiting.append("COMMIT")
        self.is_committing = True
        self._flush()

    def _flush(self) -> None:
        statements, self._waiting = self._waiting, []
        copies, self._copies = self._copies, []
        if statements:
            self._session.send(statements, copies)

    def _run(self, statement: Statement, values: dict[str, SqlValue]) -> tuple[list[Row], int]:
        if self._copies:
            self._flush()
        statements, self._waiting = self._waiting, []
        return self._session.run(";".join([*statements, self._filled(statement, values)]))

    def _filled(self, statement: Statement, values: dict[str, SqlValue]) -> str:
        return filled(statement, values, None if self._now is None else self._now())
