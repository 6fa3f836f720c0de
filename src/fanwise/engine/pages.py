"""A task's aggregated output: a list that reads pages from the store when they are asked for.

A page is a span of indexes with up to `CHUNK_ITEMS` outputs, and with about `PAGE_BYTES` of JSON
text at most: it ends after the output that reaches those bytes. A `PagedOutput` keeps the pages it
read last, so what it holds doesn't depend on how many outputs there are or how large they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from fanwise.engine.failures import FailedItems, read_failed
from fanwise.model import Status, TaskResult
from fanwise.ports import PAGE_BYTES, Pages, Records
from fanwise.values import CHUNK_ITEMS, PagedList, decode

# Neighbours are read once, and so are a few lists that are read side by side.
_KEPT_PAGES = 4
_KEPT_BYTES = _KEPT_PAGES * PAGE_BYTES


def with_pages(result: TaskResult, records: Records, run_no: int, visit_no: int) -> TaskResult:
    """The result of a visit with items, with its outputs and its failed items as lazy lists."""
    counts = result.items
    if counts is None:
        return result
    if counts.failed:
        failures = FailedItems(partial(read_failed, records), run_no, visit_no, counts.failed)
        result = replace(result, failures=failures)
    if result.status in (Status.SUCCEEDED, Status.FAILED):
        result = replace(result, output=PagedOutput(records, run_no, visit_no, counts.total))
    return result


class _Page(NamedTuple):
    """The outputs from the index `start` on, and the size of their texts."""

    start: int
    outputs: list[Any]
    size_bytes: int

    @property
    def stop(self) -> int:
        return self.start + len(self.outputs)


class PagedOutput(PagedList):
    """The outputs of a task's items, in the items' order; null where an item has none.

    It holds a few pages, however long it is. Any thread may read it; reading may block.
    """

    __slots__ = ("_kept", "_length", "_pages", "_run_no", "_span", "_visit_no")

    def __init__(self, pages: Pages, run_no: int, visit_no: int, length: int) -> None:
        self._pages = pages
        self._run_no = run_no
        self._visit_no = visit_no
        self._length = length
        # The newest first. It is replaced as a whole, so that threads need no lock.
        self._kept: tuple[_Page, ...] = ()
        self._span = CHUNK_ITEMS  # of the pages that single elements are looked up in

    def __len__(self) -> int:
        return self._length

    def chunk(self, start: int) -> Sequence[Any]:
        """The outputs from `start` to the end of a page; none at the end of the list."""
        if start >= self._length:
            return ()
        page = self._found(start) or self._read(start, CHUNK_ITEMS)
        return page.outputs[start - page.start :]

    def _element(self, index: int) -> Any:
        page = self._found(index) or self._around(index)
        return page.outputs[index - page.start]

    def _found(self, index: int) -> _Page | None:
        """The page with this index, if it is kept."""
        for page in self._kept:
            if page.start <= index < page.stop:
                return page
        return None

    def _around(self, index: int) -> _Page:
        """Read a page with this index that begins at the same place for all of its neighbours.

        So a list that is read backwards, or back and forth, still reads each page once.
        """
        while True:
            span = self._span
            page = self._read(index - index % span, span)
            if index < page.stop:
                return page
            # The outputs are large: look in narrower pages, of as many as have just been read.
            self._span = min(span // 2, len(page.outputs))

    def _read(self, start: int, span: int) -> _Page:
        """Read the page from `start` on, of up to `span` outputs."""
        stop = min(start + span, self._length)
        found = self._pages.outputs(
            self._run_no, self._visit_no, start, stop, limit_bytes=PAGE_BYTES
        )
        size_bytes = sum([len(output) for _, output in found])
        if size_bytes >= PAGE_BYTES:  # There may be more before `stop`.
            stop = found[-1][0] + 1
        outputs: list[Any] = [None] * (stop - start)
        for index, output in found:
            outputs[index - start] = decode(output)
        page = _Page(start, outputs, size_bytes)
        self._keep(page)
        return page

    def _keep(self, page: _Page) -> None:
        kept, size_bytes = [page], page.size_bytes
        for older in self._kept[: _KEPT_PAGES - 1]:
            size_bytes += older.size_bytes
            if size_bytes > _KEPT_BYTES:
                break
            kept.append(older)
        self._kept = tuple(kept)
