"""Records that are read from a store: runs as a whole, their items in sum, and sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from fanwise.bitmap import Bitmap
from fanwise.model.records import ItemOutcome
from fanwise.model.results import ErrorInfo, ItemCounts, Status


class ItemTimes(msgspec.Struct, frozen=True):
    """Times of a task's recorded items, each in its last attempt; spans in seconds.

    `busy_s` is the sum over all of them. `durations` are sorted: those of all items, or of a sample
    if there are many. `slowest` has neither outputs nor errors.
    """

    count: int = 0
    busy_s: float = 0.0
    durations: tuple[float, ...] = ()
    slowest: tuple[ItemOutcome, ...] = ()

    @property
    def is_sampled(self) -> bool:
        """True if `durations` leaves items out."""
        return len(self.durations) < self.count

    def quantile(self, share: float) -> float | None:
        """The duration that so large a `share` of the items stays within; None without items."""
        if not self.durations:
            return None
        place = math.ceil(share * len(self.durations)) - 1
        return self.durations[max(place, 0)]


class RecordedItems(msgspec.Struct, frozen=True):
    """A task's recorded items and their outcomes; `attempts` is for all together."""

    indexes: Bitmap
    succeeded: int = 0
    failed: int = 0
    attempts: int = 0


class TaskSummary(msgspec.Struct, frozen=True):
    """A finished or running run's summary of one task."""

    name: str
    status: Status
    started_at: float | None
    ended_at: float | None
    attempts: int
    error: ErrorInfo | None
    items: ItemCounts | None


class Run(msgspec.Struct, frozen=True):
    """One execution of a workflow. `output` is frozen JSON; `tasks` is in the order listed."""

    id: str
    workflow: str
    status: Status
    started_at: float | None
    ended_at: float | None
    output: Any
    error: ErrorInfo | None
    tasks: Mapping[str, TaskSummary]

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end, or None while there is no end."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, self.ended_at - self.started_at)  # the clock may have been set back


class EndedRun(msgspec.Struct, frozen=True, gc=False):
    """A run that is over or paused, as far as deleting it needs to know.

    `ended_at` is when it ended or was paused.
    """

    run_no: int
    id: str
    workflow: str
    status: Status
    ended_at: float


class StoreSize(msgspec.Struct, frozen=True, gc=False):
    """The size of a store; `free_bytes` of it hold nothing and wait for new records."""

    total_bytes: int
    free_bytes: int


class StoreReport(msgspec.Struct, frozen=True):
    """The findings of a check of a store; see `fanwise.stores.check`.

    `revision` is that of the store's schema, empty before the first one, and `newest` the one that
    this version of fanwise reads and writes. `problems` has a line for each thing that is damaged.
    Of a store of an older revision only the file is checked: `runs`, the number of runs by status,
    and `leftovers`, the number of deleted runs that rows are left of, are empty.
    """

    place: str
    revision: str
    newest: str
    size: StoreSize
    problems: tuple[str, ...]
    runs: Mapping[Status, int] = {}
    leftovers: int = 0
