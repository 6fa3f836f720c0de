"""Sources that are in memory, or in the store: lists, ranges, iterators, and several at once.

Whatever may block, a `LazyList` or an iterator, is read in a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import Any, Final

from fanwise.errors import ResultError
from fanwise.model import ErrorInfo
from fanwise.ports import Source
from fanwise.sources.errors import source_error
from fanwise.values import CHUNK_ITEMS, FrozenDict, FrozenList, LazyList, freeze

_PATIENCE_S: Final = 0.05
"""The longest wait of an iterator's item for others to go with it."""

LIST_ITEMS: Final = 8 * CHUNK_ITEMS
"""The largest chunk of frozen elements: workers elsewhere are given thousands of items at once."""


class ListSource:
    """The elements of a list."""

    total: int | None

    def __init__(self, values: Sequence[Any]) -> None:
        self.total = len(values)
        self._values = values
        self._next = 0

    async def read(self) -> Sequence[Any]:
        """The next elements; empty at the end."""
        values = self._values
        if isinstance(values, LazyList):
            chunk = await asyncio.to_thread(values.chunk, self._next)
        elif isinstance(values, FrozenList | range):
            chunk = values[self._next : self._next + LIST_ITEMS]
        else:
            chunk = _items(values[self._next : self._next + CHUNK_ITEMS])
        self._next += len(chunk)
        return chunk

    def close(self) -> None:
        """Let go of the list."""
        self._values = ()


class RangeSource(ListSource):
    """The numbers of a range: from 0 to below N, or of {start, stop, step}.

    Raises `AttemptError` for what isn't a range of whole numbers.
    """

    def __init__(self, bounds: object) -> None:
        try:
            super().__init__(_range(bounds))
        except (TypeError, ValueError, OverflowError):
            raise source_error(
                "WithItemsError",
                "`range` in with-items isn't a number, or a map of start, stop and step.",
                hint="Give a whole number, `{range: 100}`, or a template that gives one or a map: "
                "`{range: \"{{ {'start': 1, 'stop': 101} }}\"}`.",
            ) from None


class IteratorSource:
    """The elements of an iterable, which is read once.

    The first chunk is one element, and each further one is twice as long, but as soon as one took
    too long it starts again: nobody can know beforehand how long the next element takes.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        self.total: int | None = None
        self._values = iter(values)
        self._count = 0
        self._chunk_items = 1

    async def read(self) -> Sequence[Any]:
        """The next elements, as soon as there are any. Raises what the iterable raises."""
        chunk = await asyncio.to_thread(self._take)
        self._count += len(chunk)
        if not chunk:
            self.total = self._count
        return chunk

    def _take(self) -> list[Any]:
        started = monotonic()
        chunk = _items(islice(self._values, self._chunk_items))
        is_quick = monotonic() - started < _PATIENCE_S
        self._chunk_items = min(2 * self._chunk_items, CHUNK_ITEMS) if is_quick else 1
        return chunk

    def close(self) -> None:
        """Let go of the iterable."""
        self._values = iter(())


class ZippedSource:
    """Several sources that advance together: each item is a map with a value from each of them."""

    total: int | None

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        self._waiting: dict[str, deque[Any]] = {name: deque() for name in sources}
        self.total = min(self._known_totals(), default=None)

    async def read(self) -> Sequence[Any]:
        """The next items.

        Raises `AttemptError` when the sources turn out to have different lengths, which is before
        the first item if all of them know their totals.
        """
        for name, waiting in self._waiting.items():
            if not waiting:
                waiting.extend(await self._sources[name].read())
        totals = self._known_totals()
        count = min(map(len, self._waiting.values()))
        if len(totals) > 1 or (not count and any(self._waiting.values())):
            raise source_error(
                "WithItemsLengths",
                f"the lists {', '.join(self._sources)} of with-items have different lengths.",
                hint="Lists that advance together need as many elements each.",
            )
        self.total = min(totals, default=None)
        return [self._next() for _ in range(count)]

    def _known_totals(self) -> set[int]:
        return {source.total for source in self._sources.values() if source.total is not None}

    def _next(self) -> FrozenDict | ErrorInfo:
        values = {name: waiting.popleft() for name, waiting in self._waiting.items()}
        fault = next((value for value in values.values() if isinstance(value, ErrorInfo)), None)
        return fault or FrozenDict(values)

    def close(self) -> None:
        """Close all of the sources."""
        for source in self._sources.values():
            source.close()


def _range(bounds: object) -> range:
    if not isinstance(bounds, dict):
        bounds = {"stop": bounds}
    if not all(type(bound) is int for bound in bounds.values()):
        raise TypeError
    return _counted(**bounds)


def _counted(*, stop: int, start: int = 0, step: int = 1) -> range:
    return range(start, stop, step)


def _items(values: Iterable[Any]) -> list[Any]:
    """The values, frozen; one that isn't JSON becomes the error of its item."""
    return [_item(value) for value in values]


def _item(value: object) -> Any:
    try:
        return freeze(value)
    except ResultError as error:
        return ErrorInfo(type=error.type, message=str(error))
