"""The ports `Ownership` and `Mailbox` over a database, and the check of a commit's tokens.

All times are those of the database's clock, `fanwise_now()` in statements: seconds since the epoch.
No engine is silent for longer than the database has been there, which is since
`fanwise_up_since()`: an engine can't beat while a server is restarted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from fanwise.errors import LeaseLostError
from fanwise.model import Inbox, Lease, Owner, RunRequest, SlotWish
from fanwise.stores import rows
from fanwise.stores.database import Database, Reader, Writer
from fanwise.stores.parts import in_parts
from fanwise.stores.queue_statements import TAKE_BY_HAND
from fanwise.stores.sql_slots import (
    controlling,
    free_children,
    limits_of_children,
    lock_keys,
    lock_place,
    release,
    take_slot,
)
from fanwise.stores.statements import LEASES, leases_of

_FORGOTTEN_S: Final = 86_400
"""Silence of an engine without runs after which it is forgotten."""

_PAGE_RUNS: Final = 500

LEASE: Final = f"{LEASES} WHERE leases.run_no = :run_no"
_THERE: Final = "EXISTS (SELECT 1 FROM engines WHERE engines.engine_no = :engine_no)"
_FIRST: Final = (
    "INSERT INTO leases (run_no, token, engine_no, taken_at, ran_s)"
    " SELECT run_no, 1, :engine_no, fanwise_now(), 0.0 FROM runs"
    f" WHERE run_no = :run_no AND {_THERE} FOR SHARE"
    " ON CONFLICT (run_no) DO NOTHING"
)
DRIVEN_S: Final = (
    "coalesce((SELECT CASE WHEN beat_at > taken_at THEN beat_at - taken_at ELSE 0.0 END"
    " FROM engines WHERE engines.engine_no = leases.engine_no), 0.0)"
)
TAKE: Final = (
    f"UPDATE leases SET token = token + 1, ran_s = ran_s + {DRIVEN_S}, engine_no = :engine_no,"
    f" taken_at = fanwise_now() WHERE run_no = :run_no AND token = :token AND {_THERE}"
)
BEAT: Final = (
    "UPDATE engines SET beats = beats + 1, beat_at = fanwise_now() WHERE engine_no = :engine_no"
)
_RELEASE: Final = (
    f"UPDATE leases SET ran_s = ran_s + {DRIVEN_S}, engine_no = NULL"
    " WHERE run_no = :run_no AND token = :token AND engine_no = :engine_no"
)
_HELD_BY: Final = "SELECT engine_no FROM leases WHERE run_no = :run_no AND token = :token"
LOCK_HELD_BY: Final = f"{_HELD_BY} FOR UPDATE"
_ENROLL: Final = (
    "INSERT INTO engines (owner, beats, beat_at, enrolled_at)"
    " VALUES (:owner, 0, fanwise_now(), fanwise_now()) RETURNING engine_no"
)
_IDLE: Final = "NOT EXISTS (SELECT 1 FROM leases WHERE leases.engine_no = engines.engine_no)"
LEAVE: Final = f"DELETE FROM engines WHERE engine_no = :engine_no AND {_IDLE}"
_FORGET: Final = f"DELETE FROM engines WHERE beat_at < fanwise_now() - :silent_s AND {_IDLE}"
# The clock was set back. An engine that is there beats by the new time; of the others the silence
# counts from now on, and not only once the old time comes round again.
_SET_BACK: Final = "UPDATE engines SET beat_at = fanwise_now() WHERE beat_at > fanwise_now()"
_SEND: Final = (
    "INSERT INTO requests (run_no, kind, data) SELECT run_no, :kind, :data FROM leases"
    " WHERE run_no = :run_no AND engine_no IS NOT NULL FOR SHARE"
)
_REQUESTS: Final = "SELECT kind, data FROM requests WHERE run_no = :run_no ORDER BY request_no"
ANSWERED: Final = "DELETE FROM requests WHERE run_no = :run_no"
_INBOX: Final = (
    "SELECT leases.run_no, token, kind, data FROM leases"
    " LEFT JOIN requests ON requests.run_no = leases.run_no"
    " WHERE leases.engine_no = :engine_no ORDER BY request_no"
)
DELETE_LEASE: Final = "DELETE FROM leases WHERE run_no = :run_no"


def require_tokens(writer: Writer, tokens: Mapping[int, int], place: str) -> None:
    """Raise `LeaseLostError` unless each run's lease has this fencing token, until the commit."""
    if not tokens:
        return
    numbers = ", ".join([str(int(run_no)) for run_no in tokens])
    query = f"SELECT run_no, token FROM leases WHERE run_no IN ({numbers}) FOR SHARE"
    present: dict[int, int] = dict(writer.read(query))
    for run_no, token in tokens.items():
        if present.get(run_no) != token:
            raise LeaseLostError(
                f"{place}: another process has taken run number {run_no} over.", run_no=run_no
            )


def take_new(writer: Writer, run_no: int, engine_no: int) -> None:
    """Give an engine the first lease of a run, within the transaction that makes the run."""
    writer.execute(_FIRST, run_no=run_no, engine_no=engine_no)


