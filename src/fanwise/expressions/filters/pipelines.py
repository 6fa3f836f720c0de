"""Lazy filters: they read a list as it is consumed, one element at a time.

`attribute` is the constant path of a part of each element, such as "address.city" or 0. `function`
and `test` are filters and tests of the table, which the compiler looks up by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product as combinations
from typing import Any

from fanwise.expressions.budget import ELEMENT_BYTES, REFERENCE_BYTES, Budget
from fanwise.expressions.filters.lists import Attribute, dict_items, getter, ignoring_case, map_of
from fanwise.expressions.flow import (
    SCALARS,
    OnePass,
    Undefined,
    elements,
    hash_key,
    is_fresh,
    kind,
    length,
)
from fanwise.expressions.refusal import EvaluationError
from fanwise.expressions.traversal import listed, measure

_NOT_GIVEN = object()


def select(
    budget: Budget, value: object, test: Callable[..., object] | None = None, /, *args: object
) -> OnePass:
    """The elements that pass the test, or that are true."""
    return _filtered(budget, value, None, _judge(budget, test, args))


def reject(
    budget: Budget, value: object, test: Callable[..., object] | None = None, /, *args: object
) -> OnePass:
    """The elements that don't pass the test, or that are false."""
    return _filtered(budget, value, None, _judge(budget, test, args), is_kept=False)


def selectattr(
    budget: Budget,
    value: object,
    attribute: Attribute,
    test: Callable[..., object] | None = None,
    /,
    *args: object,
) -> OnePass:
    """The elements of which a part passes the test, or is true."""
    return _filtered(budget, value, attribute, _judge(budget, test, args))


def rejectattr(
    budget: Budget,
    value: object,
    attribute: Attribute,
    test: Callable[..., object] | None = None,
    /,
    *args: object,
) -> OnePass:
    """The elements of which a part doesn't pass the test, or is false."""
    return _filtered(budget, value, attribute, _judge(budget, test, args), is_kept=False)


def _judge(
    budget: Budget, test: Callable[..., object] | None, args: tuple[object, ...]
) -> Callable[[object], object]:
    """A function that is true of a value that passes the test, or that is true."""
    if test is None:
        return bool
    if len(args) == 1:  # as most tests have, and without a tuple for each element
        (other,) = args
        return lambda it: test(budget, it, other)
    return lambda it: test(budget, it, *args)


def _filtered(
    budget: Budget,
    value: object,
    attribute: Attribute,
    judge: Callable[[object], object],
    *,
    is_kept: bool = True,
) -> OnePass:
    """The elements whose part is judged so; lists of millions come here, so steps are few."""
    source, get = elements(value), getter(budget, attribute)
    turn = budget.turn

    def run() -> Iterator[object]:
        for found in source:
            turn()
            if bool(judge(get(found))) is is_kept:
                yield found

    return OnePass(run(), is_fresh=is_fresh(value))


def map_(
    budget: Budget,
    value: object,
    function: Callable[..., object] | None = None,
    /,
    *args: object,
    attribute: Attribute = None,
    default: object = _NOT_GIVEN,
    **kwargs: object,
) -> OnePass:
    """A part of each element, or what a filter makes of each."""
    source = elements(value)
    if function is None:
        if attribute is None or args or kwargs:
            raise EvaluationError("map needs the name of a filter, or attribute=.")
        apply = getter(budget, attribute, None if default is _NOT_GIVEN else default)
    else:
        if default is not _NOT_GIVEN:
            kwargs["default"] = default
        if attribute is not None:
            kwargs["attribute"] = attribute

        def apply(it: object) -> Any:
            return function(budget, it, *args, **kwargs)

    def run() -> Iterator[object]:
        for found in source:
            budget.turn()
            yield apply(found)

    return OnePass(run(), is_fresh=is_fresh(value))


