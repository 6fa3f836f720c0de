"""The progress of a task's items, counted from what is recorded of them."""

from __future__ import annotations

import math
from typing import Final, NamedTuple, Protocol

from fanwise.model import ItemTimes, ItemTotals, Status, VisitRecord
from fanwise.ports import Records

_COUNTED = (Status.SUCCEEDED, Status.FAILED)


_ALWAYS: Final = (-math.inf, math.inf)


class ItemSums(Protocol):
    """Sums over the recorded items of visits, as `Records` has them."""

    def item_totals(
        self, run_no: int, visit_no: int, *, between: tuple[float, float] | None = None
    ) -> ItemTotals:
        """Sums over the items, or those that began between two times."""

    def item_times(self, run_no: int, visit_no: int) -> ItemTimes:
        """The durations of the items."""


class SumsOnce:
    """Implements `ItemSums`: it goes through the items of a visit once for all of its sums."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._totals: dict[tuple[int, int], ItemTotals] = {}

    def item_totals(
        self, run_no: int, visit_no: int, *, between: tuple[float, float] | None = None
    ) -> ItemTotals:
        """Sums over the items, or those that began between two times."""
        if between is not None and between != _ALWAYS:
            return self._records.item_totals(run_no, visit_no, between=between)
        place = run_no, visit_no
        if place not in self._totals:
            self._totals[place] = self._records.item_totals(run_no, visit_no)
        return self._totals[place]

    def item_times(self, run_no: int, visit_no: int) -> ItemTimes:
        """The durations of the items."""
        totals = self.item_totals(run_no, visit_no)
        return self._records.item_times(run_no, visit_no, totals=totals)


class ItemProgress(NamedTuple):
    """The items of a visit: all of them, and the recorded ones; `attempts` is for all together.

    `total` is None while the number of items isn't known, as that of a stream. Recorded items that
    were cancelled are `done`, and neither of the others.
    """

    total: int | None
    done: int
    succeeded: int
    failed: int
    attempts: int

    @property
    def shown(self) -> str:
        """Items done, and of how many if not all are: `2,000`, `500/2,000`, `500/?`."""
        if self.total is None:
            return f"{self.done:,}/?"
        return f"{self.total:,}" if self.done == self.total else f"{self.done:,}/{self.total:,}"

    @property
    def counted(self) -> str:
        """The same with its noun: `500/2,000 items`, `1 item`."""
        return f"{self.shown} item{'' if self.total == 1 else 's'}"


def item_progress(records: ItemSums, visit: VisitRecord) -> ItemProgress | None:
    """Return how far the items of a visit are; None for a visit without items, or not started.

    The items of a visit that hasn't come to its own end are counted, since its row has no counts,
    or those of an earlier pause.
    """
    if not visit.has_items or visit.started_at is None:
        return None
    counts = visit.items
    if counts is not None and visit.status in _COUNTED:
        done = counts.succeeded + counts.failed
        return ItemProgress(counts.total, done, counts.succeeded, counts.failed, visit.attempts)
    found = records.item_totals(visit.run_no, visit.visit_no)
    total = visit.items_total if counts is None else counts.total
    return ItemProgress(total, found.count, found.succeeded, found.failed, found.attempts)
