"""Who drives a run at this moment, and what that means for its status. Only reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from weft.model import Lease, RunRecord, Status

if TYPE_CHECKING:
    from weft.ports import Control

INTERRUPTED = "interrupted"
"""What a run is called that isn't over or paused, and that nobody drives any more."""


def driving_lease(control: Control, record: RunRecord) -> Lease | None:
    """The lease of whoever drives the run at this moment, or None."""
    from weft.engine.lease import is_driven
    from weft.system import SystemProcesses

    lease = control.lease(record.run_no)
    return lease if is_driven(lease, time.time(), SystemProcesses()) else None


def shown_status(control: Control, record: RunRecord) -> str:
    """The run's status as people see it: a `Status`, or `INTERRUPTED`."""
    is_open = record.status in (Status.PENDING, Status.RUNNING)
    return INTERRUPTED if is_open and driving_lease(control, record) is None else record.status


def driving_fact(control: Control, record: RunRecord, way_on: str) -> str | None:
    """Who drives the run, or how to go on with one that nobody drives, in one line."""
    if record.status not in (Status.PENDING, Status.RUNNING):
        return None
    lease = driving_lease(control, record)
    if lease is None or lease.owner is None:
        return f"Interrupted: no process drives it any more. Go on with: {way_on}"
    asked = f", and asked to {lease.request.value}" if lease.request else ""
    return f"Driven by: process {lease.owner.pid} on {lease.owner.host}{asked}"
