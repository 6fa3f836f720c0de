"""Literal values of keys: durations, rates, tolerances, counts, choices, conditions.

The loader reads a workflow's own literals with these functions, and the engine what a template gave
for the same key. Each raises a `ValueError` whose message is a predicate that says what is taken
(`takes a whole number from 1 to 100000`) and never quotes the value, which can be a secret.
Durations are in seconds, rates in starts per second.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Final

import msgspec

TRIGGER_KINDS: Final = ("schedule", "webhook", "file", "event", "run", "missing")
"""The kinds of triggers, of which each has one."""

_UNITS_S: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_MAX_DURATION_S: Final = 36_500 * _UNITS_S["d"]  # Beyond it timers and dates overflow.
_MIN_RATE: Final = 0.001 / _UNITS_S["h"]  # Waits between starts stay far from those bounds.
_MAX_RATE: Final = 1_000_000.0

DURATION_PATTERN: Final = "(?!$)" + "".join(
    f"(?:([0-9]+(?:\\.[0-9]+)?){unit})?" for unit in _UNITS_S
)
RATE_PATTERN: Final = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)/([smh])"
PERCENTAGE_PATTERN: Final = r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%"

_duration = re.compile(DURATION_PATTERN, re.ASCII).fullmatch
_rate = re.compile(RATE_PATTERN).fullmatch
_percentage = re.compile(PERCENTAGE_PATTERN).fullmatch


class Tolerance(msgspec.Struct, frozen=True):
    """How many failed items a task accepts: a `count`, or a `percent` of all; the other is None."""

    count: int | None = None
    percent: float | None = None

    def allowed(self, total: int) -> int:
        """The number of failed items that is accepted out of `total`."""
        if self.percent is None:
            return self.count or 0
        # Rounding first, because 7.1 % of 1,000 in floating point can be a hair under 71.
        return math.floor(round(total * self.percent / 100, 6))


def has_template(text: str) -> bool:
    """Whether a text of the workflow is a template rather than a literal."""
    return "{{" in text or "{%" in text or "{#" in text


def parse_duration(value: object) -> float:
    """Seconds of a duration such as `1h30m`, or of a number of seconds. Raises `ValueError`."""
    seconds = math.inf
    if isinstance(value, str) and (found := _duration(value)):
        seconds = math.fsum(
            float(number or 0) * unit
            for number, unit in zip(found.groups(), _UNITS_S.values(), strict=True)
        )
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if 0 <= value <= _MAX_DURATION_S else math.inf
    if not 0 <= seconds <= _MAX_DURATION_S:
        raise ValueError(
            "takes a duration such as 500ms, 5s, 1h30m or 2d, or a number of seconds, up to 36500d"
        )
    return seconds


def parse_timeout(value: object) -> float:
    """Seconds of a duration in which something can happen. Raises `ValueError` for none."""
    seconds = parse_duration(value)
    if not seconds:
        raise ValueError("takes a duration over 0, such as 30s")
    return seconds


def parse_rate(value: object) -> float:
    """Starts per second of a rate such as `100/s`, or of a number of them. Raises `ValueError`."""
    rate = math.inf
    if isinstance(value, str) and (found := _rate(value)):
        rate = float(found[1]) / _UNITS_S[found[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        rate = float(value) if _MIN_RATE <= value <= _MAX_RATE else math.inf
    if not _MIN_RATE <= rate <= _MAX_RATE:
        raise ValueError(
            "takes a rate such as 100/s, 6000/m or 10/h, or a number of starts per second, "
            "from 0.001/h to 1000000/s"
        )
    return rate


def parse_tolerance(value: object) -> Tolerance:
    """The tolerance that a number of items or a text such as `5%` means. Raises `ValueError`."""
    if type(value) is int and value >= 0:
        return Tolerance(count=value)
    if isinstance(value, str) and (found := _percentage(value)) and float(found[1]) <= 100:
        return Tolerance(percent=float(found[1]))
    raise ValueError("takes a number of items from 0, or a percentage of them such as 5%")


def parse_count(value: object, *, minimum: int = 0, maximum: int | None = None) -> int:
    """A whole number within bounds. Raises `ValueError`."""
    if type(value) is int and value >= minimum and (maximum is None or value <= maximum):
        return value
    bounds = f"from {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    raise ValueError(f"takes a whole number {bounds}")


def parse_choice(value: object, choices: Collection[str]) -> str:
    """One of `choices`. Raises `ValueError`."""
    if isinstance(value, str) and value in choices:
        return value
    *others, last = choices
    raise ValueError(f"takes {', '.join(others)} or {last}")


def parse_flag(value: object) -> bool:
    """True or false, and nothing that is merely like it. Raises `ValueError`."""
    if isinstance(value, bool):
        return value
    raise ValueError("takes true or false")


def parse_condition(value: object) -> bool:
    """A condition that is no template. Raises `ValueError`, also for an expression in no braces."""
    if isinstance(value, bool):
        return value
    raise ValueError('takes true, false or a template such as "{{ ... }}"')


_PYTHON_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
TYPES: Final = tuple(_PYTHON_TYPES)
"""What a parameter can be declared as."""

SCALARS: Final = ("string", "integer", "number", "boolean")
"""The types of values without parts."""


def fits_type(value: object, declared: str) -> bool:
    """Whether a JSON value is of a declared type; true and false are no numbers."""
    if isinstance(value, bool):
        return declared == "boolean"
    return isinstance(value, _PYTHON_TYPES[declared])
