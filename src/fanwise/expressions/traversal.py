"""Walks over whole values, paid for as they go: reading, measuring, printing, comparing, freezing.

Values that share their parts can be far larger when walked than they are in memory, so nothing in
this package prints, compares or copies a list or a map that `measure` hasn't walked first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fanwise.expressions.budget import ELEMENT_BYTES, REFERENCE_BYTES, Budget
from fanwise.expressions.flow import SCALARS, Undefined, elements, is_fresh, kind
from fanwise.expressions.refusal import EvaluationError
from fanwise.values import MAX_DEPTH, FrozenDict, FrozenList, LazyList, freeze

_FROZEN = (FrozenDict, FrozenList)
_SHORT = 2**63


def listed(budget: Budget, value: object) -> Sequence[object]:
    """All elements of a value at once; a list or tuple is given back as it is.

    It pays as for a copy in any case, since the caller makes something of all elements.
    """
    if isinstance(value, list | tuple):
        budget.step(len(value))
        budget.allocate(REFERENCE_BYTES * len(value))
        return value
    if isinstance(value, range | str):
        budget.step(len(value))
        budget.allocate(ELEMENT_BYTES * len(value))
        return list(value)
    fresh = is_fresh(value)
    result = []
    for element in elements(value):
        budget.step()
        budget.allocate(measure(budget, element) if fresh else REFERENCE_BYTES)
        result.append(element)
    return result


def measure(budget: Budget, value: object, depth: int = 0) -> int:
    """About how many characters the value's text has, having paid the steps to walk over it."""
    if type(value) is str:
        budget.read(len(value))
        return 4 + len(value) * (1 if value.isprintable() else 10)
    if type(value) in SCALARS:
        budget.square(value)
        return value.bit_length() // 3 + 4 if type(value) is int else 24
    parts: Iterable[object]
    if isinstance(value, dict):
        parts = (part for pair in value.items() for part in pair)
    elif isinstance(value, list | tuple):
        parts = value
    elif isinstance(value, Undefined):
        value.refuse()
    else:
        raise EvaluationError("a list that isn't read yet is used as a whole.", "Add: | list")
    if depth > MAX_DEPTH:
        raise EvaluationError(f"a value is nested more than {MAX_DEPTH} levels deep.")
    budget.step(3 * len(value) + 1)
    return 2 + sum([2 + measure(budget, part, depth + 1) for part in parts])


def to_text(budget: Budget, value: object) -> str:
    """A value as a template prints it, which is as Python prints it."""
    if type(value) is str:
        return value
    if type(value) in SCALARS:
        budget.square(value)
    else:
        if isinstance(value, LazyList):
            value = listed(budget, value)
        budget.allocate(measure(budget, value))
    return str(value)


def equal(budget: Budget, a: object, b: object) -> bool:
    """Compare two values; a lazy list equals a list with the same elements."""
    if type(a) in SCALARS or type(b) in SCALARS:
        if type(a) is str and type(b) is str:
            budget.scan(min(len(a), len(b)))
        return bool(a == b)
    if isinstance(a, LazyList) or isinstance(b, LazyList):
        if not isinstance(a, list | LazyList) or not isinstance(b, list | LazyList):
            return bool(a == b) if isinstance(a, Undefined) or isinstance(b, Undefined) else False
        budget.step(len(a))
        return len(a) == len(b) and all(equal(budget, x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, list | dict) and isinstance(b, list | dict) and len(a) != len(b):
        return False
    measure(budget, a)
    return bool(a == b)


def freeze_result(budget: Budget, value: object, depth: int = 0) -> Any:
    """The frozen value that leaves a template: tuples and all that is read lazily become lists."""
    if type(value) is int and -_SHORT < value < _SHORT:  # which costs nothing to print
        return value
    if type(value) in SCALARS:
        if type(value) is str:
            (budget.scan if value.isascii() else budget.read)(len(value))
        budget.square(value)  # It will be printed.
        return freeze(value, where="its value")
    if isinstance(value, _FROZEN):
        return value
    if depth > MAX_DEPTH:
        raise EvaluationError(f"its value is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, dict):
        if not all(type(key) is str for key in value):
            raise EvaluationError(
                "its value is a map with a key that isn't text.", "Put it in quotes."
            )
        budget.step(5 * len(value))
        budget.allocate(ELEMENT_BYTES * (1 + len(value)))
        return FrozenDict(
            {
                freeze_result(budget, key): freeze_result(budget, part, depth + 1)
                for key, part in value.items()
            }
        )
    if isinstance(value, Undefined):
        value.refuse()
    parts = listed(budget, value)
    budget.step(2 + 2 * len(parts))
    budget.allocate(ELEMENT_BYTES)
    return FrozenList([freeze_result(budget, part, depth + 1) for part in parts])


def sort_cost(budget: Budget, keys: Sequence[object]) -> None:
    """Pay for sorting by these keys."""
    # A text is compared by 256 characters a step, a list by its elements.
    once = sum(1 + (measure(budget, key) >> (8 if type(key) in SCALARS else 5)) for key in keys)
    budget.step(once * len(keys).bit_length())


def kinds(*values: object) -> str:
    """The kinds of some values, as in "text and a number"."""
    return " and ".join(kind(value) for value in values)
