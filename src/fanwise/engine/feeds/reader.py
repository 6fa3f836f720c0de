"""Reads a fan-out's source chunk by chunk, past the items that are recorded already."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from fanwise.bitmap import Bitmap
from fanwise.errors import AttemptError
from fanwise.ports import Source

NOTHING: Final = object()
"""Given in place of an item when the chunk has no more."""


class ItemReader:
    """A source's items, one by one. It holds one chunk, whatever the source's length.

    `index` is that of the next item, or the number of items so far once the chunk is used up. The
    next item is never a recorded one.
    """

    __slots__ = (
        "_chunk",
        "_cursor",
        "_done",
        "_reading",
        "_source",
        "_wanted",
        "error",
        "index",
        "is_exhausted",
    )

    def __init__(self, source: Source) -> None:
        self._source = source
        self._chunk: Sequence[Any] = ()
        self._cursor = 0  # the next element of the chunk
        self._reading: asyncio.Task[None] | None = None
        self._done: Bitmap | None = None
        self._wanted = 0  # the next index that isn't recorded
        self.index = 0
        self.is_exhausted = False
        self.error: AttemptError | None = None
        """The reason for which the source can't be read any further, or None."""

    def skip(self, done: Bitmap) -> None:
        """Pass over these indexes. To be called before the first item is read."""
        self._done = done

    @property
    def total(self) -> int:
        """The number of the source's items, or of those so far while that isn't known."""
        total = self._source.total
        return self.index if total is None else total

    @property
    def is_total_known(self) -> bool:
        """True if `total` counts all items."""
        return self.is_read_to_its_end or self._source.total is not None

    @property
    def has_item(self) -> bool:
        """True if `next_item` gives an item."""
        return self._cursor < len(self._chunk)

    @property
    def is_read_to_its_end(self) -> bool:
        """True if no item is left, in the chunk or in the source."""
        return self.is_exhausted and not self.has_item

    def peek(self) -> object:
        """The next item, or `NOTHING`."""
        return self._chunk[self._cursor] if self.has_item else NOTHING

    def next_item(self) -> Any:
        """Take the next item, or `NOTHING`. An `ErrorInfo` stands for an item that can't be read.

        It is called for every item, so it does as little as it can.
        """
        at = self._cursor
        chunk = self._chunk
        if at >= len(chunk):
            return NOTHING
        self._cursor = at + 1
        self.index += 1
        if self._done is not None:
            passed = self._recorded_ahead(len(chunk) - at - 1)
            self._cursor += passed
            self.index += passed
        return chunk[at]

    async def refill(self, changed: asyncio.Future[None]) -> None:
        """Read the next chunk, or return because `changed` is done first.

        Workers that come while a chunk is being read wait for the same one.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        reading = self._reading
        await asyncio.wait([reading, changed], return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()

    def close(self) -> None:
        """Stop reading, and give the source back."""
        if self._reading is not None:
            self._reading.cancel()
        self._source.close()

    async def _read(self) -> None:
        passed = 0
        try:
            chunk = await self._source.read()
            # Whole chunks are passed over here: workers would be woken for each otherwise.
            while chunk and (passed := self._recorded_ahead(len(chunk))) == len(chunk):
                self.index += passed
                chunk = await self._source.read()
        except AttemptError as error:
            self.error = error
            chunk = ()
        if chunk:
            self.index += passed
        self._chunk, self._cursor = chunk, passed
        self.is_exhausted = not chunk
        self._reading = None

    def _recorded_ahead(self, most: int) -> int:
        """The number of recorded items from `index` on without a gap, `most` at most."""
        if self._done is None:
            return 0
        if self.index >= self._wanted:
            self._wanted = self._done.first_missing(self.index)
        return min(self._wanted - self.index, most)
