"""The items of a visit that have spans: few enough for any trace, and those that are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fanwise.model import ItemOutcome, Status, VisitRecord
from fanwise.ports import Records

MOST_ITEMS: Final = 500
MOST_FAILED: Final = 100
MOST_SLOW: Final = 20
MOST_FIRST: Final = 20


def sampled_items(records: Records, visit: VisitRecord) -> Sequence[ItemOutcome]:
    """Return items of a visit by their indexes, without outputs.

    They are all of them if they are few, else the first failed ones, the slowest, the first, and
    others in even steps.
    """
    place = visit.run_no, visit.visit_no
    total = visit.items.total if visit.items is not None else 0
    if total <= MOST_ITEMS:
        return records.items(*place, limit=MOST_ITEMS, beginning=0)
    slowest = records.item_times(*place, slowest=MOST_SLOW).slowest
    found = {
        item.index: item
        for item in (
            *records.items(*place, limit=MOST_FIRST, beginning=0),
            *slowest,
            *records.items(*place, status=Status.FAILED, limit=MOST_FAILED, beginning=0),
        )
    }
    left = MOST_ITEMS - len(found)
    for step in range(left):
        after = total * step // left
        for item in records.items(*place, after=after, limit=1, beginning=0):
            found[item.index] = item
    return [found[index] for index in sorted(found)]
