"""A task's failed items: a list that reads pages from the store when they are asked for.

It holds one page, and of each page before that the index at which it ended. An element is a map of
`index`, `label`, `item` and `error`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Final, TypeAlias

from fanwise.model import ErrorInfo, ItemOutcome, Status, VisitRecord
from fanwise.ports import Records
from fanwise.values import FrozenDict, PagedList, decode

_PAGE_ITEMS: Final = 100
"""Failed items that are read at once: each may have an error and an item of `error_bytes`."""


Read: TypeAlias = Callable[[int, int, int], Sequence[ItemOutcome]]
"""Reads failed items of a visit: with a run's and a visit's number, and over an index."""


def read_failed(records: Records, run_no: int, visit_no: int, after: int) -> Sequence[ItemOutcome]:
    """The next failed items of a visit with an index over `after`, a page at most."""
    return records.items(run_no, visit_no, status=Status.FAILED, after=after, limit=_PAGE_ITEMS)


class FailedItems(PagedList):
    """The failed items of one visit, in the items' order. Any thread may read it; it may block."""

    __slots__ = ("_ends", "_kept", "_length", "_lock", "_read_items", "_run_no", "_visit_no")

    def __init__(self, read: Read, run_no: int, visit_no: int, length: int) -> None:
        self._read_items = read
        self._run_no = run_no
        self._visit_no = visit_no
        self._length = length
        self._ends = array("q", [-1])  # the last index before each page, as far as that is known
        self._kept: tuple[int, Sequence[FrozenDict]] = (-1, ())  # the page that was read last
        self._lock = Lock()

    def reading(self, read: Read) -> FailedItems:
        """The same items, read in another way."""
        return FailedItems(read, self._run_no, self._visit_no, self._length)

    def __len__(self) -> int:
        return self._length

    def chunk(self, start: int) -> Sequence[FrozenDict]:
        """The failed items from `start` to the end of a page; none at the end of the list."""
        if start >= self._length:
            return ()
        page, offset = divmod(start, _PAGE_ITEMS)
        with self._lock:
            if self._kept[0] != page:
                self._kept = page, ()
                for each in range(min(page, len(self._ends) - 1), page + 1):
                    if each < len(self._ends):  # else records are missing
                        self._read(each)
            return self._kept[1][offset:]

    def _read(self, page: int) -> None:
        """Read a page; the pages before it have been read once."""
        found = self._read_items(self._run_no, self._visit_no, self._ends[page])
        self._kept = page, [_failure(item) for item in found]
        if found and page + 1 == len(self._ends):
            self._ends.append(found[-1].index)


def failed_items(records: Records, row: VisitRecord) -> Sequence[FrozenDict]:
    """The failed items of a visit with this row."""
    if row.items is None or not row.items.failed:
        return ()
    return FailedItems(partial(read_failed, records), row.run_no, row.visit_no, row.items.failed)


def _failure(item: ItemOutcome) -> FrozenDict:
    assert item.error is not None  # it has failed
    return FrozenDict(
        {
            "index": item.index,
            "label": item.label,
            "item": None if item.item is None else decode(item.item),
            "error": ErrorInfo(**decode(item.error)).as_value(),
        }
    )
