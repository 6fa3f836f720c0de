"""Messages of the conductor: events in, commands out.

Events are facts in the past tense; commands are imperative. Tasks are named by their number in the
plan and their visit. All of them are frozen, and nothing in them refers to the engine. Like the
conductor's state they aren't tracked by the garbage collector (`gc=False`): a frozen record refers
to older ones only, so it can't be in a cycle.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from fanwise.context import WorkflowContext
from fanwise.model import ErrorInfo, Status, TaskResult


class EvaluationKind(StrEnum):
    """The things that are evaluated."""

    VARIABLES = "variables"
    WHEN = "when"
    PUBLISH = "publish"
    NEXT = "next"
    OUTPUT = "output"


class RunStarted(msgspec.Struct, frozen=True, gc=False):
    """The run is recorded; `context` holds its parameters."""

    context: WorkflowContext


class Evaluated(msgspec.Struct, frozen=True, gc=False):
    """An evaluation is done: `value` is frozen JSON, or `error` is its failure.

    `handled` says of an error that the task's `on-error` lets the run go on. The value of `NEXT`
    is a list with an entry for each transition: the variables that it publishes, or null if it
    isn't taken. After these comes the message for the run's failure, if there is one.
    """

    asked: EvaluationKind
    task: int = -1
    visit: int = 0
    value: Any = None
    error: ErrorInfo | None = None
    handled: bool = False


class TaskEnded(msgspec.Struct, frozen=True, gc=False):
    """A task that was started has ended.

    `handled` says of a failure that the task's `on-error` lets the run go on.
    """

    task: int
    visit: int
    result: TaskResult
    handled: bool = False


class TaskPaused(msgspec.Struct, frozen=True, gc=False):
    """A task that was started has stopped before its end, and can be started again."""

    task: int
    visit: int


class PauseRequested(msgspec.Struct, frozen=True, gc=False):
    """The run shall stop where it is, to be resumed later."""


class RunParked(msgspec.Struct, frozen=True, gc=False):
    """All that is left of the run waits for answers, signals or times, so nobody has to drive it.

    It is resumed once one of these has come.
    """


class CancelRequested(msgspec.Struct, frozen=True, gc=False):
    """The run shall end, and running tasks be cut off; `by` names the asker."""

    by: str | None = None


class RunResumed(msgspec.Struct, frozen=True, gc=False):
    """The run is resumed after a pause, or after the death of the process that drove it."""


class VisitsAdvanced(msgspec.Struct, frozen=True, gc=False):
    """Visits that start once more get new numbers, since the old ones are recorded.

    `visits` has tasks with the number of their last visit that is recorded.
    """

    visits: tuple[tuple[int, int], ...]


class RunTimedOut(msgspec.Struct, frozen=True, gc=False):
    """The run has run for `timeout_s` seconds, its timeout."""

    timeout_s: float


Event = (
    RunStarted
    | Evaluated
    | TaskEnded
    | TaskPaused
    | PauseRequested
    | RunParked
    | CancelRequested
    | RunResumed
    | RunTimedOut
    | VisitsAdvanced
)


class Evaluate(msgspec.Struct, frozen=True, gc=False):
    """Evaluate in `context` (after `result`, if given), and answer with `Evaluated`."""

    asked: EvaluationKind
    context: WorkflowContext
    task: int = -1
    visit: int = 0
    result: TaskResult | None = None
    passes: bool = False
    """For `NEXT`: transitions without a condition are taken."""
    nullable: bool = False
    """For `OUTPUT`: an entry that can't be computed is null, rather than an error."""


class StartTask(msgspec.Struct, frozen=True, gc=False):
    """Start this visit of a task, which sees `context`; answer with `TaskEnded` or `TaskPaused`."""

    task: int
    visit: int
    context: WorkflowContext


class StopTask(msgspec.Struct, frozen=True, gc=False):
    """Bring a running task to its end: at once if `at_once`, else when its items in flight end."""

    task: int
    visit: int
    at_once: bool


class SettleTask(msgspec.Struct, frozen=True, gc=False):
    """Record how a task ended; nothing will change it any more."""

    task: int
    visit: int
    result: TaskResult


class EndRun(msgspec.Struct, frozen=True, gc=False):
    """Record how the run ended. `output` is frozen JSON."""

    status: Status
    output: Any = None
    error: ErrorInfo | None = None


Command = Evaluate | StartTask | StopTask | SettleTask | EndRun
