"""Records of triggers: how far each of them is decided, and its fires."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from fanwise.model.files import SeenFile
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
    been paused, with a `note`. With `has_held` some of its fires are held. It has taken up the ends
    of runs to number `taken_to`; `trouble` is what is wrong with its folder. `batches` are those in
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
    taken_to: int = 0
    trouble: str = ""
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

    Without a `cursor` the trigger stays decided as far as it is. `cancels` are ids of runs. `files`
    have changed by their paths, of which None is forgotten; with `forgets_files` all that aren't
    among them are. `taken_to` and `trouble` stay as they are if they are None, and so do `listens`,
    the names of events that are delivered to it from now on, and `batches`. `sorted` are arrivals
    with the numbers of their batches.
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
    taken_to: int | None = None
    trouble: str | None = None
    files: Mapping[str, SeenFile | None] = {}
    forgets_files: bool = False


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
