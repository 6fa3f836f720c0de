"""The values that flow through a template, and their names in messages.

They are JSON values, tuples, lazy lists from the store, Python's ranges and views of maps, and
three kinds of our own: `OnePass`, `Group` and `Undefined`. Nothing else ever enters an evaluation,
so no Python object is within a template's reach.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from math import inf
from types import NoneType
from typing import Any, NamedTuple, NoReturn

from fanwise.expressions.refusal import EvaluationError
from fanwise.values import LazyList

NUMBERS = frozenset({bool, int, float})
SCALARS = NUMBERS | {NoneType, str}

MAX_KEY = 2**61 - 2
"""The largest integer that is its own hash: CPython takes the remainder by 2**61 - 1."""


class OnePass:
    """A list that is read as it is consumed, and once: what `select`, `map` and the like give.

    `is_fresh` says that its elements are read from the store and belong to nobody else yet.
    """

    __slots__ = ("_iterator", "is_fresh")

    def __init__(self, iterator: Iterator[object], *, is_fresh: bool = False) -> None:
        self._iterator = iterator
        self.is_fresh = is_fresh

    def __iter__(self) -> Iterator[object]:
        return self._iterator

    def _refuse(self, *_: object) -> NoReturn:
        raise EvaluationError(
            "a filtered list can only be read once, from its start.", "Add: | list"
        )

    # Python would give an answer for each of these that has nothing to do with the elements.
    __bool__ = __len__ = __str__ = __repr__ = __eq__ = __hash__ = _refuse


class Undefined:
    """A missing value. `default` and `is defined` take it; every other use fails.

    `explain` makes the failure's text when it is needed, since most often it isn't.
    """

    __slots__ = ("_explain",)

    def __init__(self, explain: Callable[[], EvaluationError]) -> None:
        self._explain = explain

    def refuse(self, *_: object) -> NoReturn:
        """Raise the `EvaluationError` that says what is missing."""
        raise self._explain()

    __bool__ = __len__ = __iter__ = __contains__ = __str__ = __repr__ = refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = refuse


class Group(NamedTuple):
    """One group of `groupby`: a tuple whose parts templates may also name."""

    grouper: Any
    list: list[Any]

    def __repr__(self) -> str:
        return tuple.__repr__(self)


_VIEWS = (ItemsView, KeysView, ValuesView)
ITERABLE = (str, list, tuple, dict, range, LazyList, OnePass, *_VIEWS)
_SIZED = (str, list, tuple, dict, range, LazyList, *_VIEWS)


def kind(value: object) -> str:
    """The kind of a value, in the words of a workflow's author."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return "a map"
    return "undefined" if isinstance(value, Undefined) else "a list"


def elements(value: object) -> Iterator[object]:
    """Iterate over a value: the elements of a list, the keys of a map, the characters of text."""
    if isinstance(value, ITERABLE):
        return iter(value)
    if isinstance(value, Undefined):
        value.refuse()
    raise EvaluationError(f"{kind(value)} has no elements to go through.")


def length(value: object) -> int:
    """The number of elements or characters of a value."""
    if isinstance(value, _SIZED):
        return len(value)
    if isinstance(value, OnePass | Undefined):
        return len(value)  # Both refuse, and say why.
    raise EvaluationError(f"{kind(value)} has no length.")


def hash_key(value: object) -> object:
    """A key that is equal for equal scalars, and whose hash a template's author can't choose."""
    if isinstance(value, int | float) and has_chosen_hash(value):
        return (hex(int(value)),)
    return value


def has_chosen_hash(number: float) -> bool:
    """True if other numbers have the same hash, so that it takes them long to fill a map."""
    return bool(MAX_KEY < abs(number) < inf)


def is_fresh(value: object) -> bool:
    """True if the elements are read from the store, so that keeping them takes memory."""
    return isinstance(value, LazyList) or (isinstance(value, OnePass) and value.is_fresh)
