"""Arrivals as templates see them under `trigger`: one event, or the list of those of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from fanwise.model import EVENT, Arrival
from fanwise.triggers.local_times import find_zone, local_of
from fanwise.values import CHUNK_ITEMS, FrozenDict, Json, PagedList, decode

ReadEvents: TypeAlias = Callable[[int, int], Sequence[tuple[int, Arrival]]]
"""Reads the arrivals of a batch from an index up to another one, or the first of these."""

_UTC: Final = find_zone("UTC")


def event_of(arrival: Arrival) -> FrozenDict:
    """The event of an arrival: of one that was emitted its data, of others its parts."""
    facts: dict[str, Json] = {"id": arrival.id, "name": arrival.name}
    facts["at"] = local_of(arrival.at, _UTC).isoformat()
    data = decode(arrival.data)
    if arrival.source != EVENT and isinstance(data, dict):
        return FrozenDict({**facts, **data})
    return FrozenDict({**facts, "key": arrival.key, "by": arrival.by, "data": data})


class Events(PagedList):
    """The events of a batch, of which one page is held, however many there are.

    Any thread may read it; reading may block.
    """

    __slots__ = ("_length", "_page", "_read")

    def __init__(self, read: ReadEvents, length: int) -> None:
        self._read = read
        self._length = length
        # Replaced as a whole, so that threads need no lock.
        self._page: tuple[int, Sequence[FrozenDict]] = (0, ())

    def __len__(self) -> int:
        return self._length

    def chunk(self, start: int) -> Sequence[FrozenDict]:
        """The events from `start` to the end of a page; none at the end of the list."""
        if start >= self._length:
            return ()
        first, page = self._page
        if not first <= start < first + len(page):
            stop = min(start + CHUNK_ITEMS, self._length)
            first, page = start, [event_of(each) for _, each in self._read(start, stop)]
            self._page = first, page
        return page[start - first :]
