"""The conductor's state: frozen records, changed only by making new ones."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from weft.conductor.vector import Vector
from weft.context import WorkflowContext
from weft.graph import Graph
from weft.model import ErrorInfo, Status, TaskResult


class Stage(IntEnum):
    """How far a task has come."""

    WAITING = 0
    """for the tasks before it"""
    JUDGING = 1
    """its `when`"""
    RUNNING = 2
    PUBLISHING = 3
    """evaluating its `publish`, after it succeeded"""
    ENDED = 4


class TaskState(msgspec.Struct, frozen=True):
    """One task. `undecided` counts the edges to it that may still be taken, `taken` those taken.

    `context` is what the task sees; it is set as soon as an edge to it was taken, or when it is
    clear that none will be. `is_blocked` says that an unhandled failure closed an edge to it.
    """

    undecided: int
    stage: Stage = Stage.WAITING
    visit: int = 0
    taken: int = 0
    is_blocked: bool = False
    context: WorkflowContext | None = None
    result: TaskResult | None = None


class Phase(IntEnum):
    """How far the run has come."""

    NEW = 0
    PREPARING = 1
    """evaluating its variables"""
    WORKING = 2
    CLOSING = 3
    """evaluating its output"""
    OVER = 4


class State(msgspec.Struct, frozen=True):
    """A run as the conductor knows it.

    `active` counts the tasks between their start and their end, `open` those that have not ended.
    `stop` is the status that the run is heading for after it was asked to stop, and `context` what
    its output sees. `failures` are the numbers of the tasks whose failure nothing handled.
    """

    tasks: Vector[TaskState]
    phase: Phase = Phase.NEW
    active: int = 0
    open: int = 0
    stop: Status | None = None
    error: ErrorInfo | None = None
    context: WorkflowContext | None = None
    failures: tuple[int, ...] = ()

    @classmethod
    def initial(cls, graph: Graph) -> State:
        """A run of which nothing has happened."""
        tasks = Vector(TaskState(undecided=len(sources)) for sources in graph.sources)
        return cls(tasks=tasks, open=len(graph.names))
