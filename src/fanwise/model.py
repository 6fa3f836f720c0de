"""The frozen records that everything else passes around: runs, tasks, items, results, limits.

Times are seconds since the epoch (`_at`) or spans in seconds (`_s`), sizes are bytes (`_bytes`).
Records hold data only: no record knows how it is stored, shown or decided upon.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from fanwise.bitmap import Bitmap
from fanwise.values import FrozenDict


class Status(StrEnum):
    """The status of a run, a task or an item.

    A run has any of the first six, a task any at all, an item `succeeded`, `failed` or `cancelled`.
    """

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    BLOCKED = "blocked"

    @property
    def is_final(self) -> bool:
        """True if nothing more happens after it."""
        return self not in _OPEN


_OPEN = frozenset({Status.PENDING, Status.RUNNING, Status.PAUSED})


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The failure of an attempt, a task or a run: one line of `message`, and JSON `data`.

    `traceback` is that of the author's code, without the engine's own frames, or None.
    """

    type: str
    message: str
    data: Any = None
    traceback: str | None = None

    def as_value(self) -> FrozenDict:
        """The value that a template sees as an error."""
        return FrozenDict({"type": self.type, "message": self.message, "data": self.data})


class ItemCounts(msgspec.Struct, frozen=True, gc=False):
    """Counts of a task's items: all of them, and those that ended in each way."""

    total: int
    succeeded: int
    failed: int

    def as_value(self) -> FrozenDict:
        """The value that a template sees as `task.NAME.items`."""
        return FrozenDict({"total": self.total, "succeeded": self.succeeded, "failed": self.failed})


class TaskResult(msgspec.Struct, frozen=True, gc=False):
    """The end of a task, as later tasks see it.

    `output` is frozen JSON, or a `LazyList` for a task with items; `error` is set only if it
    failed, and `items` only if it had items.
    """

    status: Status
    output: Any = None
    error: ErrorInfo | None = None
    items: ItemCounts | None = None


class ItemOutcome(msgspec.Struct, frozen=True, gc=False):
    """The end of one item; recorded once. `output` and `error` are JSON text in UTF-8.

    `run_no` and `visit_no` are the store's number of the run and the task's number within it,
    `attempts` is how often the item was tried, and `duration_s` how long its last attempt took.
    """

    run_no: int
    visit_no: int
    index: int
    status: Status
    attempts: int
    started_at: float
    duration_s: float
    output: bytes | None = None
    error: bytes | None = None
    label: str | None = None


class VisitRecord(msgspec.Struct, frozen=True, gc=False):
    """One visit of a task, as recorded: its place in the run, its times and its outcome.

    `visit_no` numbers the run's visits from 1 in the order of their starts; `path` is the task's
    name, with the names and items above it where it runs inside another. `output` is JSON text of
    a task without items. `due_at` is when a delayed task starts, and `source` is what the file was
    like that its items are read from.
    """

    run_no: int
    visit_no: int
    path: str
    visit: int
    status: Status
    has_items: bool = False
    due_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    attempts: int = 0
    output: bytes | None = None
    error: ErrorInfo | None = None
    items: ItemCounts | None = None
    source: FileFingerprint | None = None


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


def inner_path(path: str, visit: int) -> str:
    """The path inside a visit: `poll` in the first one, `poll#2` in the second."""
    return path if visit == 1 else f"{path}#{visit}"


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event that the conductor was given, so that replaying them gives the same state.

    `seq` counts from 1 within the run; `kind` is the event's name, `data` its JSON text.
    """

    run_no: int
    seq: int
    kind: str
    data: bytes


class LogEntry(msgspec.Struct, frozen=True):
    """The output and the logs of one attempt. `index` is None for a task without items.

    `path` names the task and the item, as in `check[17]`. `at` is when the attempt started: after a
    pause or a crash attempts count from 1 again, and what the earlier ones wrote is kept. `label`
    is what the item is called, which is recorded with the item: it is None when a log is written,
    and filled in when one is read.
    """

    run_no: int
    visit_no: int
    index: int | None
    attempt: int
    path: str
    at: float
    text: str
    label: str | None = None


class RunOrigin(msgspec.Struct, frozen=True, omit_defaults=True):
    """The origin of a run beside its workflow and parameters, so that it can resume anywhere.

    `folder` is where relative paths of `given` parameters start, `packs` are pack folders, and
    `most_items` bounds each fan-out. `workflows` has the texts of the workflows that it calls, and
    `actions` a digest of the code of each action, by its name.
    """

    folder: str = ""
    given: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()
    most_items: int | None = None
    workflows: Mapping[str, str] = {}
    actions: Mapping[str, str] = {}


class RunRecord(msgspec.Struct, frozen=True):
    """A run as recorded. `definition` is the workflow's text, `parameters` and `output` JSON text.

    Secret parameters are recorded as null. `run_no` is the store's own number for the run, 0 until
    the store has given one. `tags` are words by which runs are found, sorted, each once.
    """

    run_no: int
    id: str
    workflow: str
    file: str
    definition: str
    parameters: bytes
    status: Status
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    output: bytes | None = None
    error: ErrorInfo | None = None
    tags: tuple[str, ...] = ()
    origin: RunOrigin = RunOrigin()


class Discard(msgspec.Struct, frozen=True, gc=False):
    """Take back what is to be made again, before anything else of the same commit is written.

    Of the items of the task `visit_no` these are the ones that haven't succeeded; with None no item
    is. `under` is the path of a task or an item, such as `check[17]`: all that the steps of a child
    workflow recorded that it ran, but for their logs, and its own sleeps and those within it. With
    "" none are.
    """

    run_no: int
    visit_no: int | None = None
    under: str = ""


class Sleep(msgspec.Struct, frozen=True, gc=False):
    """Until when an attempt sleeps: after a crash just the rest of that is slept.

    `path` is that of the task or the item, as in `check[17].login`, with the visit after its name
    if that isn't the first; `turn` says which of its attempt's sleeps it is, from 1. Of each path
    only the latest is kept.
    """

    run_no: int
    path: str
    turn: int
    due_at: float


Record = RunRecord | VisitRecord | ItemOutcome | RecordedEvent | LogEntry | Sleep | Discard
"""Records that the journal writes: runs, visits, logs and sleeps replace earlier records of them;
items and events are added."""


class RecordedItems(msgspec.Struct, frozen=True):
    """A task's recorded items and their outcomes; `attempts` is for all together."""

    indexes: Bitmap
    succeeded: int = 0
    failed: int = 0
    attempts: int = 0


