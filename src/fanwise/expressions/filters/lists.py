"""Filters that read a whole list, and the methods of lists and maps.

`attribute` is the constant path of a part of each element, such as "address.city" or 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby as grouped
from typing import Any, TypeAlias

from fanwise.expressions.budget import ELEMENT_BYTES, REFERENCE_BYTES, Budget
from fanwise.expressions.filters.texts import joined, lower
from fanwise.expressions.flow import (
    NUMBERS,
    Group,
    OnePass,
    Undefined,
    elements,
    kind,
)
from fanwise.expressions.lookup import element
from fanwise.expressions.missing import undefined
from fanwise.expressions.operators import add, contains, pay_integers
from fanwise.expressions.refusal import EvaluationError
from fanwise.expressions.traversal import equal, listed, measure, sort_cost, to_text
from fanwise.values import LazyList

Attribute: TypeAlias = str | int | None
Getter: TypeAlias = Callable[[Any], Any]


def getter(budget: Budget, attribute: Attribute, default: object = None) -> Getter:
    """A function that gives the part of an element, or `default` where there is none."""
    path: list[str | int] = []
    if isinstance(attribute, str):
        budget.step(len(attribute) >> 3)
        path = [int(name) if name.isdigit() else name for name in attribute.split(".")]
    elif attribute is not None:
        path = [attribute]

    step, cost = budget.step, 1 + 3 * len(path)

    def get(value: object) -> Any:
        step(cost)
        for name in path:
            value = element(value, name, "an element", named=True)
            if default is not None and isinstance(value, Undefined):
                value = default
        return value

    return get


def _keys(budget: Budget, values: Sequence[object], get: Getter, case_sensitive: bool) -> list[Any]:
    budget.allocate(REFERENCE_BYTES * len(values))
    keys = [get(value) for value in values]
    budget.step(0 if case_sensitive else 2 * len(keys))
    return keys if case_sensitive else [ignoring_case(budget, key) for key in keys]


def ignoring_case(budget: Budget, key: object) -> Any:
    """A text in lower case, and any other value as it is."""
    return lower(budget, key) if isinstance(key, str) else key


def as_list(budget: Budget, value: object) -> list[Any]:
    """All elements, as a list."""
    values = listed(budget, value)
    return values if isinstance(values, list) else list(values)


def sort(
    budget: Budget,
    value: object,
    reverse: bool = False,
    case_sensitive: bool = False,
    attribute: Attribute = None,
) -> list[Any]:
    """The elements in order of themselves, or of the parts that `attribute` lists with commas."""
    values = listed(budget, value)
    paths = attribute.split(",") if isinstance(attribute, str) else [attribute]
    budget.allocate((ELEMENT_BYTES + REFERENCE_BYTES * len(paths)) * len(values))
    columns = [_keys(budget, values, getter(budget, path), case_sensitive) for path in paths]
    return _in_order(budget, values, list(zip(*columns, strict=True)), reverse)


def _in_order(
    budget: Budget, values: Sequence[Any], keys: Sequence[Any], reverse: bool = False
) -> list[Any]:
    budget.allocate(4 * REFERENCE_BYTES * len(values))
    sort_cost(budget, keys)
    order = sorted(range(len(values)), key=keys.__getitem__, reverse=reverse)
    return [values[index] for index in order]


def dictsort(
    budget: Budget,
    value: object,
    case_sensitive: bool = False,
    by: str = "key",
    reverse: bool = False,
) -> list[Any]:
    """The pairs of a map in the order of their keys, or of their values."""
    if by not in ("key", "value"):
        raise EvaluationError('dictsort can go by "key" or "value".')
    pairs = list(dict_items(budget, map_of(value)))
    budget.allocate(ELEMENT_BYTES * len(pairs))
    part = ("key", "value").index(by)
    keys = _keys(budget, [pair[part] for pair in pairs], getter(budget, None), case_sensitive)
    return _in_order(budget, pairs, keys, reverse)


def groupby(
    budget: Budget,
    value: object,
    attribute: Attribute,
    default: object = None,
    case_sensitive: bool = False,
) -> list[Group]:
    """Groups of elements of which a part is equal, in the order of that part."""
    values = listed(budget, value)
    get = getter(budget, attribute, default)
    keys = _keys(budget, values, get, case_sensitive)
    pairs = list(zip(keys, values, strict=True))
    budget.allocate(ELEMENT_BYTES * len(pairs))
    groups = []
    for key, members in grouped(_in_order(budget, pairs, keys), key=lambda pair: pair[0]):
        found = [member for _, member in members]
        groups.append(Group(key if case_sensitive else get(found[0]), found))
    return groups


def minimum(
    budget: Budget, value: object, case_sensitive: bool = False, attribute: Attribute = None
) -> Any:
    """The smallest element, by itself or by a part."""
    return _extreme(min, budget, value, case_sensitive, attribute)


def maximum(
    budget: Budget, value: object, case_sensitive: bool = False, attribute: Attribute = None
) -> Any:
    """The largest element, by itself or by a part."""
    return _extreme(max, budget, value, case_sensitive, attribute)


def _extreme(
    choose: Callable[..., Any],
    budget: Budget,
    value: object,
    case_sensitive: bool,
    attribute: Attribute,
) -> Any:
    values = listed(budget, value)
    if not values:
        return undefined("an empty list has no smallest and no largest element.")
    keys = _keys(budget, values, getter(budget, attribute), case_sensitive)
    budget.allocate(2 * REFERENCE_BYTES * len(keys))
    for key in keys:
        measure(budget, key)
    return values[choose(range(len(values)), key=keys.__getitem__)]


def sum_(budget: Budget, value: Any, attribute: Attribute = None, start: Any = 0) -> Any:
    """The sum of the elements, or of a part of each, added to `start`."""
    get = getter(budget, attribute)
    values = [get(found) for found in listed(budget, value)]
    if type(start) in NUMBERS and all(type(found) in NUMBERS for found in values):
        for found in values:
            pay_integers(budget, start, found)
        return sum(values, start)
    if isinstance(start, str):
        raise EvaluationError("sum can't join texts.", "Use: | join")
    total = start
    for found in values:
        total = add(budget, total, found)
    return total


def join(budget: Budget, value: object, d: object = "", attribute: Attribute = None) -> str:
    """The elements, or a part of each, printed one after the other with `d` between them."""
    get = getter(budget, attribute)
    parts = [to_text(budget, get(found)) for found in listed(budget, value)]
    return joined(budget, to_text(budget, d), parts)


def first(_budget: Budget, value: object) -> Any:
    """The first element."""
    for found in elements(value):
        return found
    return undefined("an empty list has no first element.")


def last(_budget: Budget, value: Any) -> Any:
    """The last element; a list that is read once can't be asked for it."""
    if isinstance(value, OnePass):
        raise EvaluationError("the last element of a filtered list isn't known.", "Add: | list")
    if isinstance(value, LazyList | str):
        return (
            value[len(value) - 1] if len(value) else undefined("an empty list has no last element.")
        )
    elements(value)  # Refuses what has none.
    for found in reversed(value):
        return found
    return undefined("an empty list has no last element.")


