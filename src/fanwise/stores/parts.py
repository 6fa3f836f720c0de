"""Lists of any length in statements of a bounded one, and the names of their values there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from fanwise.stores.rows import SqlValue

_Value = TypeVar("_Value")


def in_parts(values: Sequence[_Value], most: int) -> Iterator[Sequence[_Value]]:
    """Give so many values at a time at most, in their order."""
    for start in range(0, len(values), most):
        yield values[start : start + most]


def numbered(rows: Iterable[Mapping[str, SqlValue]]) -> dict[str, SqlValue]:
    """Return the values of rows under names such as `path_0` in the first row."""
    return {
        f"{name}_{number}": value for number, row in enumerate(rows) for name, value in row.items()
    }
