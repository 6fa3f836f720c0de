"""The rules of `a.b` and `a.b(...)`.

On a map `a.b` is its key `b`, whatever methods maps have, so that data with a key `items` reads as
data. No attribute of a Python object is ever read.
"""

from __future__ import annotations

from typing import Any

from fanwise.expressions.budget import Budget
from fanwise.expressions.flow import Undefined, kind
from fanwise.expressions.functions import methods_of
from fanwise.expressions.lookup import element
from fanwise.expressions.missing import nearest_or_few
from fanwise.expressions.refusal import EvaluationError


def attribute(value: object, name: str, owner: str) -> Any:
    """The value of `owner.name`; `owner` is the template's text for `value`."""
    if isinstance(value, dict) and name in value:
        return value[name]
    if name in methods_of(value):
        raise EvaluationError(f'"{name}" is a method of {kind(value)}.', f"Call it: .{name}()")
    return element(value, name, owner, named=True)


def call_method(
    budget: Budget, value: object, name: str, args: list[Any], kwargs: dict[str, Any]
) -> Any:
    """The result of `value.name(*args, **kwargs)`."""
    if isinstance(value, Undefined):
        value.refuse()
    if isinstance(value, dict) and name in value:
        raise EvaluationError(f'"{name}" is a key of the map and can\'t be called.')
    methods = methods_of(value)
    if name not in methods:
        raise EvaluationError(
            f'{kind(value)} has no method "{name}".', nearest_or_few(name, sorted(methods))
        )
    return methods[name](budget, value, *args, **kwargs)
