"""The rules of `a['b']` and `a[1:2]`: keys of maps, places in lists and texts, and nothing else."""

from __future__ import annotations

from typing import Any

from fanwise.expressions.budget import REFERENCE_BYTES, Budget
from fanwise.expressions.flow import (
    SCALARS,
    Group,
    OnePass,
    Undefined,
    has_chosen_hash,
    kind,
)
from fanwise.expressions.missing import no_such_part
from fanwise.expressions.refusal import EvaluationError
from fanwise.values import LazyList

_SEQUENCES = (str, list, tuple, range, LazyList)


def element(value: Any, key: Any, owner: str, *, named: bool) -> Any:
    """The value of `owner[key]`. `named` says that the key is in the template's own text."""
    if isinstance(value, dict) and type(key) is str and key in value:
        return value[key]  # as nearly always
    if isinstance(value, Undefined):
        return value  # What is missing has no parts, and `default` stands in for all of them.
    if isinstance(value, OnePass):
        _refuse(value)
    if type(key) not in SCALARS:
        if isinstance(key, Undefined):
            key.refuse()
        raise EvaluationError(f"{kind(key)} can't be a key.")
    try:
        if isinstance(value, dict):
            return value[key]
        if isinstance(value, Group) and isinstance(key, str):
            return value[Group._fields.index(key)]
        if isinstance(value, _SEQUENCES) and isinstance(key, int):
            index = key + len(value) if key < 0 else key
            if index >= 0:
                return value[index]
    except (LookupError, ValueError):
        pass
    return no_such_part(owner, value, key if named else None)


def map_key(key: object) -> object:
    """The key itself if a map can have it. Raises `EvaluationError` for anything else."""
    if type(key) not in SCALARS:
        if isinstance(key, Undefined):
            key.refuse()
        raise EvaluationError(f"{kind(key)} can't be a key.")
    if isinstance(key, int | float) and has_chosen_hash(key):
        raise EvaluationError("a number beyond 2**61 can't be a key.", "Add: | string")
    return key


def part(budget: Budget, value: Any, start: Any, stop: Any, step: Any) -> Any:
    """The value of `value[start:stop:step]`."""
    if not isinstance(value, _SEQUENCES):
        if isinstance(value, Undefined | OnePass):
            _refuse(value)
        raise EvaluationError(f"a slice can't be taken of {kind(value)}.")
    for bound in (start, stop, step):
        if bound is not None and not isinstance(bound, int):
            raise EvaluationError(f"a slice goes from number to number, not {kind(bound)}.")
    indexes = range(len(value))[start:stop:step]
    if isinstance(value, LazyList):
        budget.step(len(indexes))
        budget.allocate(REFERENCE_BYTES * len(indexes))
        return [value[index] for index in indexes]
    if isinstance(value, str):
        budget.scan(4 * len(indexes))
        budget.allocate(4 * len(indexes))
    elif not isinstance(value, range):
        budget.step(len(indexes))
        budget.allocate(REFERENCE_BYTES * len(indexes))
    return value[start:stop:step]


def _refuse(value: Undefined | OnePass) -> None:
    if isinstance(value, Undefined):
        value.refuse()
    raise EvaluationError("a filtered list has no parts until it is read.", "Add: | list")
