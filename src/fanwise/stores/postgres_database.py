"""The database on a PostgreSQL server, for many processes and machines.

One connection writes for the journal and one for leases; reads take connections of a small pool.
Nothing outlives a transaction but the records: no prepared statement, no setting, no lock. So a
pooler in transaction mode may stand between. Transactions are READ COMMITTED: rows that a decision
rests on are locked by the statements that read them.

A server that goes away is waited for, and what was under way is done again. A COMMIT without an
answer is settled by asking the records, never by repeating it blindly. Times are seconds.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

import psycopg

from fanwise.errors import StoreError
from fanwise.model import StoreReport, StoreSize
from fanwise.stores import postgres_schema
from fanwise.stores.database import Reader, Settle, Statement, Witness, Writer, findable, most_s
from fanwise.stores.postgres_errors import explained, is_conflict, trouble
from fanwise.stores.postgres_session import Session, Slot
from fanwise.stores.postgres_text import filled
from fanwise.stores.postgres_transaction import READING, Now, PostgresTransaction
from fanwise.stores.rows import Row, SqlValue
from fanwise.stores.sql_maintenance import check_records
from fanwise.stores.sql_store import SqlStore
from fanwise.stores.store import PostgresPlace

_Result = TypeVar("_Result")

_IDLE_MS: Final = 30_000
_MOST_CONFLICTS: Final = 5
_KEPT_READERS: Final = 4
_STAMP_S: Final = 0.2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0

_TROUBLES: Final = (psycopg.Error, ValueError, TypeError, OverflowError)


def open_postgres(
    place: PostgresPlace, *, create: bool = True, read_only: bool = False, now: Now | None = None
) -> SqlStore:
    """Open the store in a database; with `create`, one is made in a database that is empty.

    A `read_only` store refuses to write. Raises `StoreError` if the server can't be reached, the
    database isn't a store, or is of another version of fanwise.
    """
    database = PostgresDatabase(place, read_only=read_only, now=now)
    try:
        with database.opening() as session:
            postgres_schema.require(session, place, create=create and not read_only)
            if not read_only:
                postgres_schema.require_writable(session, place)
        database.is_open = True
    except BaseException:
        database.close()
        raise
    return SqlStore(database)


def check_postgres(place: PostgresPlace) -> StoreReport:
    """Check the store in a database. Raises `StoreError` if there is none, or it is newer."""
    with contextlib.closing(PostgresDatabase(place, read_only=True)) as database:
        with database.opening() as session:
            postgres_schema.require_known(session, place)
        return check_records(database)


class PostgresDatabase:
    """A `Database` on a PostgreSQL server; made by `open_postgres`.

    Once it `is_open`, the store was of this version, and new connections look whether it still is.
    """

    def __init__(
        self, place: PostgresPlace, *, read_only: bool = False, now: Now | None = None
    ) -> None:
        self._where = place
        self._now = now
        self._read_only = read_only
        self._begin = (
            "BEGIN",
            place.limits_locks,
            # A process that is stopped in a transaction keeps others from its runs no longer.
            f"SET LOCAL idle_in_transaction_session_timeout = {_IDLE_MS}",
        )
        self._journal = Slot(lambda: self._connect("journal"))
        self._control = Slot(lambda: self._connect("control"))
        self._listener = Slot(lambda: self._connect("listener"))
        self._idle_readers: list[Slot] = []
        self._away_since: float | None = None
        self._witness: Witness | None = None
        self._witnessed_in = 0
        self._closed = threading.Event()
        self.is_open = False

    @property
    def place(self) -> str:
        """The URL without its password."""
        return self._where.shown

    def close(self) -> None:
        """Close all connections; see `Database.close`."""
        self._closed.set()
        while self._idle_readers:
            self._idle_readers.pop().close()
        for slot in (self._journal, self._control, self._listener):
            with slot.lock:
                slot.close()

    @contextlib.contextmanager
    def opening(self) -> Iterator[Session]:
        """A session to look at the database with, which waits for nothing; later reads use it."""
        with self._explained(), self._reader() as slot:
            yield slot.session()

    def read(self, query: Statement, **values: SqlValue) -> list[Row]:
        """Every row of the answer."""
        sent = findable(values)
        with self._reader() as slot:
            return self._patiently(slot, lambda session: self._rows(session, query, sent))

    def reading(self, work: Callable[[Reader], _Result]) -> _Result:
        """The result of `work` with the database as it is now."""
        with self._reader() as slot:
            return self._transact(slot, work, None, (READING, *_limits()))

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """A reader of the database as it is now; a server that goes away ends it with an error."""
        with self._reader() as slot, self._explained():
            session = self._patiently(slot, self._begun_reading)
            try:
                yield PostgresTransaction(session, (), self._now)
            finally:
                session.roll_back()
                slot.drop_lost()

    def writing(
        self,
        work: Callable[[Writer], _Result],
        settle: Settle[_Result] | None = None,
        witness: Witness | None = None,
    ) -> _Result:
        """A transaction on the journal's connection, which looks for the last one if it is new."""

        def kept(transaction: PostgresTransaction) -> _Result:
            self._require_kept(transaction)
            return work(transaction)

        result = self._change(self._journal, kept, settle)
        if witness is not None:
            self._witness = witness
        return result

    def writing_at_once(self, work: Callable[[Writer], object], size_bytes: int) -> bool:
        """False: a server has to answer."""
        return False

    def controlling(
        self, work: Callable[[Writer], _Result], settle: Settle[_Result] | None = None
    ) -> _Result:
        """A transaction on a connection of its own, beside those of the journal's thread."""
        return self._change(self._control, work, settle)

    def revision(self) -> str:
        """The revision of the schema, or empty text before the first one."""
        with self._reader() as slot:
            return self._patiently(slot, postgres_schema.revision)

    def damage(self) -> tuple[str, ...]:
        """Tables that aren't there, and indexes that PostgreSQL holds for invalid."""
        with self._reader() as slot:
            return self._patiently(slot, postgres_schema.damage)

    def size(self) -> StoreSize:
        """The size of all tables with their indexes; the room inside them is PostgreSQL's own."""
        with self._reader() as slot:
            return StoreSize(self._patiently(slot, postgres_schema.size_bytes), 0)

    def vacuum(self, *, rewrite: bool) -> None:
        """Vacuum all tables; see `Maintenance.vacuum`."""
        self._require_writable()
        with self._control.lock:
            self._patiently(
                self._control, lambda session: postgres_schema.vacuum(session, rewrite=rewrite)
            )

    def await_change(self, timeout_s: float) -> bool:
        """Wait until another process announces a change; see `Queue.await_change`.

        Where it can't be told of any, such as behind some poolers, or while the server is away, it
        just waits.
        """
        try:
            with self._listener.lock:
                made = self._listener.made
                session = self._listener.session()
                if self._listener.made == made:
                    return session.is_told(timeout_s)
                session.listen()
                return True  # who knows since when
        except (psycopg.Error, StoreError):
            with self._listener.lock:
                self._listener.close()
            self._closed.wait(timeout_s)
            return False

    def stamp(self) -> int:
        """The same number for all times: nothing is asked."""
        return 0

    def await_stamp(self, stamp: int, timeout_s: float) -> bool:
        """Wait for a fifth of a second, after which anything may have changed.

        A NOTIFY would take a lock of the whole server at each commit, also while nobody listens.
        """
        if timeout_s <= 0:
            return False
        self._closed.wait(min(_STAMP_S, timeout_s))
        return True

    def _require_kept(self, reader: Reader) -> None:
        """Raise `StoreError` if the server has come back without the last commit."""
        if self._witnessed_in == self._journal.made:
            return
        if self._witness is not None and not self._witness(reader):
            raise StoreError(
                f"{self.place}: the server has come back without records that it had confirmed,"
                " as an older copy of itself.",
                hint="Runs can go on from the records that are there.",
            )
        self._witnessed_in = self._journal.made

    def _begun_reading(self, session: Session) -> Session:
        session.run(";".join((READING, *_limits())))
        return session

    def _change(
        self,
        slot: Slot,
        work: Callable[[PostgresTransaction], _Result],
        settle: Settle[_Result] | None,
    ) -> _Result:
        self._require_writable()
        with slot.lock:
            return self._transact(slot, work, settle, self._begin)

    def _transact(
        self,
        slot: Slot,
        work: Callable[[PostgresTransaction], _Result],
        settle: Settle[_Result] | None,
        begin: tuple[str, ...],
    ) -> _Result:
        """The result of `work` in a transaction, which is done again after an outage."""
        is_in_doubt = False

        def attempt(session: Session) -> _Result:
            nonlocal is_in_doubt
            if is_in_doubt and settle is not None:
                for result in settle(PostgresTransaction(session, (), self._now)):
                    return result
            is_in_doubt = False
            transaction = PostgresTransaction(session, begin, self._now)
            try:
                result = work(transaction)
                transaction.commit()
            except BaseException:
                is_in_doubt = transaction.is_committing
                session.roll_back()
                raise
            return result

        return self._patiently(slot, attempt)

    def _patiently(self, slot: Slot, work: Callable[[Session], _Result]) -> _Result:
        """The result of `work`, which is called again after an outage or a conflict."""
        conflicts, pause_s = 0, _FIRST_PAUSE_S
        while True:
            try:
                result = work(slot.session())
            except _TROUBLES as error:
                is_lost = slot.drop_lost()
                if not isinstance(error, psycopg.Error):
                    raise explained(self.place, error) from error
                if is_conflict(error) and conflicts < _MOST_CONFLICTS:
                    conflicts += 1
                    continue
                passes = trouble(error).passes
                if not (passes and self._may_wait()):
                    raise explained(self.place, error, was_waited_out=passes) from error
                if not is_lost:  # such as one with a server that has become a replica
                    slot.close()
                self._closed.wait(pause_s * random.uniform(0.5, 1.0))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                self._require_open()
            else:
                self._away_since = None
                return result

    def _may_wait(self) -> bool:
        """Say whether an outage is still waited out; all connections share its time."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        return now < self._away_since + self._where.wait_s

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Slot]:
        """A slot for reads that no other thread uses meanwhile."""
        self._require_open()
        try:
            slot = self._idle_readers.pop()
        except IndexError:
            slot = Slot(lambda: self._connect("reader"))
        try:
            yield slot
        finally:
            if len(self._idle_readers) < _KEPT_READERS and not self._closed.is_set():
                self._idle_readers.append(slot)
            else:
                slot.close()

    def _connect(self, purpose: str) -> Session:
        # Reads of a process that writes are of the primary as well: a standby may lag behind.
        has_choice = "," in self._where.conninfo and not self._read_only
        options = {"target_session_attrs": "read-write"} if has_choice else {}
        session = Session(self._where.conninfo, purpose, **options)
        if session.setting("standard_conforming_strings") != "on":
            session.close()
            raise StoreError(
                f"{self.place}: backslashes in strings mean something to the server.",
                hint="Set standard_conforming_strings to on, which is the default.",
            )
        if self.is_open:
            try:
                postgres_schema.require_same(session, self._where)
            except BaseException:
                session.close()
                raise
        return session

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise explained(self.place, error) from error

    def _rows(
        self, session: Session, query: Statement, values: Mapping[str, SqlValue]
    ) -> list[Row]:
        now = None if self._now is None else self._now()
        # One message is one transaction, so that the limit ends with it, behind a pooler too.
        return session.run(";".join((*_limits(), filled(query, values, now))))[0]

    def _require_writable(self) -> None:
        self._require_open()
        if self._read_only:
            raise StoreError(f"{self.place}: the store was opened for reading only.")

    def _require_open(self) -> None:
        if self._closed.is_set():
            raise StoreError(f"{self.place}: the store has been closed.", hint="Open it again.")


def _limits() -> tuple[str, ...]:
    """The statement by which later ones of the transaction end in time, if the caller's have to."""
    span_s = most_s()
    return (
        ()
        if span_s is None
        else (f"SET LOCAL statement_timeout = {max(1, round(span_s * 1_000))}",)
    )
