"""Schedules as they are written in a file: checked part by part, and made data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from functools import partial
from typing import Final, TypeVar

from fanwise.definition.problems import BadValueError, shown
from fanwise.definition.trigger_schema import ScheduleDefinition
from fanwise.triggers.calendar import HORIZON_S, calendar_of
from fanwise.triggers.cron import cron
from fanwise.triggers.local_times import EPOCH, find_zone, instant_of, instants, local_of
from fanwise.triggers.schedules import Schedule

Path = tuple[str | int, ...]
Refuse = Callable[[Path, BadValueError], None]
"""Takes a problem with the part of the schedule at a path."""

ReadDates = Callable[[str, str], Iterable[str]]
"""Gives the dates of a `file` or of the `holidays` of a text. Raises `BadValueError`."""

_T = TypeVar("_T")
_DAY_S: Final = 86_400
_SOME_TIME: Final = 1_767_225_600  # 2026-01-01
_GAPS: Final = 400
_time = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
).fullmatch


def no_dates(_kind: str, _text: str) -> Iterable[str]:
    """Give no dates from elsewhere, where nothing fires."""
    return ()


def read_schedule(
    written: ScheduleDefinition, refuse: Refuse, read_dates: ReadDates = no_dates
) -> Schedule | None:
    """The schedule, or None if anything of it has been refused."""
    problems = 0

    def read(path: Path, make: Callable[[], _T]) -> _T | None:
        nonlocal problems
        try:
            return make()
        except BadValueError as error:
            problems += 1
            refuse(path, error)
            return None

    read(("timezone",), partial(find_zone, written.timezone))
    zone = "UTC" if problems else written.timezone
    for number, text in enumerate(written.cron or ()):
        read(("cron", number), partial(cron, text))
    times = [
        read(("at", number), partial(read_time, text, zone))
        for number, text in enumerate(written.at or ())
    ]
    dates, days, listed = [], [], set[str]()
    for number, (kind, text) in enumerate(written.except_):
        if kind == "date":
            dates.append(read(("except", number), partial(read_date, text)))
        elif kind == "cron":
            days.append(read(("except", number), partial(_whole_days, text)))
        else:
            found = read(("except", number), partial(read_dates, kind, text))
            listed.update(found or ())
    start, until = (
        None if text is None else read((key,), partial(read_time, text, zone))
        for key, text in (("from", written.from_), ("until", written.until))
    )
    every_s = read(("every",), partial(_whole_seconds, written.every, least=1))
    offset_s = read(("offset",), partial(_whole_seconds, written.offset, least=0))
    if problems:
        return None
    schedule = Schedule(
        cron=written.cron or (),
        every_s=every_s or 0,
        offset_s=offset_s or 0,
        at=tuple(sorted({time for time in times if time is not None})),
        timezone=written.timezone,
        start=start,
        until=until,
        except_dates=tuple(sorted(each for each in dates if each)),
        except_days=tuple(each for each in days if each),
        except_listed=tuple(sorted(listed)),
        jitter_s=written.jitter,
    )
    if calendar_of(schedule).next_after(_early(schedule)) is None:
        hint = "Look at its from, until and except, and at days that no month has."
        refuse((), BadValueError("bad-schedule", "never fires", hint=hint))
        return None
    return schedule


def schedule_warnings(
    written: ScheduleDefinition, schedule: Schedule, overlap: str
) -> Iterator[tuple[Path, str, str]]:
    """Doubtful parts of a schedule: the path, a sentence, and what to write."""
    for number, text in enumerate(schedule.cron):
        for message, hint in cron(text).warnings():
            yield ("cron", number), message, hint
    for number, text in enumerate(written.at or ()):
        for message, hint in _doubts_of_time(text, written.timezone):
            yield ("at", number), message, hint
    if schedule.every_s >= _DAY_S:
        yield (
            ("every",),
            "this drifts against the clock where daylight saving begins and ends.",
            'Write a cron expression for a time of day, such as cron: "0 2 * * *".',
        )
    gap = calendar_of(schedule).shortest_gap(_early(schedule), _GAPS) if schedule.jitter_s else None
    if gap is not None and schedule.jitter_s >= gap:
        yield (
            ("jitter",),
            f"this is no less than the shortest time between two fires, {gap} s, and is cut to it.",
            "Make it shorter.",
        )
    if written.catch_up == "all" and overlap == "skip":
        yield (
            ("catch-up",),
            'with overlap "skip" the first of the missed fires is followed by none of the others.',
            "Write catch-up: last, or overlap: queue-all.",
        )


def read_time(text: str, zone: str) -> int:
    """The instant of a text such as `2026-12-01` or `2026-12-01T08:00+01:00`.

    Without an offset it is what a clock in `zone` shows. Raises `BadValueError`.
    """
    found = _time(text)
    try:
        moment = datetime.fromisoformat(text) if found else None
        if moment is not None and 1970 <= moment.year <= 9000:
            if moment.tzinfo is None:
                return instant_of(moment, find_zone(zone))
            return int((moment - EPOCH).total_seconds())
    except ValueError:
        pass
    raise BadValueError(
        "bad-schedule",
        f"takes a time such as 2026-12-01T08:00 or a date, not {shown(text)}",
        hint="Without an offset it is local to the timezone.",
    )


def _doubts_of_time(text: str, zone: str) -> Iterator[tuple[str, str]]:
    """The doubts of a time that the clock, put forward or back, doesn't show once."""
    moment, clock = datetime.fromisoformat(text), find_zone(zone)
    if moment.tzinfo is not None:
        return
    shown_at = instants(moment, clock, fixed=False)
    if not shown_at:
        instead = local_of(instant_of(moment, clock), clock).replace(tzinfo=None)
        yield (
            f"the clock is put forward over this time, and it fires at {instead.isoformat()}.",
            "Write the time that is meant.",
        )
    elif len(shown_at) > 1:
        yield (
            "the clock is put back and shows this time twice, and it fires at the first.",
            f"For the second write {local_of(max(shown_at), clock).isoformat()}.",
        )


def _early(schedule: Schedule) -> float:
    """A time before the first instant, as far as its bounds tell."""
    if schedule.at:
        return schedule.at[0] - 1
    if schedule.start is not None:
        return schedule.start - 1
    return _SOME_TIME if schedule.until is None else schedule.until - HORIZON_S


def read_date(text: str) -> str:
    """The date of a text such as `2026-12-25`, in this form. Raises `BadValueError`."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise BadValueError(
            "bad-schedule", f"takes dates such as 2026-12-25, not {shown(text)}"
        ) from None


def _whole_days(text: str) -> str:
    if not cron(text).names_days:
        raise BadValueError(
            "bad-schedule",
            f'takes expressions of whole days, and "{text}" has a minute or an hour',
            hint='Write "* *" before the day, as in {cron: "* * 24-31 12 *"}.',
        )
    return text


def _whole_seconds(span_s: float | None, *, least: int) -> int:
    if span_s is None:
        return 0
    if span_s != int(span_s) or span_s < least:
        raise BadValueError("bad-schedule", f"takes whole seconds, from {least}s on")
    return int(span_s)