def lock_holder(writer: Writer, run_no: int, token: int) -> None:
    """Lock the engine that has a run by the lease with this token, before anything else is."""
    for (engine_no,) in writer.read(_HELD_BY, run_no=run_no, token=token):
        if engine_no is not None:
            writer.change(BEAT, engine_no=engine_no)


def give_back(writer: Writer, run_no: int, token: int) -> bool:
    """Give a run back, and return whether its lease was the one with this token."""
    for (engine_no,) in writer.read(LOCK_HELD_BY, run_no=run_no, token=token):
        if engine_no is not None:
            writer.execute(_RELEASE, run_no=run_no, token=token, engine_no=engine_no)
            writer.execute(ANSWERED, run_no=run_no)
            writer.touch(run_no)
            return True
    return False


class SqlOwnership:
    """The port `Ownership` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enroll(self, owner: Owner) -> int:
        """Record an engine; see `Ownership.enroll`. Engines long gone are forgotten by the way."""

        def add(writer: Writer) -> int:
            writer.execute(_SET_BACK)
            writer.execute(_FORGET, silent_s=_FORGOTTEN_S)
            ((engine_no,),) = writer.read(_ENROLL, owner=rows.from_owner(owner))
            return int(str(engine_no))

        return self._database.controlling(add)

    def beat(self, engine_no: int) -> bool:
        """Record a sign of life of an engine; see `Ownership.beat`."""
        return self._database.controlling(
            lambda writer: writer.change(BEAT, engine_no=engine_no) > 0
        )

    def leave(self, engine_no: int) -> None:
        """Forget an engine that drives nothing any more."""
        self._database.controlling(lambda writer: writer.execute(LEAVE, engine_no=engine_no))

    def lease(self, run_no: int) -> Lease | None:
        """Return the run's lease, or None if no engine has ever driven it."""
        found = self._database.read(LEASE, run_no=run_no)
        return rows.to_lease(found[0]) if found else None

    def leases(self, run_nos: Collection[int]) -> Mapping[int, Lease]:
        """Return the leases of these runs; see `Ownership.leases`."""
        found: dict[int, Lease] = {}
        for some in in_parts(list(run_nos), _PAGE_RUNS):
            listed = self._database.read(leases_of(some))
            found.update((row[0], rows.to_lease(row)) for row in listed)
        return found

    def acquire(
        self, run_no: int, engine_no: int, *, after: int = 0, wish: SlotWish | None = None
    ) -> Lease | None:
        """Take the run from the lease with the token `after`; see `Ownership.acquire`."""

        def take(writer: Writer) -> Lease | None:
            if not writer.change(BEAT, engine_no=engine_no):  # it was taken for dead
                return None
            limits = lock_place(writer, run_no, *([] if wish is None else [wish.limit]))
            if after:
                taken = writer.change(TAKE, run_no=run_no, engine_no=engine_no, token=after)
            else:
                taken = writer.change(_FIRST, run_no=run_no, engine_no=engine_no)
            if not taken:
                return None
            if wish is not None:
                take_slot(writer, wish, run_no)
            writer.execute(TAKE_BY_HAND, run_no=run_no)
            free_children(writer, run_no, limits)
            release(writer, limits)
            writer.execute(ANSWERED, run_no=run_no)
            writer.touch(run_no)
            return rows.to_lease(writer.read(LEASE, run_no=run_no)[0])

        def settle(reader: Reader) -> list[Lease]:
            leases = [rows.to_lease(row) for row in reader.read(LEASE, run_no=run_no)]
            return [
                each for each in leases if (each.token, each.engine_no) == (after + 1, engine_no)
            ]

        return controlling(self._database, take, settle)

    def release(self, run_no: int, token: int) -> None:
        """Give the run back. Does nothing if the lease isn't the caller's any more."""

        def give(writer: Writer) -> None:
            lock_holder(writer, run_no, token)
            limits = lock_keys(writer, limits_of_children(writer, run_no))
            if give_back(writer, run_no, token) and limits:
                free_children(writer, run_no, limits)
            release(writer, limits)

        controlling(self._database, give)


class SqlMailbox:
    """The port `Mailbox` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, run_no: int, request: RunRequest) -> None:
        """Record a request to the engine that drives the run; lost if no engine does."""
        kind, data = request.kind.value, request.data.decode()

        def add(writer: Writer) -> None:
            writer.execute(_SEND, run_no=run_no, kind=kind, data=data)
            writer.touch(run_no)

        self._database.controlling(add)

    def requests(self, run_no: int) -> Sequence[RunRequest]:
        """Return the requests to the run's present owner, the oldest first."""
        return [rows.to_request(*row) for row in self._database.read(_REQUESTS, run_no=run_no)]

    def inbox(self, engine_no: int) -> Inbox:
        """Return the engine's leases, and the requests to its runs; one query for all of them."""
        tokens: dict[int, int] = {}
        requests: dict[int, list[RunRequest]] = {}
        for run_no, token, kind, data in self._database.read(_INBOX, engine_no=engine_no):
            tokens[run_no] = token
            if kind is not None:
                requests.setdefault(run_no, []).append(rows.to_request(kind, data))
        return Inbox(tokens, requests)
