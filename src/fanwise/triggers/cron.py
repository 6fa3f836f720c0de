"""Cron expressions as matchers of local days and of the minutes in them.

An expression knows no time zone: `calendar.py` says when a clock somewhere shows its minutes. What
is wrong with one is told as a predicate (`isn't a cron expression: ...`) with a hint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from cronsim import CronSim, CronSimError

from fanwise.definition import did_you_mean
from fanwise.definition.problems import BadValueError

_NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_FIELDS: Final = ("minute", "hour", "day of month", "month", "weekday")
_RANGES: Final = (
    "0 to 59",
    "0 to 23",
    "1 to 31, L or LW",
    "1 to 12 or JAN to DEC",
    "0 (Sunday) to 6, SUN to SAT, 5L or MON#1",
)
_NAMES: Final = {
    3: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    4: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
}
_SIZES: Final = (60, 24)
_EXAMPLE: Final = 'Write five fields, such as "30 2 * * 1-5": minute, hour, day, month, weekday.'
_ANY_TIME: Final = datetime(2000, 1, 1)


class Cron:
    """One expression. `is_fixed` says that neither its minute nor its hour begins with `*`.

    A fixed one fires once for each local time, however often a clock shows it.
    """

    def __init__(self, text: str) -> None:
        """Parse `text`. Raises `BadValueError`."""
        self.text = text
        self.fields = _fields(text)
        self._matcher = _parse(text, self.fields)
        self.is_fixed = not any(field.startswith("*") for field in self.fields[:2])
        self.minutes: Sequence[int] = tuple(
            60 * hour + minute
            for hour in sorted(self._matcher.hours)
            for minute in sorted(self._matcher.minutes)
        )
        """The minutes of a day that match, counted from midnight."""

    def matches_day(self, day: date) -> bool:
        """True if the day of month, the month and the weekday fit."""
        return day.month in self._matcher.months and self._matcher.match_day(day)

    @property
    def names_days(self) -> bool:
        """True if minute and hour are `*`, so that it stands for whole days."""
        return self.fields[:2] == ["*", "*"]

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Meanings that are perhaps not meant: what it does, and what to write."""
        for field, size, name, unit in zip(
            self.fields, _SIZES, ("minutes", "hours"), ("hour", "day"), strict=False
        ):
            step = re.search(r"\*/(\d+)", field)
            if step is not None and size % int(step[1]):
                yield (
                    f'"{field}" doesn\'t mean every {step[1]} {name}: it starts again with each '
                    f"{unit}.",
                    f'Use "every: {step[1]}{name[0]}" for even steps.',
                )
        day, weekday = self.fields[2], self.fields[4]
        if not any(field.startswith("*") for field in (day, weekday)):
            text = f'"{self.text}" fires when the day of month or the weekday fits, not both.'
            yield text, 'Give one of the two as "*" if both were meant.'
        elif day != "*" and weekday != "*":
            text = f'"{self.text}" fires when both the day of month and the weekday fit.'
            yield text, "Two expressions in a list fire when either fits."


@lru_cache(maxsize=1024)
def cron(text: str) -> Cron:
    """The expression of a text, parsed once. Raises `BadValueError`."""
    return Cron(text)


def _fields(text: str) -> list[str]:
    words = _NICKNAMES.get(text.strip().lower(), text).upper().split()
    if len(words) == 5:
        return words
    if words[:1] and words[0].startswith("@"):
        raise _wrong(text, f"it takes {', '.join(_NICKNAMES)}", did_you_mean(text, _NICKNAMES))
    hint = _EXAMPLE
    if len(words) == 6:
        hint = "Seconds have no field: use every, such as every: 10s, or leave out the first field."
    elif len(words) == 4:
        hint = f'Did you mean "{text.strip()} *"?'
    count = len(words)
    raise _wrong(text, f"it has {count} field{'s' * (count != 1)} and takes five", hint)


def _parse(text: str, fields: list[str]) -> CronSim:
    try:
        return CronSim(" ".join(fields), _ANY_TIME)
    except (CronSimError, ValueError, AssertionError) as error:
        cause = error
    for at, field in enumerate(fields):
        alone = ["*"] * 5
        alone[at] = field
        try:
            CronSim(" ".join(alone), _ANY_TIME)
        except (CronSimError, ValueError, AssertionError):
            what = f'its {_FIELDS[at]} can\'t be "{field}"'
            raise _wrong(text, what, _meant(at, field)) from None
    raise _wrong(text, "it never fires", "No month that it names has that day.") from cause


def _meant(at: int, field: str) -> str:
    if at == 0 and field == "60":
        return "Minutes go from 0 to 59; 0 is the full hour."
    if at == 1 and field == "24":
        return "Hours go from 0 to 23; 0 is midnight."
    if at == 4 and re.fullmatch("[89]|[1-9][0-9]+", field):
        return "Weekdays go from 0 (Sunday) to 6 (Saturday); 7 is Sunday too."
    if "?" in field:
        return 'Write "*" for any.'
    if found := re.fullmatch(r"(\w+)-(\w+)", field):
        first, last = found.groups()
        if all(part.isdigit() for part in (first, last)) and int(first) > int(last):
            top = {0: "59", 1: "23", 2: "31", 3: "12", 4: "6"}[at]
            low = "1" if at in (2, 3) else "0"
            return f'Did you mean "{first}-{top},{low}-{last}"?'
    word = re.search("[A-Z]{3,}", field)
    if word is not None and at in _NAMES:
        known = [name for name in _NAMES[at] if word[0].startswith(name)]
        known = known or get_close_matches(word[0], _NAMES[at], n=1)
        if known and word[0] != known[0]:
            return f'Did you mean "{field.replace(word[0], known[0])}"?'
    return f"It takes {_RANGES[at]}, lists (1,15), ranges (1-5) and steps (*/10)."


def _wrong(text: str, what: str, hint: str) -> BadValueError:
    return BadValueError(
        "bad-schedule", f'takes a cron expression, and {what}: "{text}"', hint=hint
    )
