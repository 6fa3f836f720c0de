"""The instants of a schedule: which come next, which came before, and which lie between two.

Daylight saving by one rule, that of Debian's cron. A cron expression is fixed if neither its minute
nor its hour begins with `*`. A fixed one fires once for each local time that matches: at its first
occurrence, and at the end of the gap for all that lie in a gap. Any other fires at every instant at
which the clock shows a time that matches. cronsim matches naive days and minutes; no library is
asked about zones.

Instants are whole seconds since 1970, in windows of one local day each. On nearly all days the
clock is neither put forward nor back, and the window is the day's minutes plus its start.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from math import inf
from typing import Final

from fanwise.triggers.cron import cron
from fanwise.triggers.local_times import day_start, find_zone, instants, is_even, local_of
from fanwise.triggers.schedules import Schedule

_ONE_DAY: Final = timedelta(days=1)
_DAY_S: Final = 86_400
HORIZON_S: Final = 50 * 366 * _DAY_S
"""The span in which a next instant is looked for; after it a schedule never fires."""
_NONE: Final[Sequence[int]] = ()


class Calendar:
    """The instants of one schedule. Made by `calendar_of`, which keeps them."""

    def __init__(self, schedule: Schedule) -> None:
        """Make the calendar. Raises `BadValueError` for a wrong expression or zone."""
        self.schedule = schedule
        self.zone = find_zone(schedule.timezone)
        self._crons = [cron(text) for text in schedule.cron]
        dates = (*schedule.except_dates, *schedule.except_listed)
        self._except_dates = frozenset(map(date.fromisoformat, dates))
        self._except_days = [cron(text) for text in schedule.except_days]
        low, high = self._bounds(-inf, inf)
        self._at = [
            at for at in schedule.at if low < at < high and not self._is_excepted(self._date(at))
        ]

    def next_after(self, after: float) -> int | None:
        """The first instant after another one, or None if there is none within 50 years."""
        for window in self.windows(after, self._horizon(after)):
            return window[0]
        return None

    def last_before(self, before: float) -> int | None:
        """The last instant before another one, or None if there is none within 50 years."""
        low, high = self._bounds(before - HORIZON_S, before)
        if self.schedule.at:
            earlier = self._at[: bisect_left(self._at, before)]
            return earlier[-1] if earlier else None
        if low >= high:
            return None
        day, end = self._date(high) + _ONE_DAY, self._date(low) - _ONE_DAY
        while day >= end:
            window = self._window(day)
            window = window[bisect_right(window, low) : bisect_left(window, high)]
            if window:
                return window[-1]
            day -= _ONE_DAY
        return None

    def windows(self, after: float, until: float) -> Iterator[Sequence[int]]:
        """The instants after one and up to another one, ascending, a local day's at a time."""
        low, high = self._bounds(after, until + 1)
        if self.schedule.at:
            if listed := self._at[bisect_right(self._at, after) : bisect_right(self._at, until)]:
                yield listed
            return
        if low >= high:
            return
        day, end = self._date(low) - _ONE_DAY, self._date(high) + _ONE_DAY
        while day <= end:
            window = self._window(day)
            if window:
                window = window[bisect_right(window, low) : bisect_right(window, until)]
                window = window[: bisect_left(window, high)]
            if window:
                yield window
            day += _ONE_DAY

    def fire_time(self, seed: str, nominal: int) -> float:
        """The nominal time plus its jitter, which is the same on each machine for one `seed`.

        It stays below the gap to the next instant, so that fires keep their order.
        """
        most_s = self.schedule.jitter_s
        if not most_s:
            return nominal
        following = self.next_after(nominal)
        if following is not None:
            most_s = min(most_s, following - nominal)
        drawn = hashlib.sha256(f"{seed}\n{nominal}".encode()).digest()
        return nominal + int.from_bytes(drawn[:6]) / 2**48 * most_s

    def shortest_gap(self, after: float, count: int) -> int | None:
        """The shortest gap between the next `count` instants; None if there is only one of them."""
        found: list[int] = []
        for window in self.windows(after, self._horizon(after)):
            found += window[: count - len(found)]
            if len(found) == count:
                break
        return min((second - first for first, second in pairwise(found)), default=None)

    def _bounds(self, low: float, high: float) -> tuple[float, float]:
        """The open interval from `low` to `high`, cut to the schedule's own bounds."""
        schedule = self.schedule
        if schedule.start is not None:
            low = max(low, schedule.start - 1)
        if schedule.until is not None:
            high = min(high, schedule.until)
        return low, high

    def _horizon(self, after: float) -> float:
        """The last instant at which the next one after another is looked for."""
        if self._at:
            return self._at[-1]
        return max(after, self.schedule.start or after) + HORIZON_S

    def _date(self, instant: float) -> date:
        return local_of(instant, self.zone).date()

    def _window(self, day: date) -> Sequence[int]:
        """All instants from the start of a local day to the start of the next, ascending."""
        if self._crons:
            return self._cron_window(day)
        start, end = day_start(day, self.zone), day_start(day + _ONE_DAY, self.zone)
        every_s, offset_s = self.schedule.every_s, self.schedule.offset_s
        return self._allowed(day, range(start + (offset_s - start) % every_s, end, every_s))

    def _cron_window(self, day: date) -> Sequence[int]:
        around = (day - _ONE_DAY, day, day + _ONE_DAY)
        if not any(each.matches_day(near) for each in self._crons for near in around):
            return _NONE
        if is_even(day, self.zone):
            start = day_start(day, self.zone)
            minutes = _union(tuple(each.minutes for each in self._crons if each.matches_day(day)))
            return self._allowed(day, [start + 60 * minute for minute in minutes])
        # The clock is put forward or back: the day before may end in a gap at this day's start,
        # and show its last hour again after it.
        start, end = day_start(day, self.zone), day_start(day + _ONE_DAY, self.zone)
        found = {
            instant
            for each in self._crons
            for near in around
            if each.matches_day(near)
            for minute in each.minutes
            for instant in instants(
                datetime.combine(near, time()) + timedelta(minutes=minute),
                self.zone,
                fixed=each.is_fixed,
            )
            if start <= instant < end
        }
        return self._allowed(day, sorted(found))

    def _allowed(self, day: date, window: Sequence[int]) -> Sequence[int]:
        """The instants of a day's window whose local date isn't excepted."""
        if not (self._except_dates or self._except_days):
            return window
        if is_even(day, self.zone):
            return _NONE if self._is_excepted(day) else window
        return [each for each in window if not self._is_excepted(self._date(each))]

    def _is_excepted(self, day: date) -> bool:
        return day in self._except_dates or any(each.matches_day(day) for each in self._except_days)


@lru_cache(maxsize=1024)
def calendar_of(schedule: Schedule) -> Calendar:
    """The calendar of a schedule, made once. Raises `BadValueError`."""
    return Calendar(schedule)


@lru_cache(maxsize=256)
def _union(days: tuple[Sequence[int], ...]) -> Sequence[int]:
    return days[0] if len(days) == 1 else sorted({minute for each in days for minute in each})
