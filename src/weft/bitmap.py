"""A set of whole numbers from 0, of which most are likely to be there: a bit for each.

It holds which items of a task are recorded: of ten million items 1.25 MB, wherever the gaps are.
"""

from __future__ import annotations

from collections.abc import Iterable


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

    def discard(self, number: int) -> None:
        """Take `number` out, if it is there."""
        if number in self:
            self._bits[number >> 3] &= ~(1 << (number & 7))
            self._count -= 1

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (number & 7) & 1)

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bitmap):
            return NotImplemented
        return self._bits.rstrip(b"\0") == other._bits.rstrip(b"\0")

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"<Bitmap of {self._count:,}>"
