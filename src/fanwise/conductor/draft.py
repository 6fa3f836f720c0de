"""The draft of one decision: the state as it changes, and the commands so far.

A draft lives for one call of `decide`. Visits append what has ended to `departures`, from which the
routes go on; so visits know no routes. The two lists of the routes are here since visits that are
put back must be looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from fanwise.conductor.endings import end_value
from fanwise.conductor.merges import choose, gather
from fanwise.conductor.messages import Command
from fanwise.conductor.state import Phase, State, TaskState
from fanwise.conductor.visibility import Origin, Visibility, VisibleResults
from fanwise.context import WorkflowContext
from fanwise.model import Status
from fanwise.plan import Plan
from fanwise.values import FrozenDict

Published = Mapping[str, object]
"""Variables that a visit sets, by their names."""


class Departure(NamedTuple):
    """A visit that has ended for good: the edges that leave its task are due.

    `taken` has for each transition the variables that it publishes, or None if it isn't taken;
    `passes` says that edges without a transition are taken. `message` is for the run's failure, if
    a transition leads there.
    """

    task: int
    seen: Visibility
    status: Status
    taken: Sequence[Published | None]
    passes: bool
    message: str | None = None


class Draft:
    """A decision in the making. `state` lacks the changes of tasks, which `task` gives."""

    __slots__ = ("_changed", "commands", "departures", "graph", "plan", "ready", "resting", "state")

    def __init__(self, plan: Plan, state: State) -> None:
        self.plan = plan
        self.graph = plan.graph
        self.state = state
        self.commands: list[Command] = []
        self._changed: dict[int, TaskState] = {}
        # Lists, since a decision makes all and most are short: a deque takes far longer to make.
        self.departures: list[Departure] = []
        self.ready: list[int] = []  # tasks that may start, or never will
        self.resting: list[int] = []  # loops that may have come to rest

    def task(self, number: int) -> TaskState:
        """Return the task as it is by now."""
        return self._changed.get(number) or self.state.tasks[number]

    def put(self, number: int, task: TaskState) -> None:
        """Replace a task."""
        self._changed[number] = task

    def change(self, **fields: object) -> None:
        """Replace fields of the state."""
        self.state = replace(self.state, **fields)

    def change_loop(self, group: int, **fields: object) -> None:
        """Replace fields of a loop."""
        changed = replace(self.state.loops[group], **fields)
        self.change(loops={**self.state.loops, group: changed})

    def end_state(self) -> State:
        """Return the state at the end of the decision."""
        if not self._changed:
            return self.state
        return replace(self.state, tasks=self.state.tasks.update(self._changed))

    def is_on_loop(self, number: int) -> bool:
        """Say whether a way leads from the task back to itself; tasks of the end have none."""
        return number < len(self.graph.names) and self.graph.is_on_loop(number)

    def see(self, seen: Visibility) -> WorkflowContext:
        """Return the context at a place on a path."""
        assert self.state.base is not None  # set when the run started
        results = VisibleResults(self.plan.numbers, self.state.results, seen.tasks)
        context = self.state.base.seeing(seen.variables, results)
        if self.state.phase < Phase.CLEANING:
            return context
        return context.with_end(end_value(self.plan, self.state))

    def seen_at_end(self) -> Visibility:
        """Return what output and tasks of the end see: all tasks, the variables of all paths."""
        assert self.state.seen is not None  # set when the run started
        chosen = {name: choose(values)[1] for name, values in self.state.candidates.items()}
        variables = FrozenDict({**self.state.seen.variables, **chosen})
        everything = (1 << len(self.plan.tasks)) - 1
        return Visibility(variables, tasks=everything, published=(1 << self.state.published) - 1)

    def publish(
        self, seen: Visibility, values: Published, number: int, transition: int = -1
    ) -> Visibility:
        """Return what is seen after a visit has set variables, by a transition or by itself."""
        if not values:
            return seen
        visit, published = self.task(number).visit, self.state.published
        origin = Origin(number, visit, transition, published, seen.published)
        candidates = gather(self.state.candidates, values, origin)
        self.change(published=published + 1, candidates=candidates)
        return seen.publish(values, origin)