# Methods.


def dict_items(budget: Budget, value: dict[Any, Any]) -> Any:
    """A view of the map's pairs."""
    budget.step()
    return value.items()


def dict_keys(budget: Budget, value: dict[Any, Any]) -> Any:
    """A view of the map's keys."""
    budget.step()
    return value.keys()


def dict_values(budget: Budget, value: dict[Any, Any]) -> Any:
    """A view of the map's values."""
    budget.step()
    return value.values()


def dict_get(budget: Budget, value: dict[Any, Any], key: object, default: object = None) -> Any:
    """The value at a key, or `default`."""
    return value[key] if contains(budget, key, value) else default


def list_count(budget: Budget, value: Any, wanted: Any) -> int:
    """The number of elements equal to `wanted`."""
    budget.step(3 * len(value))
    return sum(1 for found in value if equal(budget, found, wanted))


def list_index(budget: Budget, value: Any, wanted: Any) -> int:
    """The place of the first element that is equal to `wanted`."""
    for index, found in enumerate(value):
        budget.turn()
        if equal(budget, found, wanted):
            return index
    raise EvaluationError("the list has no such element.", 'Test for it with "in" first.')


def map_of(value: object) -> dict[Any, Any]:
    """The value itself if it is a map. Raises `EvaluationError` for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, Undefined):
        value.refuse()
    raise EvaluationError(f"{kind(value)} is given where a map is needed.")
