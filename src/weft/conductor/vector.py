"""A persistent vector: setting one element makes a new vector that shares almost all of the old.

It is what lets the conductor's state be frozen and a decision cost the same in a workflow of ten
tasks and of ten thousand. The elements stand in blocks of 64 under one tuple of blocks, so a change
copies about 64 + n/64 pointers. (A trie of more levels pays off only beyond 100,000 elements.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_BITS = 6
_SIZE = 1 << _BITS
_MASK = _SIZE - 1


class Vector(Generic[T]):
    """An immutable sequence of fixed length, whose `set` gives a changed copy."""

    __slots__ = ("_blocks", "_length")

    def __init__(self, elements: Iterable[T]) -> None:
        flat = tuple(elements)
        self._length = len(flat)
        self._blocks = tuple(flat[at : at + _SIZE] for at in range(0, len(flat), _SIZE))

    def set(self, index: int, element: T) -> Vector[T]:
        """The vector with `element` at `index`; this one stays as it is."""
        at, within = index >> _BITS, index & _MASK
        blocks = self._blocks
        block = blocks[at]
        changed: Vector[T] = Vector.__new__(Vector)
        changed._length = self._length
        changed._blocks = (
            *blocks[:at],
            (*block[:within], element, *block[within + 1 :]),
            *blocks[at + 1 :],
        )
        return changed

    def __getitem__(self, index: int) -> T:
        return self._blocks[index >> _BITS][index & _MASK]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        for block in self._blocks:
            yield from block

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vector) and self._blocks == other._blocks

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Vector({list(self)!r})"
