"""A task's aggregated output: a list that reads pages from the store when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, overload

from weft.ports import Pages
from weft.values import LazyList, decode

PAGE = 1_000
"""Items in a page."""

_KEPT = 4  # pages that stay in memory, so that neighbours are read once


class PagedOutput(LazyList):
    """The outputs of a task's items, in the items' order; null where an item has none.

    It holds a few pages, however long it is. Any thread may read it; reading may block.
    """

    __slots__ = ("_length", "_pages", "_read", "_run_no", "_task_no")

    def __init__(self, pages: Pages, run_no: int, task_no: int, length: int) -> None:
        self._pages = pages
        self._run_no = run_no
        self._task_no = task_no
        self._length = length
        self._read: OrderedDict[int, list[Any]] = OrderedDict()

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(self._length))]
        at = index + self._length if index < 0 else index
        if not 0 <= at < self._length:
            raise IndexError(f"index {index} of a list of {self._length}")
        return self._page(at // PAGE)[at % PAGE]

    def __iter__(self) -> Iterator[Any]:
        for number in range((self._length + PAGE - 1) // PAGE):
            yield from self._page(number)

    def _page(self, number: int) -> list[Any]:
        page = self._read.get(number)
        if page is None:
            start = number * PAGE
            stop = min(start + PAGE, self._length)
            page = [None] * (stop - start)
            for index, output in self._pages.outputs(self._run_no, self._task_no, start, stop):
                page[index - start] = decode(output)
            self._read[number] = page
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return page
