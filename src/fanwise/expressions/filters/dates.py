"""Filters on dates: texts as ISO 8601, such as "2026-03-05" and "2026-03-05T08:30:00+00:00".

A date has a time of day or none, and an offset or none; without one it is taken as UTC, or as the
time in a zone that is named. Nothing here reads a clock, the machine's time zone or its language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fanwise.expressions.budget import Budget
from fanwise.expressions.filters.texts import text_of
from fanwise.expressions.flow import Undefined, kind
from fanwise.expressions.refusal import EvaluationError
from fanwise.zones import zone

_LONGEST = 100
"""Characters of a date or of a format."""

_STEPS = 30
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class _Moment(NamedTuple):
    at: datetime
    has_time: bool

    def __str__(self) -> str:
        return self.at.isoformat() if self.has_time else self.at.date().isoformat()


def date_(budget: Budget, value: object, format: str | None = None, tz: str | None = None) -> str:
    """The date as ISO 8601, read from text of that format, from ISO 8601 or from seconds."""
    budget.step(_STEPS)
    return str(_in_zone(_moment(value) if format is None else _parsed(value, format), tz))


def strftime(budget: Budget, value: object, format: str, tz: str | None = None) -> str:
    """The date written in that format."""
    budget.step(_STEPS + len(text_of(format)))
    at = _in_zone(_moment(value), tz).at
    return _DIRECTIVE.sub(lambda found: _written(found[1], at), _short(format))


def shift(
    budget: Budget,
    value: object,
    *,
    months: int = 0,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
) -> str:
    """The date so much later, or earlier where the numbers are negative."""
    budget.step(_STEPS)
    at, has_time = _moment(value)
    try:
        count = at.year * 12 + at.month - 1 + months
        first = at.replace(year=count // 12, month=count % 12 + 1, day=1)
        at = first.replace(day=min(at.day, _last_day(first)))
        at += timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except (OverflowError, ValueError):
        raise _beyond() from None
    return str(_Moment(at, has_time or bool(at.hour or at.minute or at.second or at.microsecond)))


def timestamp(budget: Budget, value: object) -> int | float:
    """The seconds from 1970 to the date."""
    budget.step(_STEPS)
    at = _moment(value).at
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return int(seconds) if seconds.is_integer() else seconds


def _moment(value: object) -> _Moment:
    if isinstance(value, Undefined):
        value.refuse()
    try:
        if isinstance(value, int | float):
            return _Moment(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value), True)
        if not isinstance(value, str):
            raise EvaluationError(f"{kind(value)} is given where a date is needed.")
        text = _short(value.strip())
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return _Moment(datetime.fromisoformat(text), True)
        return _Moment(datetime(day.year, day.month, day.day), False)
    except (OverflowError, ValueError):
        raise EvaluationError(
            "it is no date as ISO 8601, such as 2026-03-05 or 2026-03-05T08:30:00+00:00.",
            "Name the format of another: date('%d.%m.%Y')",
        ) from None


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name. Raises `EvaluationError` for another."""
    try:
        return zone(_short(text_of(name)))
    except ValueError as error:
        raise EvaluationError("there is no time zone of that name.", str(error)) from None


def _in_zone(moment: _Moment, name: str | None) -> _Moment:
    """The same moment as a time of that zone; a date without an offset is one of the zone."""
    if name is None:
        return moment
    there = zone_of(name)
    at = moment.at if moment.at.tzinfo else moment.at.replace(tzinfo=there)
    try:
        # By way of UTC, since the hour that daylight saving leaves out has an offset but no name.
        return _Moment(at.astimezone(UTC).astimezone(there), True)
    except OverflowError:
        raise _beyond() from None


def _beyond() -> EvaluationError:
    return EvaluationError("the date would be beyond the years 1 to 9999.")


def _last_day(first: datetime) -> int:
    return ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day


def _short(text: str) -> str:
    if len(text) > _LONGEST:
        raise EvaluationError(f"a date has at most {_LONGEST} characters, and so has its format.")
    return text


# Formats. All directives are written and read here, since Python's depend on the machine.

_DIRECTIVE = re.compile("%(.?)", re.DOTALL)
_COMPOSED = {"F": "%Y-%m-%d", "T": "%H:%M:%S"}

