"""Formatting text: `'%5.2f' % x`, the filter `format`, and `'{:>5}'.format(x)`.

A format is read before it is used: widths and precisions are paid for, and nothing in a format can
reach into a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any

from fanwise.expressions.budget import Budget
from fanwise.expressions.flow import kind
from fanwise.expressions.refusal import MISFITS, EvaluationError
from fanwise.expressions.traversal import measure

_CONVERSION = re.compile(
    r"%(?:\((?P<key>[^()%]*)\))?[#0\- +]*"
    r"(?P<width>\d*)(?:\.(?P<precision>\d*))?[hlL]?(?P<letter>.?)",
    re.DOTALL,
)
_NUMBER = re.compile(r"\d+")


def printf(budget: Budget, text: str, values: object) -> str:
    """`text % values`. Raises `EvaluationError` for values that don't fit."""
    budget.text(text)
    try:
        _pay_conversions(budget, text, values)
        return str(text % values)
    except MISFITS:
        raise EvaluationError(f"the formats in the text don't fit {kind(values)}.") from None


def _pay_conversions(budget: Budget, text: str, values: object) -> None:
    position = 0
    for match in _CONVERSION.finditer(text):
        key, width, precision, letter = match.group("key", "width", "precision", "letter")
        budget.step()
        if letter == "%":
            continue
        if letter not in "diouxXeEfFgGcrsa" or not letter:
            raise EvaluationError(
                "the text has a % that doesn't start a format.", "Write %% for a percent."
            )
        if key is not None:
            value = values[key] if isinstance(values, Mapping) else None
        elif isinstance(values, tuple):
            value = values[position] if position < len(values) else None
            position += 1
        else:
            value = values
        budget.allocate(4 * (int(width or 0) + int(precision or 0) + measure(budget, value)))


def braces(budget: Budget, text: str, args: tuple[object, ...], kwargs: dict[str, Any]) -> str:
    """`text.format(*args, **kwargs)`. Raises `EvaluationError`, or what Python raises."""
    budget.text(text)
    position = 0
    for _, field, spec, _ in Formatter().parse(text):
        budget.step()
        if field is None:
            continue
        if "." in field or "[" in field:
            raise EvaluationError(
                "a field of a format can't reach into a value.", "Pass the part itself."
            )
        if spec and "{" in spec:
            raise EvaluationError(
                "a field's format can't hold other fields.", "Write the width out."
            )
        value = args[int(field or position)] if not field or field.isdecimal() else kwargs[field]
        position += 1
        budget.step(len(spec or ""))
        widths = sum(int(number) for number in _NUMBER.findall(spec or ""))
        budget.allocate(4 * (widths + measure(budget, value)))
    return text.format(*args, **kwargs)