def batch(budget: Budget, value: object, linecount: int, fill_with: object = None) -> OnePass:
    """Lists of `linecount` elements each, the last one filled up if `fill_with` is given."""
    source = elements(value)
    if fill_with is not None:
        budget.allocate(REFERENCE_BYTES * max(linecount, 0))

    def run() -> Iterator[object]:
        row: list[Any] = []
        for found in source:
            if len(row) == linecount:
                yield row
                budget.allocate(ELEMENT_BYTES)
                row = []
            budget.turn()
            budget.allocate(REFERENCE_BYTES)
            row.append(found)
        if row:
            if fill_with is not None:
                row += [fill_with] * (linecount - len(row))
            yield row

    return OnePass(run(), is_fresh=is_fresh(value))


def zip_(budget: Budget, value: object, /, *others: object) -> OnePass:
    """Lists of the elements that these lists have at one place; they have to be of one length."""
    sources = [value, *others]
    sizes = {length(it) for it in sources if not isinstance(it, OnePass)}
    if len(sizes) > 1:
        raise _unequal()
    each = [elements(it) for it in sources]

    def run() -> Iterator[object]:
        try:
            for row in zip(*each, strict=True):
                yield _row(budget, row)
        except ValueError:
            raise _unequal() from None

    return OnePass(run(), is_fresh=any(is_fresh(it) for it in sources))


def product(budget: Budget, value: object, /, *others: object) -> OnePass:
    """Lists of one element of each of these lists: all combinations, the last one changes first."""
    source, rest = elements(value), [listed(budget, it) for it in others]

    def run() -> Iterator[object]:
        for found in source:
            budget.step(1 + len(rest))
            for row in combinations(*rest):
                yield _row(budget, (found, *row))

    return OnePass(run(), is_fresh=is_fresh(value))


def _row(budget: Budget, parts: tuple[object, ...]) -> list[object]:
    budget.step(2 + len(parts))
    budget.allocate(ELEMENT_BYTES + REFERENCE_BYTES * len(parts))
    return list(parts)


def _unequal() -> EvaluationError:
    return EvaluationError(
        "zip needs lists of one length.", "Cut the longer one, as in names[:3], or use product."
    )


def slice_(budget: Budget, value: object, slices: int, fill_with: object = None) -> OnePass:
    """So many lists of about the same length, all filled up if `fill_with` is given."""
    values = listed(budget, value)
    size, longer = divmod(len(values), slices)

    def run() -> Iterator[object]:
        start = 0
        for number in range(slices):
            stop = start + size + (number < longer)
            budget.turn()
            budget.allocate(ELEMENT_BYTES + REFERENCE_BYTES * (stop - start))
            row = list(values[start:stop])
            if fill_with is not None and number >= longer:
                row.append(fill_with)
            yield row
            start = stop

    return OnePass(run(), is_fresh=is_fresh(value))


def unique(
    budget: Budget, value: object, case_sensitive: bool = False, attribute: Attribute = None
) -> OnePass:
    """The elements without those of which an equal one came before."""
    source, get = elements(value), getter(budget, attribute)

    def run() -> Iterator[object]:
        seen = set()
        for found in source:
            budget.turn()
            key = get(found) if case_sensitive else ignoring_case(budget, get(found))
            if type(key) not in SCALARS:
                if isinstance(key, Undefined):
                    key.refuse()
                raise EvaluationError(
                    f"unique can't compare {kind(key)}.", "Name a part with attribute=."
                )
            budget.allocate(measure(budget, key))
            key = hash_key(key)
            if key not in seen:
                seen.add(key)
                yield found

    return OnePass(run(), is_fresh=is_fresh(value))


def items(budget: Budget, value: object) -> OnePass:
    """The pairs of key and value of a map."""
    return OnePass(iter(dict_items(budget, map_of(value))))


def reverse(budget: Budget, value: Any) -> Any:
    """The text backwards, or the elements from the last to the first."""
    if isinstance(value, str):
        budget.text(value)
        return value[::-1]
    if isinstance(value, OnePass):
        return list(reversed(listed(budget, value)))
    elements(value)  # Refuses what has none.
    return OnePass(reversed(value), is_fresh=is_fresh(value))
