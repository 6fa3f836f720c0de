"""Local times: when a clock in a time zone shows them.

Instants are whole seconds since 1970. A local time is shown once, twice when the clock goes back,
or never when it goes forward over it (a gap).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from fanwise.definition.problems import BadValueError, shown
from fanwise.zones import zone as zone_named

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_ONE_DAY: Final = timedelta(days=1)
_is_offset = re.compile(r"(UTC|GMT|Z)?\s*[+-]\d{1,2}(:?\d{2})?", re.ASCII).fullmatch


def find_zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises `BadValueError`."""
    try:
        return zone_named(name)
    except ValueError as error:
        hint = str(error)
    if _is_offset(name):
        hint = "A fixed offset would hide daylight saving. Name the zone of a city."
    raise BadValueError(
        "bad-schedule",
        f"takes the IANA name of a time zone, such as Europe/Berlin, not {shown(name)}",
        hint=hint,
    )


def local_of(instant: float, zone: ZoneInfo) -> datetime:
    """The local time that a clock in `zone` shows at an instant, with its zone."""
    return (EPOCH + timedelta(seconds=instant)).astimezone(zone)


def offset_at(instant: int, zone: ZoneInfo) -> timedelta:
    """The zone's offset to UTC at an instant."""
    offset = local_of(instant, zone).utcoffset()
    assert offset is not None
    return offset


def instants(local: datetime, zone: ZoneInfo, *, fixed: bool) -> set[int]:
    """The instants of a naive local time: each at which the clock shows it, or one if `fixed`.

    A fixed local time is the first of them, and the end of the gap that it lies in.
    """
    first, second = (
        (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) - EPOCH) // _SECOND
        for fold in (0, 1)
    )
    if first <= second:
        return {first} if fixed else {first, second}
    if not fixed:
        return set()
    low, high, after = second, first, offset_at(first, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if offset_at(middle, zone) == after else (middle, high)
    return {high}


def instant_of(local: datetime, zone: ZoneInfo) -> int:
    """The first instant at which the clock shows a naive local time, or has passed it."""
    (found,) = instants(local, zone, fixed=True)
    return found


@lru_cache(maxsize=4096)
def day_start(day: date, zone: ZoneInfo) -> int:
    """The instant at which a local day begins."""
    return instant_of(datetime.combine(day, time()), zone)


@lru_cache(maxsize=4096)
def is_even(day: date, zone: ZoneInfo) -> bool:
    """True if the clock isn't put forward or back during the day, nor at its start."""
    start = day_start(day, zone)
    is_whole = day_start(day + _ONE_DAY, zone) - start == _ONE_DAY // _SECOND
    return is_whole and offset_at(start - 1, zone) == offset_at(start, zone)


def iso_utc(instant: int) -> str:
    """An instant as text, such as `2026-11-29T01:00:00Z`."""
    return (EPOCH + timedelta(seconds=instant)).strftime("%Y-%m-%dT%H:%M:%SZ")
