"""Filters on numbers and values of any kind: conversions, rounding, defaults, JSON text."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec

from fanwise.expressions.budget import ELEMENT_BYTES, Budget
from fanwise.expressions.filters.texts import text_of
from fanwise.expressions.flow import NUMBERS, Undefined, kind, length
from fanwise.expressions.refusal import EvaluationError
from fanwise.expressions.traversal import freeze_result, measure, to_text

_DIGITS = 4_000  # Longer texts than this are no numbers that JSON can carry.
_DIGIT_BITS = 4
_NO_DEFAULT = object()
_LONG_NUMBER = re.compile(r"\d{40,}")
_FAILURE_STEPS = 10
_PLACES = 300
_INDENT = 16


def number_of(value: Any) -> int | float:
    """The value itself if it is a number. Raises `EvaluationError` for anything else."""
    if type(value) in NUMBERS:
        return value  # type: ignore[no-any-return]
    if isinstance(value, Undefined):
        value.refuse()
    raise EvaluationError(f"{kind(value)} is given where a number is needed.")


def absolute(_budget: Budget, value: object) -> int | float:
    """The number without its sign."""
    return abs(number_of(value))


def as_int(budget: Budget, value: Any, default: Any = _NO_DEFAULT, base: int = 10) -> Any:
    """The value as an integer. What is none is `default`, and without one an error."""
    _pay_digits(budget, value)
    try:
        return int(value, base) if isinstance(value, str) else int(value)
    except (TypeError, ValueError, OverflowError):
        try:
            return int(float(value))
        except (TypeError, ValueError, OverflowError):
            budget.step(_FAILURE_STEPS)
            return _instead(value, default, "int")


def as_float(budget: Budget, value: Any, default: Any = _NO_DEFAULT) -> Any:
    """The value as a floating-point number. What is none is `default`, and without one an error."""
    _pay_digits(budget, value)
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        budget.step(_FAILURE_STEPS)
        return _instead(value, default, "float")


def _instead(value: object, default: object, name: str) -> object:
    if default is not _NO_DEFAULT:
        return default
    given = "this text" if isinstance(value, str) else kind(value)
    raise EvaluationError(
        f"{given} can't be read as a number.", f"A default stands in for it: {name}(default=none)"
    )


def _pay_digits(budget: Budget, value: object) -> None:
    if isinstance(value, str):
        if len(value) > _DIGITS:
            raise EvaluationError(
                f"a text of more than {_DIGITS:,} characters can't be read as a number."
            )
        bits = len(value) * _DIGIT_BITS
        budget.product(bits, bits)
    if isinstance(value, Undefined):
        value.refuse()


def round_(budget: Budget, value: object, precision: int = 0, method: str = "common") -> Any:
    """The number with so many places, rounded to the nearest, up (`ceil`) or down (`floor`)."""
    number = number_of(value)
    if abs(precision) > _PLACES:
        raise EvaluationError(f"a number can't be rounded to more than {_PLACES} places.")
    budget.square(value)
    if method == "common":
        return round(number, precision)
    if method not in ("ceil", "floor"):
        raise EvaluationError('round goes by "common", "ceil" or "floor".')
    away = math.ceil if method == "ceil" else math.floor
    return away(number * (10**precision)) / (10**precision)


def default(
    _budget: Budget, value: object, default_value: object = "", boolean: bool = False
) -> Any:
    """The value, or `default_value` if it is undefined, with `boolean` also if it is false."""
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def length_(_budget: Budget, value: object) -> int:
    """The number of elements, keys or characters."""
    return length(value)


def string(budget: Budget, value: object) -> str:
    """The value as a template prints it."""
    return to_text(budget, value)


def fromjson(budget: Budget, value: object) -> object:
    """The value that JSON text holds."""
    text = text_of(value).removeprefix("\ufeff")
    marks = 2 + sum(text.count(mark) for mark in ",:[{{")
    budget.read(2 * len(text))
    budget.step(2 * marks)
    budget.text(text)
    budget.allocate(2 * ELEMENT_BYTES * marks)
    for number in _LONG_NUMBER.finditer(text):
        bits = _DIGIT_BITS * min(number.end() - number.start(), _DIGITS)
        budget.product(bits, bits)
    try:
        found: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        # Its text has positions and marks of the syntax, and nothing of the value.
        raise EvaluationError(f"the text is no JSON: {error}.", _no_json_hint(text)) from None
    return found


def _no_json_hint(text: str) -> str:
    if not text.strip():
        return "It is empty; default('null', true) stands in for an empty text."
    return "For several lines of JSON: .splitlines() | map('fromjson')"


def tojson(budget: Budget, value: object, indent: int | None = None) -> str:
    """The value as JSON text, its keys in order, plain: nothing in it is escaped for HTML."""
    if indent is not None and not 0 <= indent <= _INDENT:
        raise EvaluationError(f"JSON text can be indented by 0 to {_INDENT} spaces.")
    plain = freeze_result(budget, value)
    size = measure(budget, plain)
    budget.allocate(6 * size)
    budget.read(size)
    encoder = json.JSONEncoder(sort_keys=True, allow_nan=False, indent=indent)
    if indent is None:
        return encoder.encode(plain)
    parts = []
    for part in encoder.iterencode(plain):
        budget.step(10)
        budget.text(part)
        parts.append(part)
    return "".join(parts)
