"""Records of who drives a run or is to drive it, and of requests to that process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    @property
    def name(self) -> str:
        """The words that people know the process by."""
        return f"process {self.pid} on {self.host}"


class RequestKind(StrEnum):
    """Kinds of requests to the engine that drives a run."""

    PAUSE = "pause"
    CANCEL = "cancel"


class RunRequest(msgspec.Struct, frozen=True):
    """A request to the engine that drives a run; `data` is JSON text with more about it."""

    kind: RequestKind
    data: bytes = b"{}"

    @classmethod
    def of(cls, kind: RequestKind, by: str) -> RunRequest:
        """The request of somebody, or of some process."""
        return cls(kind, msgspec.json.encode({"by": by}))

    @property
    def by(self) -> str | None:
        """The asker's name, if it is recorded."""
        by = msgspec.json.decode(self.data).get("by")
        return by if isinstance(by, str) else None


class Inbox(msgspec.Struct, frozen=True):
    """The leases that an engine holds, as tokens by run, and the requests to these runs."""

    tokens: Mapping[int, int]
    requests: Mapping[int, Sequence[RunRequest]]


class Lease(msgspec.Struct, frozen=True):
    """The right of an engine to drive a run, by the store's clock; spans in seconds.

    `token` grows with each owner: the store refuses records that are written with a lower one.
    `engine_no` and `owner` are None once the run was given back. `beats` counts the engine's signs
    of life, of which the last is `silent_s` old. The engine has driven the run for `held_s`, its
    predecessors for `ran_s`.
    """

    run_no: int
    token: int
    engine_no: int | None
    owner: Owner | None
    beats: int = 0
    silent_s: float = 0.0
    held_s: float = 0.0
    ran_s: float = 0.0

    @property
    def is_first(self) -> bool:
        """Say whether nobody else has driven the run before."""
        return self.token == 1
