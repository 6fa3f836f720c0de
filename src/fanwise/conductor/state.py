"""The conductor's state: frozen records, changed only by making new ones."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from fanwise.conductor.merges import Candidates
from fanwise.conductor.vector import EMPTY, Vector
from fanwise.conductor.visibility import Visibility
from fanwise.context import WorkflowContext
from fanwise.graph import Graph
from fanwise.model import ErrorInfo, Status, TaskResult


class TaskStage(IntEnum):
    """The stages of a task's latest visit."""

    WAITING = 0
    """for the tasks before it"""
    JUDGING = 1
    """its `when`"""
    RUNNING = 2
    PUBLISHING = 3
    """evaluating its `publish`, after it succeeded"""
    LEAVING = 4
    """judging its transitions"""
    ENDED = 5


class TaskState(msgspec.Struct, frozen=True, gc=False):
    """One task. `undecided` counts the edges to it that may still be taken.

    `arrivals` are what was seen on the edges that were taken: of a task on a loop those that wait
    for a visit, of another all so far, until it has ended. `is_blocked` says that an unhandled
    failure closed an edge to it. `visit` is the number of the latest visit, and `starts` how many
    there were: fewer, after a retry. `is_held` says that the next one had started and
    was put back. While a visit lasts, `seen` is what it sees, `result` how its action ended, and
    `handled` whether `on-error` lets the run go on after that.
    """

    undecided: int
    stage: TaskStage = TaskStage.WAITING
    visit: int = 0
    starts: int = 0
    is_held: bool = False
    arrivals: Vector[Visibility] = EMPTY
    is_blocked: bool = False
    seen: Visibility | None = None
    result: TaskResult | None = None
    handled: bool = False


class LoopState(msgspec.Struct, frozen=True, gc=False):
    """A group of tasks on cycles. It is at rest when nothing can start or runs in it any more.

    `undecided` counts the edges from outside that may still be taken, `busy` the visits that wait
    or run. `exits` has what was last seen on each edge that led out, by the edge's number.
    """

    undecided: int
    busy: int = 0
    is_blocked: bool = False
    exits: Mapping[int, Visibility] = {}


class Phase(IntEnum):
    """The phases of a run."""

    NEW = 0
    PREPARING = 1
    """evaluating its variables"""
    WORKING = 2
    CLEANING = 3
    """running its `on-failure` and its `finally`"""
    CLOSING = 4
    """evaluating its output"""
    OVER = 5


class State(msgspec.Struct, frozen=True, gc=False):
    """A run as the conductor knows it.

    `results` holds how each task last ended, or None. `active` counts the visits between their
    start and their end. `stop` is the status that the run is heading for after something asked it
    to end early; `failures` are the tasks whose failure nothing handled, each with its error.
    `base` has the parameters. `published` counts how often variables were set, and `candidates` has
    those values that may be the run's at its end.
    """

    tasks: Vector[TaskState]
    loops: Mapping[int, LoopState]
    results: Vector[TaskResult | None]
    phase: Phase = Phase.NEW
    active: int = 0
    unsettled: int = 0
    stop: Status | None = None
    error: ErrorInfo | None = None
    stopped_by: str | None = None
    """The asker, or the timeout, because of which the run ends as it does."""
    is_cut_off: bool = False
    """Running tasks shall end at once, rather than finish."""
    is_pausing: bool = False
    """Nothing new starts, since a pause was requested."""
    is_parked: bool = False
    """Nothing new starts since all that is left waits, and no pause was requested either."""
    is_paused: bool = False
    """Nothing runs any more either, until the run is resumed."""
    base: WorkflowContext | None = None
    seen: Visibility | None = None
    """The visibility of tasks that start with the run."""
    failures: tuple[tuple[int, ErrorInfo], ...] = ()
    published: int = 0
    candidates: Candidates = {}

    @classmethod
    def initial(cls, graph: Graph, cleanup: int = 0) -> State:
        """A run of which nothing has happened; `cleanup` is how many tasks run at its end."""
        loops = {group: LoopState(undecided=0) for group in graph.loops}
        tasks = []
        for number, edges in enumerate(graph.incoming):
            group = graph.group_of[number]
            outside = sum(graph.group_of[graph.edges[edge].source] != group for edge in edges)
            if group in loops:
                loop = loops[group]
                loops[group] = msgspec.structs.replace(loop, undecided=loop.undecided + outside)
            tasks.append(TaskState(undecided=outside))
        tasks += [TaskState(undecided=0)] * cleanup
        return cls(
            tasks=Vector(tasks),
            loops=loops,
            results=Vector([None] * len(tasks)),
            unsettled=len(graph.names),
        )
