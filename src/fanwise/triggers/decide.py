"""The decision of what becomes of a schedule's instants that are due. Pure: it reads no clock.

An instant is decided once: `decide` takes those after the cursor, and moves the cursor over them.
The caller does so inside the transaction that writes the fires and moves the cursor, with the
trigger's open runs as that transaction sees them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from fanwise.model import FireStatus, Status
from fanwise.triggers.calendar import Calendar, calendar_of
from fanwise.triggers.local_times import iso_utc
from fanwise.triggers.schedules import Schedule

ON_TIME_S: Final = 60.0
"""A fire that is later than this has been missed."""
MOST_CAUGHT_UP: Final = 100
MOST_HELD: Final = 10_000


class Overlap(StrEnum):
    """The choices for a fire while a run of its trigger is open."""

    SKIP = "skip"
    QUEUE = "queue"
    QUEUE_ALL = "queue-all"
    CANCEL = "cancel"
    ALLOW = "allow"


class CatchUp(StrEnum):
    """The choices of the missed instants that fire after all."""

    LAST = "last"
    SKIP = "skip"
    ALL = "all"


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger with a schedule. `within_s` is the age up to which a missed instant still fires."""

    workflow: str
    name: str
    schedule: Schedule
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    within_s: float = 86_400.0

    @property
    def seed(self) -> str:
        """The text from which jitter is drawn."""
        return f"{self.workflow}/{self.name}"

    @property
    def fingerprint(self) -> str:
        """A hash of all of it: another one means that it was edited.

        Defaults are left out, so that a later version with more settings has the same.
        """
        return _fingerprint(self)


@lru_cache(maxsize=16_384)  # a clock asks for that of each trigger each second
def _fingerprint(spec: Scheduled) -> str:
    settings = {**_changed(spec), "schedule": _changed(spec.schedule)}
    encoded = msgspec.json.encode(settings, order="sorted")
    return hashlib.sha256(encoded).hexdigest()[:16]


def _changed(record: msgspec.Struct) -> dict[str, object]:
    """The fields of a record that differ from their defaults."""
    fields = msgspec.structs.fields(record)
    values = ((each.name, getattr(record, each.name), each.default) for each in fields)
    return {name: value for name, value, default in values if value != default}


class OpenRun(msgspec.Struct, frozen=True):
    """A run of the trigger that isn't over. `is_held` says that it waits for others to end."""

    id: str
    status: Status
    is_held: bool = False


