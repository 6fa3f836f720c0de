"""Notes of the attempts that a worker runs, in memory that outlives it.

A worker writes them, and its engine reads them once it has died. Each place has the number of an
attempt that runs, or 0.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final

PLACES: Final = 4_096
"""The most attempts that are noted at once."""

_NUMBER: Final = struct.Struct("=Q")
SIZE_BYTES: Final = PLACES * _NUMBER.size


class Marks:
    """The notes, in a file of `SIZE_BYTES` that both processes have mapped."""

    def __init__(self, file: int) -> None:
        self._memory = mmap.mmap(file, SIZE_BYTES)
        self._free = list(range(PLACES))[::-1]
        self._places: dict[int, int] = {}

    def begin(self, number: int) -> None:
        """Note that an attempt has begun."""
        place = self._places[number] = self._free.pop()
        _NUMBER.pack_into(self._memory, place * _NUMBER.size, number)

    def end(self, number: int) -> None:
        """Note that it has ended."""
        place = self._places.pop(number)
        _NUMBER.pack_into(self._memory, place * _NUMBER.size, 0)
        self._free.append(place)

    def running(self) -> frozenset[int]:
        """The attempts that have begun and not ended."""
        return frozenset(number for (number,) in _NUMBER.iter_unpack(self._memory) if number)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
