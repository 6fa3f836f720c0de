"""Records of who drives a run, and of requests to that process."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

LEASE_S: Final = 15.0
"""For how long a lease holds without a word of its owner, if nothing else is asked for."""


class Owner(msgspec.Struct, frozen=True):
    """A process that drives runs. No two are the same, also not after a reboot.

    `machine` names the running system that `pid` counts in, and changes when it is restarted;
    `started` is when the process was, in that system's own terms; `token` is drawn by chance.
    `lease_s` is for how long its leases hold without a word of it, if nothing else is known of it.
    """

    host: str
    machine: str
    pid: int
    started: str
    token: str
    lease_s: float = LEASE_S


class RunRequest(StrEnum):
    """A request of another process to the one that drives a run."""

    PAUSE = "pause"
    CANCEL = "cancel"


class Lease(msgspec.Struct, frozen=True):
    """The right to drive a run, and its present or last owner.

    `token` grows with each owner: the store refuses whatever is written with a lower one. `owner`
    is None once the run was given back. `beat_at` is when the owner last said that it is there, and
    `ran_s` for how long the run was driven by those before.
    """

    run_no: int
    token: int
    owner: Owner | None
    taken_at: float
    beat_at: float
    ran_s: float = 0.0
    request: RunRequest | None = None
