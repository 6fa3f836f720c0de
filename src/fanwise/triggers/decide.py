"""The decision of what becomes of a schedule's instants that are due. Pure: it reads no clock.

An instant is decided once: `decide` takes those after the cursor, and moves the cursor over them.
The caller does so inside the transaction that writes the fires and moves the cursor, with the
trigger's open runs as that transaction sees them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from fanwise.model import FireStatus
from fanwise.triggers.calendar import Calendar, calendar_of
from fanwise.triggers.local_times import iso_utc
from fanwise.triggers.overlap import MOST_HELD, REPLACED, Admission, OpenRun, Overlap
from fanwise.triggers.schedules import Schedule

ON_TIME_S: Final = 60.0
"""A fire that is later than this has been missed."""
MOST_CAUGHT_UP: Final = 100


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
    schedule = _changed(spec.schedule)
    schedule.pop("except_listed", None)
    settings = {**_changed(spec), "schedule": schedule}
    encoded = msgspec.json.encode(settings, order="sorted")
    return hashlib.sha256(encoded).hexdigest()[:16]


def _changed(record: msgspec.Struct) -> dict[str, object]:
    """The fields of a record that differ from their defaults."""
    fields = msgspec.structs.fields(record)
    values = ((each.name, getattr(record, each.name), each.default) for each in fields)
    return {name: value for name, value, default in values if value != default}


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
    admission = Admission(spec.overlap, open_runs, most_held)
    fires = [_admitted(admission, at, is_catch_up=True) for at in due.late]
    fires += [_admitted(admission, at, is_catch_up=False) for at in due.on_time]
    missed = () if due.missed is None else (due.missed,)
    following = calendar.next_after(due.cursor)
    return Decision(
        fires=(*missed, *_settled(admission, fires)),
        cursor=due.cursor,
        replaces=tuple(admission.replaces),
        cancels=tuple(admission.cancels),
        next_at=None if following is None else calendar.fire_time(spec.seed, following),
    )


def _admitted(admission: Admission, at: int, *, is_catch_up: bool) -> Fire:
    """The fire of an instant."""
    key = fire_key(at)
    verdict = admission.admit(key)
    return Fire(
        key=key,
        at=at,
        first=at,
        status=verdict.status,
        reason=verdict.reason,
        is_catch_up=is_catch_up,
        is_held=verdict.is_held,
    )


def _settled(admission: Admission, fires: Sequence[Fire]) -> Iterator[Fire]:
    """The fires, without runs for those that a later one of the same decision replaced."""
    for fire in fires:
        if fire.status is FireStatus.RAN and admission.is_superseded(fire.key):
            status = FireStatus.REPLACED
            yield msgspec.structs.replace(fire, status=status, reason=REPLACED, is_held=False)
        else:
            yield fire


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