class FileFingerprint(msgspec.Struct, frozen=True):
    """What a file was like when it was first read: whether it has changed since can be told by it.

    `modified_at` is in seconds since the epoch, `sample` a hash of parts of its content. Which file
    it is isn't said, since the name of a file may hold a secret.
    """

    size_bytes: int
    modified_at: float
    sample: str


LEASE_S: Final = 15.0
"""For how long a lease holds without a word of its owner, if nothing else is asked for."""


class Owner(msgspec.Struct, frozen=True):
    """A process that drives runs. No two are the same, also not after a reboot.

    `machine` names the running system that `pid` counts in, and changes when it is started anew;
    `started` is when the process was, in that system's own terms; `token` is drawn by chance.
    `lease_s` is for how long its leases hold without a word of it, if nothing else is known of it.
    """

    host: str
    machine: str
    pid: int
    started: str
    token: str
    lease_s: float = LEASE_S


class RequestKind(StrEnum):
    """Kinds of requests to the engine that drives a run."""

    PAUSE = "pause"
    CANCEL = "cancel"


class RunRequest(msgspec.Struct, frozen=True):
    """A request to the engine that drives a run; `data` is JSON text with more about it."""

    kind: RequestKind
    data: bytes = b"{}"


class Inbox(msgspec.Struct, frozen=True):
    """The leases that an engine holds, as tokens by run, and the requests to these runs."""

    tokens: Mapping[int, int]
    requests: Mapping[int, Sequence[RunRequest]]


class Lease(msgspec.Struct, frozen=True):
    """The right of an engine to drive a run, by the store's clock; spans in seconds.

    `token` grows with each owner: the store refuses records that are written with a lower one.
    `engine_no` and `owner` are None once the run was given back. `beats` counts the engine's signs
    of life, of which the last is `silent_s` old. The engine has driven the run for `held_s`, its
    predecessors for `ran_s`.
    """

    run_no: int
    token: int
    engine_no: int | None
    owner: Owner | None
    beats: int = 0
    silent_s: float = 0.0
    held_s: float = 0.0
    ran_s: float = 0.0


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
        return self.ended_at - self.started_at


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


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on what a run may use, so that nothing grows without one. Messages name the field.

    An environment variable sets each: `FANWISE_LIMIT_RESULT_BYTES` sets `result_bytes`.
    """

    input_bytes: int = 64 * 2**20
    """One value of `vars`, `publish` or `output`, and an input that reads the output of a task with
    items, as JSON. Other inputs share what they name, which was bounded when it was made."""
    item_bytes: int = 16 * 2**20
    """One line or record of a file that `with-items` reads. Items of a list aren't measured one by
    one: the list is in memory already, bounded as a whole by what made it."""
    result_bytes: int = 16 * 2**20
    """One attempt's result, as JSON."""
    context_bytes: int = 2**30
    """A run's parameters, variables and task results together, as JSON."""
    error_bytes: int = 64 * 2**10
    """One error's message, data and traceback; longer ones are shortened."""
    log_bytes: int = 64 * 2**10
    """The kept output and logs of one attempt; a note says how much is left out."""
    template_steps: int = 10_000_000
    """Steps that one evaluation of a template may take."""
    template_bytes: int = 64 * 2**20
    """The memory that one evaluation of a template may allocate, about."""
    definition_bytes: int = 16 * 2**20
    """A workflow file."""
    queue_bytes: int = 4 * 2**20
    """Outcomes that wait for the store; beyond it a fan-out waits."""
    running: int = 1_000
    """Attempts that run at once in this process, over all tasks."""
