"""The services that a run is made with: adapters behind their interfaces, and parts of one run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from fanwise.bitmap import Bitmap
from fanwise.catalog import StopFlag
from fanwise.context import WorkflowContext
from fanwise.engine.activity import Activity
from fanwise.engine.describe import describe_error, presentable
from fanwise.engine.emitting import Emitter
from fanwise.engine.folders import locate
from fanwise.engine.journal import JournalWriter
from fanwise.engine.keys import read_keys
from fanwise.engine.limits import ProcessSlots, Slots
from fanwise.engine.masking import Masker
from fanwise.engine.parking import Parking
from fanwise.engine.sharing import SharedLimits
from fanwise.engine.visit import Visit
from fanwise.model import ErrorInfo, Limits, RunLimit
from fanwise.plan import Plan, PlannedTask, Value
from fanwise.ports import (
    Arrivals,
    Clock,
    Executor,
    KeyValues,
    Mailbox,
    Observer,
    Ownership,
    Processes,
    Queue,
    Randomness,
    Records,
    RunSlots,
    Shares,
    Sources,
    Waits,
)


class Services(msgspec.Struct, frozen=True):
    """The adapters of an engine, shared by all of its runs.

    `executors` are found by their names, see `placement`; `executor` is the name of the one for
    tasks that name none, or None to go by the kind of their actions. `resources` is a block around
    each run: its end gives back the things that actions shared, such as pooled connections.
    `observer` watches all runs. `person` starts them, and `public_url` is where a server of the
    store is reached, if there is one.
    """

    records: Records
    ownership: Ownership
    mailbox: Mailbox
    queue: Queue
    waits: Waits
    arrivals: Arrivals
    run_slots: RunSlots
    shares: Shares
    kv: KeyValues
    executors: Mapping[str, Executor]
    sources: Sources
    resources: Callable[[], AbstractAsyncContextManager[None]]
    clock: Clock
    randomness: Randomness
    processes: Processes
    limits: Limits
    executor: str | None = None
    observer: Observer | None = None
    person: str = ""
    public_url: str | None = None


class ChildSlots(Protocol):
    """The slots of the workflows that a run calls, across runs."""

    def entered(self, limit: RunLimit, path: str) -> AbstractAsyncContextManager[None]:
        """A block that begins once there is a slot for the child at `path`, and frees it."""


class Child(Protocol):
    """Makes a workflow the action of one visit of a task."""

    def __call__(
        self,
        plan: Plan,
        visit: Visit,
        context: WorkflowContext,
        parent: RunServices,
        begun: Bitmap | None,
    ) -> Callable[..., Awaitable[Any]]:
        """The action; items in `begun` (0 without items) may have recorded steps."""


class RunServices(msgspec.Struct, frozen=True):
    """The services, and the parts that belong to one run.

    Relative paths in the workflow's text start at `workflow_folder`, and those in `given`
    parameters at `caller_folder`.
    """

    services: Services
    run_id: str
    run_no: int
    journal: JournalWriter
    observer: Observer
    masker: Masker
    slots: ProcessSlots
    shared_limits: SharedLimits
    stop: StopFlag
    activity: Activity
    parking: Parking
    emitter: Emitter
    workflow_folder: Path
    caller_folder: Path
    given: frozenset[str]
    numbers: Iterator[int]
    """Numbers for visits of tasks, each once."""
    child_slots: ChildSlots
    child: Child
    """The action of a task that calls a workflow; handed in, since a child's steps run tasks."""
    depth: int = 0
    """The number of workflows around the one that runs."""
    most_items: int | None = None
    """The number of items of each fan-out that are run, the first ones; None is all."""
    may_end_waiting: bool = True
    """False if a run of which all that is left waits stays with its process."""
    takes_changed_files: bool = False
    """True if items are read from a file although it has changed since the first was read."""
    traceparent: str = ""
    """The span that has started the run; see `RunOrigin`."""

    def slots_of(self, task: PlannedTask) -> Slots:
        """The slots for attempts of a task."""
        slots = self.slots.of(self.depth, is_workflow=task.spec.workflow is not None)
        return slots if task.limit is None else self.shared_limits.slots(task.limit, slots)

    def describe(self, error: BaseException) -> ErrorInfo:
        """The record of an exception."""
        return describe_error(error, self.masker, self.services.limits)

    def present(self, error: ErrorInfo) -> ErrorInfo:
        """The record of an error that didn't come as an exception."""
        return presentable(error, self.masker, self.services.limits)

    def with_keys(
        self, context: WorkflowContext, path: str, names: Sequence[str], *, records: bool = False
    ) -> WorkflowContext:
        """A context with the values of keys as they are read first at `path`; this may block.

        With `records` the values of templates are recorded, so that secrets are withheld.
        """
        kv, masker = self.services.kv, self.masker
        return context.with_kv(read_keys(kv, masker, self.run_no, path, names, records=records))

    def locate(self, text: str, value: Value) -> str:
        """The absolute form of the path `text`, which `value` gave."""
        return locate(
            text,
            value,
            workflow_folder=self.workflow_folder,
            caller_folder=self.caller_folder,
            given=self.given,
        )
