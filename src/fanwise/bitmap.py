"""A set of whole numbers from 0, of which most are likely to be there: a bit for each.

It holds which items of a task are recorded: of ten million items 1.25 MB, wherever the gaps are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

_FULL: Final = b"\xff"  # a byte whose eight numbers are all there
_BLOCK_BYTES: Final = 1024


class Bitmap:
    """A set of whole numbers from 0 that grows as numbers are added."""

    __slots__ = ("_bits", "_count")

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._bits = bytearray()
        self._count = 0
        for number in numbers:
            self.add(number)

    def add(self, number: int) -> None:
        """Put `number` in; it may be there already."""
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._bits):
            # By half of what there is, so that adding stays cheap however far it grows.
            more = max(place + 1 - len(self._bits), len(self._bits) >> 1)
            self._bits.extend(bytes(more))
        if not self._bits[place] & bit:
            self._bits[place] |= bit
            self._count += 1

    def add_range(self, first: int, last: int) -> None:
        """Put in all numbers from `first` to `last`, both included."""
        while first <= last and first & 7:
            self.add(first)
            first += 1
        while first <= last and last & 7 != 7:
            self.add(last)
            last -= 1
        if first <= last:  # whole bytes
            start, stop = first >> 3, (last >> 3) + 1
            missing = stop - len(self._bits)
            if missing > 0:
                self._bits.extend(bytes(missing))
            held = sum(byte.bit_count() for byte in self._bits[start:stop])
            self._bits[start:stop] = _FULL * (stop - start)
            self._count += 8 * (stop - start) - held

    def discard(self, number: int) -> None:
        """Take `number` out, if it is there."""
        if number in self:
            self._bits[number >> 3] &= ~(1 << (number & 7))
            self._count -= 1

    def first_missing(self, start: int) -> int:
        """The lowest number from `start` on that isn't there."""
        number = start
        while number in self:
            if number & 7:
                number += 1
            else:  # as many whole bytes as there are in a block
                block = self._bits[number >> 3 : (number >> 3) + _BLOCK_BYTES]
                number += 8 * (len(block) - len(block.lstrip(_FULL))) or 1
        return number

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (number & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        """The numbers, from the lowest to the highest."""
        for place, byte in enumerate(self._bits):
            if byte:
                yield from (place << 3 | bit for bit in range(8) if byte >> bit & 1)

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bitmap):
            return NotImplemented
        return self._bits.rstrip(b"\0") == other._bits.rstrip(b"\0")

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"<Bitmap of {self._count:,}>"
