"""Merging of maps, and maps out of pairs."""

from __future__ import annotations

from typing import TypeAlias

from fanwise.expressions.budget import ELEMENT_BYTES, Budget
from fanwise.expressions.filters.lists import map_of
from fanwise.expressions.flow import elements
from fanwise.expressions.lookup import map_key
from fanwise.expressions.refusal import EvaluationError

Map: TypeAlias = dict[object, object]


def combine(budget: Budget, value: object, /, *others: object, recursive: bool = False) -> Map:
    """A map with all keys of these maps, in which those of a later one win.

    With `recursive`, maps at the same key are merged in their turn.
    """
    result = _copy(budget, map_of(value))
    for other in others:
        _merge(budget, result, map_of(other), recursive)
    return result


def dict_(budget: Budget, value: object = (), /, **kwargs: object) -> Map:
    """A map of a map's pairs, or of a list of pairs, and of the arguments with names."""
    if isinstance(value, dict):
        result = _copy(budget, value)
    else:
        result = {}
        for pair in elements(value):
            budget.turn()
            budget.allocate(2 * ELEMENT_BYTES)
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise EvaluationError("a map is made of pairs, such as [['a', 1], ['b', 2]].")
            result[map_key(pair[0])] = pair[1]
    budget.allocate(2 * ELEMENT_BYTES * len(kwargs))
    result.update(kwargs.items())
    return result


def _copy(budget: Budget, value: Map) -> Map:
    budget.step(1 + len(value))
    budget.allocate(ELEMENT_BYTES * (1 + 2 * len(value)))
    return dict(value)


def _merge(budget: Budget, into: Map, other: Map, recursive: bool) -> None:
    budget.step(1 + 2 * len(other))
    budget.allocate(2 * ELEMENT_BYTES * len(other))
    for key, part in other.items():
        before = into.get(key)
        if recursive and isinstance(before, dict) and isinstance(part, dict):
            merged = _copy(budget, before)
            _merge(budget, merged, part, recursive)
            into[key] = merged
        else:
            into[key] = part