class Fire(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one instant (`at`), or of `n` from `first` to `at`, under a unique `key`.

    A fire that `ran` makes a run, which waits for the trigger's other runs to end if `is_held`.
    """

    key: str
    at: int
    status: FireStatus
    n: int = 1
    first: int
    reason: str = ""
    is_catch_up: bool = False
    is_held: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The fires in order, and what else the transaction does.

    `replaces` are held runs that a newer fire takes the place of, and `cancels` runs to cancel.
    `next_at` is the time to decide again, or None if the schedule is over.
    """

    fires: tuple[Fire, ...]
    cursor: float
    replaces: tuple[str, ...] = ()
    cancels: tuple[str, ...] = ()
    next_at: float | None = None


class Cursor(msgspec.Struct, frozen=True):
    """Up to where a trigger's instants are decided, and the fingerprint that it had then."""

    at: float
    fingerprint: str


def cursor_of(spec: Scheduled, known: Cursor | None, now: float) -> Cursor:
    """The cursor to decide from: a new or edited trigger counts from now."""
    if known is not None and known.fingerprint == spec.fingerprint:
        return known
    return Cursor(now, spec.fingerprint)


def fire_key(at: int) -> str:
    """The unique key of a scheduled fire. Its form never changes, or instants would fire again."""
    return f"schedule:{iso_utc(at)}"


def decide(
    spec: Scheduled,
    cursor: float,
    now: float,
    open_runs: Sequence[OpenRun],
    *,
    most_caught_up: int = MOST_CAUGHT_UP,
    most_held: int = MOST_HELD,
) -> Decision:
    """Decide all instants after `cursor` that are due at `now`, oldest first."""
    calendar = calendar_of(spec.schedule)
    due = _due(spec, calendar, cursor, now, most_caught_up)
    admission = _Admission(spec.overlap, open_runs, most_held)
    fires = [] if due.missed is None else [due.missed]
    fires += [admission.admit(at, is_catch_up=True) for at in due.late]
    fires += [admission.admit(at, is_catch_up=False) for at in due.on_time]
    following = calendar.next_after(due.cursor)
    return Decision(
        fires=tuple(admission.settled(fires)),
        cursor=due.cursor,
        replaces=tuple(admission.replaces),
        cancels=tuple(admission.cancels),
        next_at=None if following is None else calendar.fire_time(spec.seed, following),
    )


class _Due(msgspec.Struct):
    late: Sequence[int]
    on_time: Sequence[int]
    missed: Fire | None
    cursor: float


def _due(
    spec: Scheduled, calendar: Calendar, cursor: float, now: float, most_caught_up: int
) -> _Due:
    """The instants that fire, and those that don't as one row."""
    count, first = 0, None
    # As many as can be on time, at one a second, and one that jitter holds back.
    newest: deque[int] = deque(maxlen=most_caught_up + int(ON_TIME_S) + 3)
    for window in calendar.windows(cursor, now):
        first = window[0] if first is None else first
        count += len(window)
        newest.extend(window[-(newest.maxlen or 0) :])
    if newest and calendar.fire_time(spec.seed, newest[-1]) > now:
        newest.pop()
        count -= 1
    if first is None or not count:
        return _Due([], [], None, cursor)
    on_time = [at for at in newest if now - calendar.fire_time(spec.seed, at) <= ON_TIME_S]
    late = list(newest)[: len(newest) - len(on_time)]
    caught_up = _caught_up(spec, late, bool(on_time), now, most_caught_up)
    missed = None
    if n := count - len(on_time) - len(caught_up):
        last = late[len(late) - len(caught_up) - 1]
        missed = _missed(spec, n, first, last, bool(on_time))
    return _Due(caught_up, on_time, missed, newest[-1])


def _caught_up(
    spec: Scheduled, late: Sequence[int], any_on_time: bool, now: float, most: int
) -> Sequence[int]:
    """The newest of the late instants that fire after all."""
    if spec.catch_up is CatchUp.SKIP or (spec.catch_up is CatchUp.LAST and any_on_time):
        return []
    most = 1 if spec.catch_up is CatchUp.LAST else most
    return [at for at in late[len(late) - min(most, len(late)) :] if now - at <= spec.within_s]


def _missed(spec: Scheduled, n: int, first: int, last: int, any_on_time: bool) -> Fire:
    why = f"they were older than {spec.within_s:g} s, or too many"
    if spec.catch_up is CatchUp.SKIP:
        why = "catch-up is skip"
    elif spec.catch_up is CatchUp.LAST:
        why = "one on time stands for them" if any_on_time else "at most the newest is caught up"
    return Fire(
        key=f"missed:{iso_utc(last)}",
        at=last,
        status=FireStatus.MISSED,
        n=n,
        first=first,
        reason=f"late by more than {ON_TIME_S:g} s, and {why}",
    )


class _Admission:
    """Decides by a trigger's overlap, fire by fire, counting those that it has admitted."""

    def __init__(self, overlap: Overlap, open_runs: Sequence[OpenRun], most_held: int) -> None:
        self.replaces: list[str] = []
        self.cancels: list[str] = []
        self._overlap = overlap
        self._most_held = most_held
        self._active = [run for run in open_runs if not run.is_held]
        self._held = [run.id for run in open_runs if run.is_held]
        self._started: list[int] = []
        """Instants of this decision whose runs start at once."""
        self._waiting: list[int] = []
        """Instants of this decision whose runs wait for others to end."""
        self._superseded: set[int] = set()

    def admit(self, at: int, *, is_catch_up: bool) -> Fire:
        """The fire of an instant."""
        refusal = self._refusal()
        if refusal is None:
            self._make_way()
            is_held = self._is_blocked() and self._overlap is not Overlap.ALLOW
            (self._waiting if is_held else self._started).append(at)
        status, reason = refusal or (FireStatus.RAN, "")
        return Fire(
            key=fire_key(at),
            at=at,
            first=at,
            status=status,
            reason=reason,
            is_catch_up=is_catch_up,
            is_held=refusal is None and is_held,
        )

    def settled(self, fires: Sequence[Fire]) -> Sequence[Fire]:
        """The fires, without runs for those that a later one of the same decision replaced."""
        return [
            msgspec.structs.replace(
                fire,
                status=FireStatus.REPLACED,
                reason="a newer fire has taken its place",
                is_held=False,
            )
            if fire.status is FireStatus.RAN and fire.at in self._superseded
            else fire
            for fire in fires
        ]

    def _is_blocked(self) -> bool:
        return bool(self._active or self._held or self._started or self._waiting)

    def _refusal(self) -> tuple[FireStatus, str] | None:
        """The reason why the next fire makes no run, or None if it makes one."""
        if self._overlap is Overlap.SKIP and self._is_blocked():
            return FireStatus.SKIPPED, self._blocked_by()
        held = len(self._held) + len(self._waiting)
        if self._overlap is Overlap.QUEUE_ALL and held >= self._most_held:
            return FireStatus.REFUSED, f"{held} runs of the trigger wait already"
        return None

    def _make_way(self) -> None:
        """Take the place of runs that wait, if one alone may, or that are to be cancelled."""
        if self._overlap not in (Overlap.QUEUE, Overlap.CANCEL):
            return
        self.replaces += self._held
        self._superseded.update(self._waiting)
        self._held, self._waiting = [], []
        if self._overlap is Overlap.CANCEL:
            self.cancels = [run.id for run in self._active]
            self._superseded.update(self._started)
            self._started = []

    def _blocked_by(self) -> str:
        if self._active:
            return f"run {self._active[0].id} is {self._active[0].status}"
        if self._held:
            return f"run {self._held[0]} waits"
        return "an earlier instant has fired at the same time"
