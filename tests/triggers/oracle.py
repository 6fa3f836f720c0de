"""A slow and obvious cron: it looks at the clock of a zone minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

MINUTE = timedelta(minutes=1)


def seconds(text: str) -> int:
    """The seconds since 1970 of an ISO time, in UTC if it has no offset."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def fires(expression: str, zone: str, after: int, until: int) -> list[int]:
    """All fires after an instant and up to another one, both on a full minute."""
    minute, hour = expression.split()[:2]
    is_fixed = not (minute.startswith("*") or hour.startswith("*"))
    return list((_fixed if is_fixed else _moving)(expression, ZoneInfo(zone), after, until))


def _moving(expression: str, zone: ZoneInfo, after: int, until: int) -> Iterator[int]:
    """Each minute at which the clock shows a time that matches."""
    for instant in range(after + 60, until + 1, 60):
        if _matches(expression, _local(instant, zone)):
            yield instant


def _fixed(expression: str, zone: ZoneInfo, after: int, until: int) -> Iterator[int]:
    """Each minute at which the clock first reaches, or jumps over, times that match."""
    reached = max(_local(each, zone) for each in range(after - 172_800, after + 1, 60))
    for instant in range(after + 60, until + 1, 60):
        local = _local(instant, zone)
        passed = False
        while reached < local:
            reached += MINUTE
            passed = passed or _matches(expression, reached)
        if passed:
            yield instant


@cache
def _local(instant: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None, fold=0)


def _matches(expression: str, local: datetime) -> bool:
    return local in _matching(expression, local.date())


@cache
def _matching(expression: str, day: date) -> frozenset[datetime]:
    """The local times of a day that match."""
    midnight = datetime.combine(day, time())
    upcoming = CronSim(expression, midnight - MINUTE)
    return frozenset(takewhile(lambda each: each.date() == day, upcoming))
