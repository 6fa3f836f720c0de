"""Records of triggers: how far each of them is decided, and its fires."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from fanwise.model.queues import Submission
from fanwise.model.records import RunRecord
from fanwise.model.results import Status


class FireStatus(StrEnum):
    """The end of an instant or an event, or of several at once that were missed.

    One that `ran` has made a run. One that is `held` makes its run once others have ended.
    """

    RAN = "ran"
    HELD = "held"
    SKIPPED = "skipped"
    REPLACED = "replaced"
    MISSED = "missed"
    REFUSED = "refused"
    FAILED = "failed"


class TriggerState(msgspec.Struct, frozen=True):
    """A trigger as recorded. One that was never seen has the turn 0.

    All instants up to `cursor` are decided, for the settings that `fingerprint` stands for. Each
    change of a trigger is a turn. `next_at` is when it is to be decided again, if that is known,
    and `last_at` the time of its last fire, which ended as `last_status`. Since `paused_at` it has
    been paused, with a `note`. With `has_held` some of its fires are held. `batches` are those in
    which arrivals gather, as JSON text, and with `has_arrivals` some are to be decided.
    """

    workflow: str
    name: str
    turn: int = 0
    fingerprint: str = ""
    cursor: float = 0.0
    next_at: float | None = None
    paused_at: float | None = None
    note: str = ""
    last_at: float | None = None
    last_status: FireStatus | None = None
    has_held: bool = False
    batches: bytes | None = None
    has_arrivals: bool = False


class OpenFire(msgspec.Struct, frozen=True):
    """A fire that is held, or one whose run isn't over. `facts` are those of one that is held."""

    key: str
    at: float
    run_id: str | None = None
    run_status: Status | None = None
    facts: bytes | None = None


class NewFire(msgspec.Struct, frozen=True, kw_only=True):
    """A fire to be recorded with its run, or once more one that was held.

    It stands for `n` instants or arrivals, from `first` to `at`. Those of the `batch` are decided
    with it, and become the events of the run if it `has_events`.
    """

    key: str
    at: float
    first: float
    status: FireStatus
    n: int = 1
    reason: str = ""
    facts: bytes | None = None
    run: RunRecord | None = None
    place: Submission = Submission()
    batch: int | None = None
    has_events: bool = False


DROPPED: Final = 0
"""The number of the batch of arrivals that are decided without one."""


class TriggerTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a trigger, decided on its state at `turn`; None is any state.

    Without a `cursor` the trigger stays decided as far as it is. `cancels` are ids of runs.
    `listens` are the names of events that are delivered to it from now on, `sorted` the batches of
    arrivals by their numbers, and `batches` is the trigger's state of these; None changes nothing.
    """

    workflow: str
    name: str
    turn: int | None = None
    cursor: float | None = None
    fingerprint: str = ""
    next_at: float | None = None
    fires: tuple[NewFire, ...] = ()
    cancels: tuple[str, ...] = ()
    listens: tuple[str, ...] | None = None
    batches: bytes | None = None
    sorted: tuple[tuple[int, int], ...] = ()


class FireRecord(msgspec.Struct, frozen=True):
    """A fire as recorded, at `fired_at` by the store's clock."""

    fire_no: int
    key: str
    at: float
    first: float
    n: int
    status: FireStatus
    reason: str
    run_id: str | None
    fired_at: float
