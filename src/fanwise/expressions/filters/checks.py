"""The tests of expressions, as in `x is even`: each gives true or false."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanwise.expressions.budget import Budget
from fanwise.expressions.filters import patterns
from fanwise.expressions.filters.numbers import number_of
from fanwise.expressions.filters.texts import METHODS
from fanwise.expressions.flow import ITERABLE, NUMBERS, Undefined
from fanwise.expressions.operators import COMPARISONS, pay_integers
from fanwise.expressions.traversal import to_text
from fanwise.values import LazyList

Check = Callable[..., bool]


def _simple(check: Callable[[Any], bool]) -> Check:
    def run(_budget: Budget, value: object) -> bool:
        return check(value)

    return run


def _of_kind(*kinds: type) -> Check:
    return _simple(lambda value: isinstance(value, kinds))


def divisibleby(budget: Budget, value: object, num: object) -> bool:
    """True if `num` divides the number."""
    pay_integers(budget, value, num)
    return number_of(value) % number_of(num) == 0


def is_lower(budget: Budget, value: object) -> bool:
    """True if the text's letters are in lower case."""
    return bool(METHODS["islower"](budget, to_text(budget, value)))


def is_upper(budget: Budget, value: object) -> bool:
    """True if the text's letters are in upper case."""
    return bool(METHODS["isupper"](budget, to_text(budget, value)))


def is_sequence(_budget: Budget, value: object) -> bool:
    """True if the value has a length and elements at places."""
    if isinstance(value, Undefined):
        value.refuse()
    return isinstance(value, str | list | tuple | dict | range | LazyList)


def is_iterable(_budget: Budget, value: object) -> bool:
    """True if a loop can go through the value."""
    if isinstance(value, Undefined):
        value.refuse()
    return isinstance(value, ITERABLE)


_COMPARED = {
    "eq": "eq equalto ==",
    "ne": "ne !=",
    "gt": "gt greaterthan >",
    "gteq": "ge >=",
    "lt": "lt lessthan <",
    "lteq": "le <=",
}

CHECKS: dict[str, Check] = {
    "boolean": _of_kind(bool),
    "defined": _simple(lambda value: not isinstance(value, Undefined)),
    "divisibleby": divisibleby,
    "even": lambda _budget, value: number_of(value) % 2 == 0,
    "false": _simple(lambda value: value is False),
    "float": _of_kind(float),
    "in": COMPARISONS["in"],
    "integer": _simple(lambda value: type(value) is int),
    "iterable": is_iterable,
    "lower": is_lower,
    "mapping": _of_kind(dict),
    "none": _simple(lambda value: value is None),
    "number": _simple(lambda value: type(value) in NUMBERS),
    "regex_search": patterns.is_found,
    "odd": lambda _budget, value: number_of(value) % 2 == 1,
    "sequence": is_sequence,
    "string": _of_kind(str),
    "true": _simple(lambda value: value is True),
    "undefined": _of_kind(Undefined),
    "upper": is_upper,
    **{
        name: COMPARISONS[operator]
        for operator, names in _COMPARED.items()
        for name in names.split()
    },
}
