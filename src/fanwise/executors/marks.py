"""Notes of the attempts that a worker runs, in memory that outlives it.

A worker writes them, and its engine reads them once it has died. The first number counts attempts
that found no place; each other one is that of an attempt that runs, or 0.
"""

from __future__ import annotations

import mmap
from typing import Final

PLACES: Final = 4_096

_NUMBER: Final = "Q"  # of eight bytes, as the processor has them
_NOWHERE: Final = 0
SIZE_BYTES: Final = (1 + PLACES) * 8


class Marks:
    """The notes, in a file of `SIZE_BYTES` that both processes have mapped."""

    def __init__(self, file: int) -> None:
        self._memory = mmap.mmap(file, SIZE_BYTES)
        self._numbers = memoryview(self._memory).cast(_NUMBER)
        self._free = list(range(PLACES, 0, -1))
        self._places: dict[int, int] = {}
        self._unnoted = 0

    def begin(self, number: int) -> None:
        """Note that an attempt has begun."""
        if not self._free:
            self._places[number] = _NOWHERE
            self._count(1)
            return
        place = self._places[number] = self._free.pop()
        self._numbers[place] = number

    def end(self, number: int) -> None:
        """Note that it has ended."""
        place = self._places.pop(number)
        if place == _NOWHERE:
            self._count(-1)
            return
        self._numbers[place] = 0
        self._free.append(place)

    def _count(self, change: int) -> None:
        self._unnoted += change
        self._numbers[_NOWHERE] = self._unnoted

    def running(self) -> frozenset[int] | None:
        """The attempts that have begun and not ended, or None if not all of them are noted."""
        unnoted, *numbers = self._numbers
        return None if unnoted else frozenset(numbers) - {0}

    def close(self) -> None:
        """Give the memory back."""
        self._numbers.release()
        self._memory.close()
