"""The database under a store: `SqlStore` has statements and records, and this runs the statements.

A statement is written as PostgreSQL would have it, with values by name, as in `:run_no`; a database
translates the words that it spells otherwise, and caches the translation. Everything else that
differs between databases is behind this interface: connections, transactions, bulk writes, errors,
the schema's types, and what becomes of free space. Methods block. They raise `StoreError` if the
database fails, and `RecordRefusedError` where a value can't be stored as it is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Final, Protocol, TypeAlias, TypeVar

import msgspec

from fanwise.errors import RecordRefusedError
from fanwise.model import StoreSize
from fanwise.stores.rows import Row, SqlValue
from fanwise.stores.schema import Table, heads

Statement: TypeAlias = str


_most_s: ContextVar[float | None] = ContextVar("most_s", default=None)

TOO_LONG: Final = "a query took longer than it may"
SHORTER: Final = "Ask for less of it at once, or ask again when the store has less to do."

NEWEST: Final = 2**62
"""A number above all that a database gives out."""


@contextmanager
def within(span_s: float) -> Iterator[None]:
    """The block in which queries are broken off after a span; see `Maintenance.within`."""
    before = _most_s.set(span_s)
    try:
        yield
    finally:
        _most_s.reset(before)


def most_s() -> float | None:
    """Return the span after which a query is broken off here, if it is at all."""
    return _most_s.get()


class Insert(msgspec.Struct, frozen=True, eq=False, dict=True):
    """An insertion of any number of rows into a table.

    A row takes the place of the one that has the same values in the columns `replaces`, if there
    are any; otherwise such a row is an error. Of that row columns in `merges` become what their
    expressions say, in which `excluded` is the new row. Rows leave out the columns in `without`,
    which have their defaults then.
    """

    table: Table
    replaces: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    merges: Mapping[str, str] = {}

    @functools.cached_property  # each commit asks for those of many
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that rows have, in their order."""
        return tuple(name for name in self.table.columns if name not in self.without)

    @property
    def on_conflict(self) -> str:
        """The clause for a row that takes the place of another one; empty if none may."""
        if not self.replaces:
            return ""
        # Also the columns that rows leave out: a row that is replaced keeps nothing of its own.
        changed = [
            f"{name} = {self.merges.get(name, f'excluded.{name}')}"
            for name in self.table.columns
            if name not in self.replaces
        ]
        return f" ON CONFLICT ({', '.join(self.replaces)}) DO UPDATE SET {', '.join(changed)}"


class Reader(Protocol):
    """Runs queries within one transaction, for which the database stays as it was."""

    def read(self, query: Statement, **values: SqlValue) -> list[Row]:
        """Every row of the answer."""

    def each(self, query: Statement, **values: SqlValue) -> AbstractContextManager[Iterator[Row]]:
        """The rows one by one, of which the caller need not take all, until the block ends."""


HEADS = Insert(heads, replaces=heads.key, merges={"seq": "heads.seq + 1"})
"""The rows of runs that a transaction has changed; all transactions lock them last."""


def head_values(run_nos: Iterable[int]) -> list[SqlValue]:
    """Return the values of `HEADS` for these runs, in the order in which they are locked."""
    return [value for run_no in sorted(run_nos) for value in (run_no, 1)]


_Result = TypeVar("_Result")

Settle: TypeAlias = Callable[[Reader], Sequence[_Result]]
"""A look for the own rows of a transaction: its result if it was committed, or else nothing."""

Witness: TypeAlias = Callable[[Reader], bool]
"""A look for rows that a transaction has left, and that are gone if the database has gone back."""


