"""The leases of runs in a database: the port `Control`, and the check of a commit's tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fanwise.errors import LeaseLostError
from fanwise.model import Lease, Owner, RunRequest
from fanwise.stores import rows
from fanwise.stores.database import Database, Writer
from fanwise.stores.rows import SqlValue

LEASE: Final = (
    "SELECT run_no, token, owner, taken_at, beat_at, ran_s, request FROM leases"
    " WHERE run_no = :run_no"
)
_HELD: Final = "run_no = :run_no AND token = :token AND owner IS NOT NULL"
_TOKEN: Final = "SELECT token FROM leases WHERE run_no = :run_no FOR SHARE"
_FIRST: Final = (
    "INSERT INTO leases (run_no, token, owner, taken_at, beat_at, ran_s)"
    " SELECT run_no, 1, :owner, :now, :now, 0.0 FROM runs WHERE run_no = :run_no"
    " ON CONFLICT (run_no) DO NOTHING"
)
_TAKE: Final = (
    "UPDATE leases SET token = token + 1, owner = :owner, ran_s = ran_s + beat_at - taken_at,"
    " taken_at = :now, beat_at = :now, request = NULL WHERE run_no = :run_no AND token = :token"
)
_RENEW: Final = f"UPDATE leases SET beat_at = :now WHERE {_HELD}"
_RELEASE: Final = f"UPDATE leases SET beat_at = :now, owner = NULL WHERE {_HELD}"
_REQUEST: Final = (
    "UPDATE leases SET request = :request"
    " WHERE run_no = :run_no AND coalesce(request, '') != 'cancel'"
)
DELETE_LEASE: Final = "DELETE FROM leases WHERE run_no = :run_no"


def require_tokens(writer: Writer, tokens: Mapping[int, int], place: str) -> None:
    """Raise `LeaseLostError` unless each run's lease has this fencing token, until the commit."""
    for run_no, token in tokens.items():
        if writer.read(_TOKEN, run_no=run_no) != [(token,)]:
            raise LeaseLostError(
                f"{place}: another process has taken run number {run_no} over.", run_no=run_no
            )


class SqlControl:
    """The port `Control` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(self, run_no: int) -> Lease | None:
        """The run's lease, or None if nobody has ever driven it."""
        found = self._database.read(LEASE, run_no=run_no)
        return rows.to_lease(found[0]) if found else None

    def acquire(self, run_no: int, owner: Owner, now: float, *, after: int = 0) -> Lease | None:
        """Take the run from the lease with the token `after`; see `Control.acquire`."""
        values: dict[str, SqlValue] = {
            "run_no": run_no,
            "owner": rows.from_owner(owner),
            "now": now,
        }
        with self._database.controlling() as writer:
            if after:
                is_taken = writer.change(_TAKE, **values, token=after)
            else:
                is_taken = writer.change(_FIRST, **values)
            return rows.to_lease(writer.read(LEASE, run_no=run_no)[0]) if is_taken else None

    def renew(self, run_no: int, token: int, now: float) -> Lease | None:
        """Record that the owner is there. None, if the lease isn't the caller's any more."""
        with self._database.controlling() as writer:
            if not writer.change(_RENEW, run_no=run_no, token=token, now=now):
                return None
            return rows.to_lease(writer.read(LEASE, run_no=run_no)[0])

    def release(self, run_no: int, token: int, now: float) -> None:
        """Give the run back. Does nothing if the lease isn't the caller's any more."""
        with self._database.controlling() as writer:
            writer.execute(_RELEASE, run_no=run_no, token=token, now=now)

    def request(self, run_no: int, request: RunRequest) -> None:
        """Record a request for the owner. A cancellation isn't taken back."""
        with self._database.controlling() as writer:
            writer.execute(_REQUEST, run_no=run_no, request=request.value)
