"""The operators of expressions: `+ - * / // % **`, the comparisons, and `in`.

Arithmetic takes numbers; `+` also joins, `*` repeats and `%` formats. Integers never grow beyond
what Python can print, and long ones are paid by the product of their lengths.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fanwise.expressions.budget import REFERENCE_BYTES, Budget
from fanwise.expressions.filters.formats import printf
from fanwise.expressions.flow import NUMBERS, SCALARS, OnePass, Undefined, elements
from fanwise.expressions.refusal import MISFITS, EvaluationError
from fanwise.expressions.traversal import equal, kinds, listed, measure
from fanwise.values import LazyList

Operator: TypeAlias = Callable[[Budget, Any, Any], Any]

MAX_INT_BITS = 14_000  # CPython refuses to print integers of more than 4,300 digits.


def add(budget: Budget, a: Any, b: Any) -> Any:
    """`a + b`: a sum, or texts, lists or tuples joined."""
    if type(a) in NUMBERS and type(b) in NUMBERS:
        pay_integers(budget, a, b)
        return a + b
    if type(a) is str and type(b) is str:
        budget.text(a)
        budget.text(b)
        return a + b
    a = listed(budget, a) if isinstance(a, LazyList) else a
    b = listed(budget, b) if isinstance(b, LazyList) else b
    if any(isinstance(a, kind) and isinstance(b, kind) for kind in (list, tuple)):
        count = len(a) + len(b)
        budget.step(count)
        budget.allocate(REFERENCE_BYTES * count)
        return a + b
    raise _misfit("+", a, b)


def multiply(budget: Budget, a: Any, b: Any) -> Any:
    """`a * b`: a product, or a text, list or tuple repeated."""
    if type(a) in NUMBERS and type(b) in NUMBERS:
        if isinstance(a, int) and isinstance(b, int):
            _bounded(a.bit_length() + b.bit_length())
            pay_integers(budget, a, b)
        return a * b
    if isinstance(a, int):
        a, b = b, a
    if isinstance(b, int) and isinstance(a, str | list | tuple):
        times = max(b, 0)
        if isinstance(a, str):
            budget.text(a, times)
        else:
            budget.step(len(a) * times)
            budget.allocate(REFERENCE_BYTES * len(a) * times)
        return a * times
    raise _misfit("*", a, b)


def power(budget: Budget, a: Any, b: Any) -> Any:
    """`a ** b` of numbers."""
    if type(a) not in NUMBERS or type(b) not in NUMBERS:
        raise _misfit("**", a, b)
    if isinstance(a, int) and isinstance(b, int):
        bits = a.bit_length() * b if abs(a) > 1 else b.bit_length()
        _bounded(bits)
        budget.product(bits, bits)
    result = a**b
    if isinstance(result, complex):
        raise EvaluationError("a root of a negative number isn't a number that JSON has.")
    return result


def modulo(budget: Budget, a: object, b: object) -> Any:
    """`a % b`: a remainder, or a text that is formatted."""
    if isinstance(a, str):
        return printf(budget, a, b)
    return _remainder(budget, a, b)


def contains(budget: Budget, a: object, b: object) -> bool:
    """`a in b`."""
    if isinstance(b, str):
        if not isinstance(a, str):
            raise _misfit("in", a, b)
        budget.search(b, a)
        return a in b
    if isinstance(b, dict):
        if type(a) not in SCALARS:
            raise _misfit("in", a, b)
        return a in b
    if isinstance(b, range) and isinstance(a, int):
        return a in b
    if isinstance(b, list | tuple):
        cost = 1 if type(a) in SCALARS else 1 + (measure(budget, a) >> 2)
        budget.step(cost * len(b))
        if type(a) is str:
            budget.scan(len(a) * len(b))
        return a in b
    for found in elements(b):
        budget.turn()
        if equal(budget, found, a):
            return True
    return False


def _numeric(symbol: str, apply: Callable[[Any, Any], Any]) -> Operator:
    def run(budget: Budget, a: object, b: object) -> object:
        if type(a) in NUMBERS and type(b) in NUMBERS:
            pay_integers(budget, a, b)
            return apply(a, b)
        raise _misfit(symbol, a, b)

    return run


def _ordered(symbol: str, apply: Callable[[Any, Any], Any]) -> Operator:
    def run(budget: Budget, a: object, b: object) -> bool:
        if type(a) in NUMBERS and type(b) in NUMBERS:
            return bool(apply(a, b))
        if isinstance(a, Undefined | OnePass) or isinstance(b, Undefined | OnePass):
            raise _misfit(symbol, a, b)
        measure(budget, a)
        try:
            return bool(apply(a, b))
        except TypeError:
            raise _misfit(symbol, a, b) from None

    return run


def pay_integers(budget: Budget, a: object, b: object) -> None:
    """Pay for an operation on two numbers, of which only long integers cost anything."""
    if isinstance(a, int) and isinstance(b, int):
        budget.product(a.bit_length(), b.bit_length())


def _bounded(bits: int) -> None:
    if bits > MAX_INT_BITS:
        raise EvaluationError("it makes an integer of more than 4,300 digits.")


def _misfit(symbol: str, a: object, b: object) -> EvaluationError:
    for value in (a, b):
        if isinstance(value, Undefined):
            value.refuse()
    hint = ""
    if symbol == "+" and isinstance(a, Mapping) and isinstance(b, Mapping):
        hint = "Maps are joined by a filter: a | combine(b)"
    return EvaluationError(f'"{symbol}" can\'t be used with {kinds(a, b)}.', hint)


_remainder = _numeric("%", operator.mod)

ARITHMETIC: dict[str, Operator] = {
    "+": add,
    "-": _numeric("-", operator.sub),
    "*": multiply,
    "/": _numeric("/", operator.truediv),
    "//": _numeric("//", operator.floordiv),
    "%": modulo,
    "**": power,
}

COMPARISONS: dict[str, Operator] = {
    "eq": equal,
    "ne": lambda budget, a, b: not equal(budget, a, b),
    "lt": _ordered("<", operator.lt),
    "lteq": _ordered("<=", operator.le),
    "gt": _ordered(">", operator.gt),
    "gteq": _ordered(">=", operator.ge),
    "in": contains,
    "notin": lambda budget, a, b: not contains(budget, a, b),
}


def calculate(symbol: str, budget: Budget, a: object, b: object) -> Any:
    """Apply an arithmetic operator; raises `EvaluationError` where Python would fail."""
    try:
        return ARITHMETIC[symbol](budget, a, b)
    except ZeroDivisionError:
        raise EvaluationError(f'"{symbol}" divides by zero.') from None
    except MISFITS:
        raise _misfit(symbol, a, b) from None
