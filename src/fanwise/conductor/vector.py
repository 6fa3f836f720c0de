"""A persistent vector: a change makes a new vector that shares almost all of the old one.

It is what lets the conductor's state be frozen and a decision cost the same in a workflow of ten
tasks and of ten thousand. The elements are in blocks of 64 under one list of blocks, so a change
copies about 64 + n/64 pointers. (A trie of more levels pays off only beyond 100,000 elements.)
The blocks are lists because those copy three times as fast as tuples are put together; nothing
changes one that is in a vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

_BITS = 6
_SIZE = 1 << _BITS
_MASK = _SIZE - 1


class Vector(Generic[T]):
    """An immutable sequence, whose `update` and `append` give a changed copy."""

    __slots__ = ("_blocks", "_length")

    def __init__(self, elements: Iterable[T]) -> None:
        flat = list(elements)
        self._length = len(flat)
        self._blocks = [flat[at : at + _SIZE] for at in range(0, len(flat), _SIZE)]

    def update(self, changes: Mapping[int, T]) -> Vector[T]:
        """The vector with these elements in place of its own; this one stays as it is."""
        blocks = self._blocks.copy()
        for index, element in changes.items():
            at = index >> _BITS
            if blocks[at] is self._blocks[at]:
                blocks[at] = blocks[at].copy()
            blocks[at][index & _MASK] = element
        return self._of(blocks, self._length)

    def append(self, element: T) -> Vector[T]:
        """The vector with one element more; this one stays as it is."""
        blocks = self._blocks.copy()
        if self._length & _MASK:
            blocks[-1] = [*blocks[-1], element]
        else:
            blocks.append([element])
        return self._of(blocks, self._length + 1)

    @staticmethod
    def _of(blocks: list[list[T]], length: int) -> Vector[T]:
        vector: Vector[T] = Vector.__new__(Vector)
        vector._blocks = blocks
        vector._length = length
        return vector

    def __getitem__(self, index: int) -> T:
        return self._blocks[index >> _BITS][index & _MASK]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._blocks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vector) and self._blocks == other._blocks

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Vector({list(self)!r})"


EMPTY: Final[Vector[Any]] = Vector(())
