"""Previews of schedules: their next instants, and what daylight saving makes of each."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice

import msgspec

from fanwise.triggers.calendar import Calendar, calendar_of
from fanwise.triggers.cron import cron
from fanwise.triggers.decide import Scheduled
from fanwise.triggers.local_times import instants, is_even, local_of

_ONE_DAY = timedelta(days=1)


class Upcoming(msgspec.Struct, frozen=True):
    """An instant at which a trigger fires, by its nominal time.

    `local` is what the clock of its zone shows then. `instead_of` are the local times that lie in a
    gap and fire here. `is_second` says that the clock shows this time for the second time.
    """

    trigger: Scheduled
    at: int
    local: datetime
    instead_of: tuple[datetime, ...] = ()
    is_second: bool = False


def upcoming(triggers: Sequence[Scheduled], first: float, count: int) -> list[Upcoming]:
    """The next fires of all triggers together, from `first` on."""
    each = (_instants(trigger, number, first) for number, trigger in enumerate(triggers))
    return [_upcoming(triggers[number], at) for at, number in islice(heapq.merge(*each), count)]


def _instants(trigger: Scheduled, number: int, first: float) -> Iterator[tuple[int, int]]:
    """The trigger's instants, each with its number, which decides between equal ones."""
    calendar = calendar_of(trigger.schedule)
    at = calendar.next_after(first - 1)
    while at is not None:
        yield at, number
        at = calendar.next_after(at)


def _upcoming(trigger: Scheduled, at: int) -> Upcoming:
    calendar = calendar_of(trigger.schedule)
    local = local_of(at, calendar.zone)
    return Upcoming(
        trigger,
        at,
        local,
        instead_of=tuple(_put_off(calendar, at, local)),
        is_second=bool(local.fold) and not is_even(local.date(), calendar.zone),
    )


def _put_off(calendar: Calendar, at: int, local: datetime) -> Iterator[datetime]:
    """The local times of a gap, if it ends at this instant and expressions name them."""
    day = local.date()
    if is_even(day, calendar.zone):
        return
    shown = local.replace(tzinfo=None, fold=0)
    named = {time for near in (day - _ONE_DAY, day) for time in _named(calendar, near)}
    for each in sorted(named):
        if each != shown and instants(each, calendar.zone, fixed=True) == {at}:
            yield each


def _named(calendar: Calendar, day: date) -> Iterator[datetime]:
    """The local times of a day that fixed expressions name."""
    for expression in map(cron, calendar.schedule.cron):
        if expression.is_fixed and expression.matches_day(day):
            for minute in expression.minutes:
                yield datetime.combine(day, time()) + timedelta(minutes=minute)
