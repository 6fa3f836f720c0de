"""Sums over the recorded items of visits, for reports that need them more than once."""

from __future__ import annotations

import math
from typing import Final, Protocol

from fanwise.model import ItemTimes, ItemTotals
from fanwise.ports import Records

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
    """Implements `ItemSums`: it goes through the items of a visit once, if at all."""

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
        return self._records.item_times(run_no, visit_no)
