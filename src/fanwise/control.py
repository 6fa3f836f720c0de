"""The owner of a run, and requests to its owner: the use of leases and mailboxes by all faces."""

from __future__ import annotations

from typing import Final, Protocol

from fanwise.engine.lease import is_driven
from fanwise.errors import RunOverError
from fanwise.model import Lease, RequestKind, RunRecord, RunRequest, Status
from fanwise.ports import Mailbox, Ownership
from fanwise.system import SystemProcesses

LOOK_S: Final = 0.1
"""Seconds between two looks at whether an owner has released its run."""

_DRIVEN_STATUSES: Final = frozenset({Status.PENDING, Status.RUNNING})


def driving_lease(ownership: Ownership, record: RunRecord) -> Lease | None:
    """The lease of the process that drives the run at this moment, or None. May block."""
    lease = ownership.lease(record.run_no)
    return lease if is_driven(lease, SystemProcesses()) else None


def is_interrupted(ownership: Ownership, record: RunRecord) -> bool:
    """True if the run is recorded as in progress, and no process drives it. May block."""
    return record.status in _DRIVEN_STATUSES and driving_lease(ownership, record) is None


class Requests(Ownership, Mailbox, Protocol):
    """The ports that a request to a run's owner needs."""


def require_open(record: RunRecord) -> None:
    """Raise `RunOverError` if the run is over."""
    if record.status.is_final:
        raise RunOverError(
            f"run {record.id} is over: it has {record.status.value}.",
            run_id=record.id,
            status=record.status,
            hint=f"Look at it with: fanwise show {record.id}",
        )


def ask(store: Requests, record: RunRecord, kind: RequestKind) -> bool:
    """Ask the run's owner to pause or cancel it; False if no process drives it. May block."""
    if driving_lease(store, record) is None:
        return False
    store.send(record.run_no, RunRequest(kind))
    return True