class Writer(Protocol):
    """Runs statements within one transaction."""

    def read(self, query: Statement, **values: SqlValue) -> list[Row]:
        """Every row of the answer, which sees the transaction's own changes."""

    def change(self, statement: Statement, **values: SqlValue) -> int:
        """Make a change, and return how many rows it has changed."""

    def execute(self, statement: Statement, **values: SqlValue) -> None:
        """Make a change, at the latest when the transaction ends."""

    def insert(self, insert: Insert, values: Sequence[SqlValue]) -> None:
        """Insert rows whose values stand one row after the other, at the latest at the end."""

    def touch(self, run_no: int) -> None:
        """Count a change of a run for those who watch it, once the transaction ends."""

    def announce(self) -> None:
        """Wake the processes that wait in `await_change`, once the transaction is committed."""


class Database(Protocol):
    """A database with the schema of `fanwise.stores.schema`. Any thread may use it.

    Queries see what is committed. The work of a transaction is a function: it leaves nothing behind
    if it raises, and is called again if the transaction met another one, or the server was away. A
    commit may have happened although its answer was lost. `settle` is asked then; without it the
    work is just done again. A server may also come back as an older copy of itself: `writing` then
    asks the `witness` of the last commit, and raises `StoreError` if that is gone.
    """

    @property
    def place(self) -> str:
        """The place of the database, for people; never a password."""

    def read(self, query: Statement, **values: SqlValue) -> list[Row]:
        """Every row of the answer."""

    def reading(self, work: Callable[[Reader], _Result]) -> _Result:
        """The result of `work` with the database as it is now."""

    def snapshot(self) -> AbstractContextManager[Reader]:
        """A reader for which the database stays as it is now, until the block ends."""

    def writing(
        self,
        work: Callable[[Writer], _Result],
        settle: Settle[_Result] | None = None,
        witness: Witness | None = None,
    ) -> _Result:
        """The result of a transaction of the journal or of maintenance; one thread at a time."""

    def writing_at_once(self, work: Callable[[Writer], object], size_bytes: int) -> bool:
        """Make a short transaction of the journal, unless that would wait; True if it was made.

        It waits for no lock, no server and no disk, so an event loop may call it. It writes about
        `size_bytes`.
        """

    def controlling(
        self, work: Callable[[Writer], _Result], settle: Settle[_Result] | None = None
    ) -> _Result:
        """The result of a short transaction, beside those of `writing`, from any thread."""

    def revision(self) -> str:
        """The revision of the schema, or empty text before the first one."""

    def damage(self) -> tuple[str, ...]:
        """The damage that the database itself finds, without any value; at most 20 lines."""

    def size(self) -> StoreSize:
        """The size of the database; see `Maintenance.size`."""

    def vacuum(self, *, rewrite: bool) -> None:
        """Give free space back to the disk; see `Maintenance.vacuum`."""

    def await_change(self, timeout_s: float) -> bool:
        """Wait until the database may have changed since the last call; see `Queue.await_change`.

        It runs no statement.
        """

    def stamp(self) -> int:
        """A number for `await_stamp`, which is another one after any commit by others."""

    def await_stamp(self, stamp: int, timeout_s: float) -> bool:
        """Wait until the stamp is another one, or may be; False after `timeout_s`."""

    def close(self) -> None:
        """Close all connections; the database then raises `StoreError`. Closing again is fine."""


_UNKNOWN = re.compile("[\0\ud800-\udfff]")


def findable(values: Mapping[str, SqlValue]) -> Mapping[str, SqlValue]:
    """Return the values of a query, of which a text that no record holds is one that can be sent.

    NUL and halves of surrogate pairs become U+FFFF, which is no character either.
    """
    return {
        name: _UNKNOWN.sub("\uffff", value) if isinstance(value, str) else value
        for name, value in values.items()
    }


def refused(place: str, error: Exception) -> RecordRefusedError:
    """Return the error for a record that can't be stored as it is."""
    # Codecs quote the text, which may be secret; constraints name columns only.
    cause = "its text isn't UTF-8" if isinstance(error, UnicodeError) else str(error)
    return RecordRefusedError(f"{place}: the store refuses a record ({cause}).")
