"""Sources that change how another one is dealt out: in batches, or only some of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from fanwise.model import ErrorInfo
from fanwise.ports import Source
from fanwise.values import FrozenList


class BatchSource:
    """Lists of `size` elements of another source; the last one may be shorter.

    A batch is given when it is full, or when the other source has ended. If an element can't be
    read, its whole batch can't: it is an `ErrorInfo` that says which one is at fault.
    """

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._size = size
        self._gathered: list[Any] = []
        self._is_at_end = False
        self.total = self._count()

    async def read(self) -> Sequence[Any]:
        """The next batches; empty at the end. Raises what the other source raises."""
        while len(self._gathered) < self._size and not self._is_at_end:
            chunk = await self._source.read()
            self._gathered += chunk
            self._is_at_end = not chunk
        self.total = self._count()
        gathered, size = self._gathered, self._size
        ready = len(gathered) if self._is_at_end else len(gathered) // size * size
        self._gathered = gathered[ready:]
        return [_batch(gathered[start : start + size]) for start in range(0, ready, size)]

    def close(self) -> None:
        """Close the other source."""
        self._source.close()
        self._gathered = []

    def _count(self) -> int | None:
        total = self._source.total
        return None if total is None else -(-total // self._size)


class SoundSource:
    """The elements of another source that can be read.

    `left_out` is told of each chunk how many these are, and the errors in place of the others.
    """

    def __init__(
        self, source: Source, left_out: Callable[[int, Sequence[ErrorInfo]], None]
    ) -> None:
        self._source = source
        self._left_out = left_out
        self._given = 0
        self.total: int | None = None

    async def read(self) -> Sequence[object]:
        """The next elements; empty at the end. Raises what the other source raises."""
        while chunk := await self._source.read():
            faults = [element for element in chunk if type(element) is ErrorInfo]
            kept = chunk
            if faults:
                kept = [element for element in chunk if type(element) is not ErrorInfo]
            self._left_out(len(kept), faults)
            if kept:
                self._given += len(kept)
                return kept
        self.total = self._given
        return ()

    def close(self) -> None:
        """Close the other source."""
        self._source.close()


class FirstSource:
    """The first `most` items of another source."""

    total: int | None

    def __init__(self, source: Source, most: int) -> None:
        self._source = source
        self._most = most
        self._given = 0
        self.total = None if source.total is None else min(source.total, most)

    async def read(self) -> Sequence[Any]:
        """The next items; empty at the end. Raises what the other source raises."""
        left = self._most - self._given
        chunk = (await self._source.read())[:left] if left else ()
        self._given += len(chunk)
        if not chunk:
            self.total = self._given
        return chunk

    def close(self) -> None:
        """Close the other source."""
        self._source.close()


def _batch(elements: list[Any]) -> FrozenList | ErrorInfo:
    for place, element in enumerate(elements):
        if type(element) is ErrorInfo:
            message = f"item[{place}] of the batch can't be read: {element.message}"
            return replace(element, message=message)
    return FrozenList(elements)
