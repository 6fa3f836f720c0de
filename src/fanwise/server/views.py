"""The objects that the API gives, as its documentation describes them.

Times are ISO 8601 in UTC, spans are in seconds. What is `object` is JSON of any form.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of objects that are given."""


class RunStatus(StrEnum):
    """A status of a run as it is shown: `interrupted` if it was being driven, and is no more."""

    PENDING = "pending"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    WAITING = "waiting"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ErrorView(View, frozen=True, kw_only=True):
    """An error: its type, its message, and data of the action that has raised it."""

    type: str
    message: str
    data: object


class PlaceView(View, frozen=True, kw_only=True):
    """The place of a run in a queue; all of it is null if the run wasn't submitted."""

    queue: str | None
    priority: int | None
    tries: int | None
    why: str | None


class ListedRun(PlaceView, frozen=True, kw_only=True):
    """A run of a list. `duration_s` is the time for which it was driven."""

    run_id: str
    workflow: str
    status: RunStatus
    created_at: str
    started_at: str | None
    ended_at: str | None
    duration_s: float | None
    tags: tuple[str, ...]
    error: ErrorView | None


class RunList(View, frozen=True, kw_only=True):
    """A page of runs. `next` is the cursor of the next one, null after the last."""

    runs: list[ListedRun]
    next: str | None


class RunCounts(View, frozen=True, kw_only=True):
    """Runs by their status. If `is_capped` there are more than were counted."""

    counts: dict[RunStatus, int]
    is_capped: bool


class ItemCounts(View, frozen=True, kw_only=True):
    """The items of a task: `total` is null while it isn't known."""

    total: int | None
    done: int
    succeeded: int
    failed: int
    bad_records: int | msgspec.UnsetType = msgspec.UNSET


class TaskView(View, frozen=True, kw_only=True):
    """A task of a run, at its last visit. `items` is there for a task with items that started."""

    status: str
    started_at: str | None
    ended_at: str | None
    duration_s: float | None
    attempts: int
    error: ErrorView | None
    items: ItemCounts | msgspec.UnsetType = msgspec.UNSET


class DriverView(View, frozen=True, kw_only=True):
    """The engine that drives a run, and the requests to it."""

    engine: str
    requests: tuple[str, ...]


class WaitView(View, frozen=True, kw_only=True):
    """A wait of a run: for the answer to a `question`, or for `events` with a `key`."""

    run_id: str
    workflow: str
    path: str
    waits_for: str
    since: str
    until: str | None
    question: object | msgspec.UnsetType = msgspec.UNSET
    events: list[str] | msgspec.UnsetType = msgspec.UNSET
    key: str | msgspec.UnsetType | None = msgspec.UNSET


class RunView(PlaceView, frozen=True, kw_only=True):
    """A run with its tasks by name. Secret parameters are null; `trigger` is its cause."""

    run_id: str
    workflow: str
    status: RunStatus
    created_at: str
    started_at: str | None
    ended_at: str | None
    duration_s: float | None
    file: str
    tags: tuple[str, ...]
    parameters: object
    output: object
    error: ErrorView | None
    tasks: dict[str, TaskView]
    driver: DriverView | None
    waits: list[WaitView]
    timing: object
    trigger: object


class WorkflowFile(View, frozen=True, kw_only=True):
    """The text of a workflow, and where it was."""

    file: str
    text: str


class Definition(View, frozen=True, kw_only=True):
    """The workflow of a run and those that it calls, as they were when it started."""

    workflow: str
    files: list[WorkflowFile]


class FailedAttemptView(View, frozen=True, kw_only=True):
    """An attempt that failed and was followed by another one."""

    attempt: int
    started_at: str
    duration_s: float
    type: str
    message: str


class VisitView(View, frozen=True, kw_only=True):
    """A visit of a task, counted from 1. Its path has the tasks and items above it.

    `items` counts those of a visit that is over; `output` is there if it was asked for. So many
    `snapshot_bytes` of the context went to workers elsewhere.
    """

    path: str
    visit: int
    status: str
    started_at: str | None
    ended_at: str | None
    attempts: int
    earlier: list[FailedAttemptView]
    error: ErrorView | None
    has_items: bool
    items: ItemCounts | None
    snapshot_bytes: int | None
    output: object | msgspec.UnsetType = msgspec.UNSET


class VisitList(View, frozen=True, kw_only=True):
    """Visits in the order of their starts."""

    visits: list[VisitView]


class ItemView(View, frozen=True, kw_only=True):
    """An item. Of a long output a list has the beginning, as text in `output_begins`."""

    index: int
    label: str | None
    status: str
    attempts: int
    started_at: str
    duration_s: float
    output: object
    error: object
    item: object
    earlier: list[FailedAttemptView]
    output_begins: str | None


class ItemList(View, frozen=True, kw_only=True):
    """A page of items in the order of their indexes; `next` is the cursor of the next one."""

    items: list[ItemView]
    next: str | None


class KindView(View, frozen=True, kw_only=True):
    """Errors of one type and shape: how many there are, and the first item that has one.

    `number` is that of the kind within the task, and `message` that item's.
    """

    number: int
    type: str
    shape: str
    count: int
    index: int
    label: str | None
    message: str


class KindList(View, frozen=True, kw_only=True):
    """The kinds of a task's errors, the most frequent first; `others` were of further kinds."""

    kinds: list[KindView]
    failed: int
    others: int


class HistogramView(View, frozen=True, kw_only=True):
    """Numbers of items in steps of `width_s` from `least_s`; the last has longer ones as well."""

    least_s: float
    width_s: float
    counts: list[int]


class SlowItem(View, frozen=True, kw_only=True):
    """An item that took long."""

    index: int
    label: str | None
    duration_s: float


class TimesView(View, frozen=True, kw_only=True):
    """The durations of a task's items, `busy_s` in all. Of very many a sample is looked at."""

    count: int
    busy_s: float
    median_s: float | None
    p95_s: float | None
    is_sampled: bool
    histogram: HistogramView | None
    slowest: list[SlowItem]


class LogView(View, frozen=True, kw_only=True):
    """A part of what an attempt printed and logged."""

    path: str
    index: int | None
    label: str | None
    attempt: int
    written_at: str
    text: str


class LogList(View, frozen=True, kw_only=True):
    """Logs in the order in which they came; `next` is the cursor after the last, for later ones."""

    logs: list[LogView]
    next: str


class EventView(View, frozen=True, kw_only=True):
    """An event of a run, as decisions follow from it."""

    seq: int
    kind: str
    data: object


class EventList(View, frozen=True, kw_only=True):
    """A page of events; `next` is the cursor of the next one, null after the last."""

    events: list[EventView]
    next: str | None
