"""The state under construction while one event is decided, and the commands that follow from it.

A `Draft` lives for one call of `decide`. It knows neither the life of a visit (`visits.py`) nor the
graph's rules (`routes.py`): visits append to `ended`, and routes consume that list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from fanwise.conductor.merges import gather
from fanwise.conductor.messages import Command
from fanwise.conductor.state import State, TaskState
from fanwise.conductor.visibility import Origin, Visibility, VisibleResults
from fanwise.context import WorkflowContext
from fanwise.model import Status
from fanwise.plan import Plan
from fanwise.values import Json

Taken = Sequence[Mapping[str, Json] | None]
"""For each transition of a task the variables that it publishes, or None if it isn't taken."""


class EndedVisit(NamedTuple):
    """A visit whose outgoing edges are still to be taken or closed.

    `seen` is what lies after it, `status` is `succeeded` also after a handled failure, and `passes`
    says whether edges without a transition are taken.
    """

    task: int
    seen: Visibility
    status: Status
    taken: Taken
    passes: bool


class Draft:
    """A state that changes until the decision is complete.

    `state` holds every change but those of tasks, which `task` and `put` read and write.
    """

    __slots__ = ("_changed", "commands", "ended", "graph", "plan", "ready", "resting", "state")

    def __init__(self, plan: Plan, state: State) -> None:
        self.plan = plan
        self.graph = plan.graph
        self.state = state
        self.commands: list[Command] = []
        # Lists, since a decision makes all three and most stay short: a deque takes longer to make.
        self.ended: list[EndedVisit] = []
        self.ready: list[int] = []  # tasks that may start, or never will
        self.resting: list[int] = []  # loops that may have come to rest
        self._changed: dict[int, TaskState] = {}

    def task(self, number: int) -> TaskState:
        """The current state of a task."""
        return self._changed.get(number) or self.state.tasks[number]

    def put(self, number: int, task: TaskState) -> None:
        """Replace the state of a task."""
        self._changed[number] = task

    def change(self, **fields: object) -> None:
        """Replace fields of the run's state."""
        self.state = replace(self.state, **fields)

    def is_on_loop(self, number: int) -> bool:
        """Whether a path leads from the task back to itself; never so in `finally`."""
        return number < len(self.graph.names) and self.graph.is_on_loop(number)

    def see(self, visibility: Visibility) -> WorkflowContext:
        """The context of a template or an action at this place of a path."""
        assert self.state.base is not None  # set when the run started
        results = VisibleResults(self.plan.numbers, self.state.results, visibility.tasks)
        return self.state.base.seeing(visibility.variables, results)

    def publish(
        self, seen: Visibility, values: Mapping[str, Json], number: int, transition: int = -1
    ) -> Visibility:
        """The visibility after a visit has set variables, by a transition or by the task itself."""
        if not values:
            return seen
        visit, published = self.task(number).visit, self.state.published
        origin = Origin(number, visit, transition, published, seen.published)
        candidates = gather(self.state.candidates, values, origin)
        self.change(published=published + 1, candidates=candidates)
        return seen.publish(values, origin)

    def result(self) -> tuple[State, tuple[Command, ...]]:
        """The next state and its commands."""
        state = self.state
        if self._changed:
            state = replace(state, tasks=state.tasks.update(self._changed))
        return state, tuple(self.commands)
