"""Records that are read from a store: runs as a whole, their items in sum, and sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from fanwise.bitmap import Bitmap
from fanwise.model.records import ItemOutcome
from fanwise.model.results import ErrorInfo, ItemCounts, Status
from fanwise.values import Json


class ItemTotals(msgspec.Struct, frozen=True, gc=False):
    """Sums over recorded items. `attempts` is for all together, and so is `busy_s`.

    The last attempt of each took its part of `busy_s`: the first of them began at `first_at`, and
    the last to end ended at `last_at`. Both are 0 without items.
    """

    count: int = 0
    failed: int = 0
    succeeded: int = 0
    attempts: int = 0
    busy_s: float = 0.0
    first_at: float = 0.0
    last_at: float = 0.0


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
    failures: Sequence[Mapping[str, Json]] = ()
    """Its failed items, each a map of `index`, `label`, `item` and `error`, read page by page."""


class Run(msgspec.Struct, frozen=True):
    """One execution of a workflow. `output` is frozen JSON; `tasks` is in the order listed.

    For `driven_s` seconds a process has driven it, without the time between a pause, a crash or an
    end and the resume or retry after it; None says that no such time has passed.
    """

    id: str
    workflow: str
    status: Status
    started_at: float | None
    ended_at: float | None
    output: Any
    error: ErrorInfo | None
    tasks: Mapping[str, TaskSummary]
    driven_s: float | None = None

    @property
    def duration_s(self) -> float | None:
        """Seconds for which the run was driven; None while it has no end and they aren't known."""
        return driven_span(self.started_at, self.ended_at, self.driven_s)


def driven_span(
    started_at: float | None, ended_at: float | None, driven_s: float | None
) -> float | None:
    """Return the seconds of a run for which it was driven, as far as they are known.

    They are never more than those from start to end: a process takes and leaves a run outside.
    """
    if started_at is None or ended_at is None:
        return driven_s
    passed_s = max(0.0, ended_at - started_at)  # the clock may have been set back
    return passed_s if driven_s is None else min(driven_s, passed_s)


class RunCount(msgspec.Struct, frozen=True, gc=False):
    """The number of runs of a workflow with a status that were made in a span, which has a number.

    Spans are as long as each other and count from 0, the oldest.
    """

    span: int
    workflow: str
    status: Status
    runs: int


class SpanCounts(NamedTuple):
    """The numbers of runs that were made from `since` on, in the order of their spans."""

    since: float
    counts: Sequence[RunCount]


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
