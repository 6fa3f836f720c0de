"""The progress of a task's items, counted from what is recorded of them."""

from __future__ import annotations

from typing import NamedTuple

from fanwise.model import Status, VisitRecord
from fanwise.ports import Records

_COUNTED = (Status.SUCCEEDED, Status.FAILED)


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


def item_progress(records: Records, visit: VisitRecord) -> ItemProgress | None:
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
    found = records.tile_totals(visit.run_no, visit.visit_no)
    total = visit.items_total if counts is None else counts.total
    return ItemProgress(total, found.items, found.succeeded, found.failed, found.attempts)