_WRITTEN: dict[str, Callable[[datetime], str]] = {
    "A": lambda at: _DAYS[at.weekday()],
    "B": lambda at: _MONTHS[at.month - 1],
    "F": lambda at: at.date().isoformat(),
    "G": lambda at: f"{at.isocalendar().year:04}",
    "H": lambda at: f"{at.hour:02}",
    "I": lambda at: f"{(at.hour - 1) % 12 + 1:02}",
    "M": lambda at: f"{at.minute:02}",
    "S": lambda at: f"{at.second:02}",
    "T": lambda at: at.time().isoformat("seconds"),
    "V": lambda at: f"{at.isocalendar().week:02}",
    "Y": lambda at: f"{at.year:04}",
    "a": lambda at: _DAYS[at.weekday()][:3],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "d": lambda at: f"{at.day:02}",
    "f": lambda at: f"{at.microsecond:06}",
    "j": lambda at: f"{at.timetuple().tm_yday:03}",
    "m": lambda at: f"{at.month:02}",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "u": lambda at: str(at.isoweekday()),
    "y": lambda at: f"{at.year % 100:02}",
    "z": lambda at: at.strftime("%z"),
    "%": lambda _at: "%",
}

_READ: dict[str, str] = {
    "B": f"(?P<B>{'|'.join(_MONTHS)})",
    "H": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "Y": r"(?P<Y>\d{4})",
    "b": f"(?P<b>{'|'.join(name[:3] for name in _MONTHS)})",
    "d": r"(?P<d>\d{1,2})",
    "f": r"(?P<f>\d{1,6})",
    "m": r"(?P<m>\d{1,2})",
    "y": r"(?P<y>\d{2})",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
    "%": "%",
}


def _written(letter: str, at: datetime) -> str:
    if letter not in _WRITTEN:
        raise _unknown(letter, "written", _WRITTEN)
    return _WRITTEN[letter](at)


def _parsed(value: object, format: str) -> _Moment:
    """The date that a text holds in a format, which has to name a day."""
    text, whole = _short(text_of(value).strip()), _short(text_of(format))
    for letter, composed in _COMPOSED.items():
        whole = whole.replace(f"%{letter}", composed)
    pattern, end, letters = "", 0, set()
    for found in _DIRECTIVE.finditer(whole):
        letter = found[1]
        if letter not in _READ:
            raise _unknown(letter, "read", _READ)
        if letter in letters and letter != "%":
            raise EvaluationError(f"the format has %{letter} twice.")
        letters.add(letter)
        pattern += re.escape(whole[end : found.start()]) + _READ[letter]
        end = found.end()
    if not (letters & {"Y", "y"} and letters & {"m", "b", "B"} and "d" in letters):
        raise EvaluationError("the format of a date needs a year, a month and a day.", "%Y-%m-%d")
    match = re.fullmatch(pattern + re.escape(whole[end:]), text, re.ASCII | re.IGNORECASE)
    try:
        if match is not None:
            return _Moment(_built(match.groupdict()), "H" in letters)
    except ValueError:
        pass
    raise EvaluationError("the text is no date of that format.")


def _built(parts: dict[str, str]) -> datetime:
    names = [name[:3].lower() for name in _MONTHS]
    name = parts.get("b") or parts.get("B")
    short = int(parts.get("y", 0))
    zone = parts.get("z", "").replace(":", "")
    offset = None
    if zone:
        away = 0 if zone in "Zz" else int(zone[0] + "1") * (int(zone[1:3]) * 60 + int(zone[3:]))
        offset = timezone(timedelta(minutes=away))
    return datetime(
        int(parts["Y"]) if "Y" in parts else short + (1900 if short > 68 else 2000),
        names.index(name[:3].lower()) + 1 if name else int(parts["m"]),
        int(parts["d"]),
        int(parts.get("H", 0)),
        int(parts.get("M", 0)),
        int(parts.get("S", 0)),
        int(parts.get("f", "0").ljust(6, "0")),
        tzinfo=offset,
    )


def _unknown(letter: str, what: str, known: Iterable[str]) -> EvaluationError:
    few = " ".join(f"%{letter}" for letter in known)
    return EvaluationError(
        f"%{letter if letter.isprintable() else ''} can't be {what} in a date.", f"There is: {few}"
    )
