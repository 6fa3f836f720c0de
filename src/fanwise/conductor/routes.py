"""Which task follows which: edges are taken or closed, and tasks start or are passed over.

A task that lies on no loop starts once: when no edge to it can be taken any more and at least one
was, or as soon as its `join` has enough. If it can't start, it is skipped, or blocked if an
unhandled failure is why. A task on a loop starts at each arrival, one visit at a time, and its loop
is at rest when nothing in it runs or waits and no edge into it can be taken any more. Only then are
the edges that leave the loop decided: by what was last seen on them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from fanwise.conductor.merges import choose, gather, merge
from fanwise.conductor.messages import Command
from fanwise.conductor.scope import Origin, Scope, VisibleResults
from fanwise.conductor.state import Stage, State, TaskState
from fanwise.conductor.vector import Vector
from fanwise.context import WorkflowContext
from fanwise.graph import IMPLICIT
from fanwise.model import ErrorInfo, Status
from fanwise.plan import Plan
from fanwise.values import FrozenDict


class Routes(ABC):
    """The half of a decision that knows the graph; `decide` has the other half.

    `state` changes as the decision goes on, but for its tasks: `task` gives one as it is by now,
    and `end_state` the whole.
    """

    def __init__(self, plan: Plan, state: State) -> None:
        self.plan = plan
        self.graph = plan.graph
        self.state = state
        self.commands: list[Command] = []
        self._changed: dict[int, TaskState] = {}
        # Lists, since a decision makes both and most are short: a deque takes far longer to make.
        self._ready: list[int] = []  # tasks that may start, or never will
        self._resting: list[int] = []  # loops that may have come to rest

    @abstractmethod
    def start_visit(self, number: int, scope: Scope) -> None:
        """Start a visit of a task that sees `scope`."""

    @abstractmethod
    def fail_visit(self, number: int, scope: Scope, error: ErrorInfo) -> None:
        """Let a visit fail without having started."""

    @abstractmethod
    def settle_unvisited(self, number: int, status: Status) -> None:
        """A task that will never start has ended all the same."""

    @abstractmethod
    def fail_run(self, number: int) -> None:
        """A transition of this task to `fail` was taken."""

    def begin_routes(self) -> None:
        """Start the tasks that start with the run."""
        assert self.state.scope is not None  # set when the run started
        for number in sorted(self.graph.starts):
            if self.graph.is_on_loop(number):
                self._arrive(number, self.state.scope)
            else:
                arrived = Vector([self.state.scope])
                self._set(number, replace(self.task(number), arrivals=arrived))
                self._ready.append(number)

    def resume_routes(self) -> None:
        """Look again at every task that a pause may have held up."""
        self._ready.extend(range(len(self.graph.names)))

    def follow_routes(self) -> None:
        """Start, or pass over, every task of which that is clear by now."""
        while self._ready or self._resting:
            if not self._ready:
                self._rest(self._resting.pop(0))
            ready, self._ready = self._ready, []
            for number in ready:
                if self.is_on_loop(number):
                    self._next_visit(number)
                else:
                    self._open(number)

    def leave(
        self, number: int, scope: Scope, status: Status, taken: Sequence[Any], *, passes: bool
    ) -> None:
        """A visit has ended: take the edges that leave the task, or close them.

        `taken` has for each transition the variables that it publishes, or null if it isn't taken;
        `passes` says whether edges without a transition are taken.
        """
        if number >= len(self.graph.names):  # a task of `finally`
            return
        group, is_loop = self.graph.group_of[number], self.graph.is_on_loop(number)
        blocks = status in (Status.FAILED, Status.BLOCKED)
        ways = {IMPLICIT: scope if passes else None}
        for at, values in enumerate(taken):
            ways[at] = None if values is None else self.publish(scope, values, number, at)
        for edge_number in self.graph.outgoing[number]:
            edge = self.graph.edges[edge_number]
            seen = ways.get(edge.transition)
            if not is_loop:
                self._decide_edge(edge.target, seen, blocks=blocks)
            elif seen is not None and self.graph.group_of[edge.target] == group:
                self._arrive(edge.target, seen)
            elif seen is not None:
                self._note_exit(group, edge_number, seen)
        for transition, values in zip(self.plan.tasks[number].transitions, taken, strict=False):
            if transition.fails and values is not None:
                self.fail_run(number)
        if is_loop:
            self._left_in_loop(number, group, blocks=blocks)

    def put_back(self, number: int, task: TaskState, scope: Scope) -> None:
        """A visit that was held will start again, seeing the same."""
        if self.is_on_loop(number):
            task = replace(task, arrivals=Vector([scope, *task.arrivals]))
        self._set(number, task)
        self._ready.append(number)

    def publish(
        self, scope: Scope, values: Mapping[str, Any], number: int, transition: int = -1
    ) -> Scope:
        """The scope after a visit has set these variables, by one of its transitions or none."""
        if not values:
            return scope
        visit, published = self.task(number).visit, self.state.published
        origin = Origin(number, visit, transition, published, scope.published)
        candidates = gather(self.state.candidates, values, origin)
        self._change(published=published + 1, candidates=candidates)
        return scope.publish(values, origin)

    def is_on_loop(self, number: int) -> bool:
        """Whether a way leads from the task back to itself; from those of `finally` none does."""
        return number < len(self.graph.names) and self.graph.is_on_loop(number)

    # Tasks off any loop

    def _decide_edge(self, target: int, seen: Scope | None, *, blocks: bool) -> None:
        """An edge from outside was taken, with what is seen on it, or closed for good."""
        group = self.graph.group_of[target]
        if group in self.state.loops:
            loop = self.state.loops[group]
            is_blocked = loop.is_blocked or (seen is None and blocks)
            self._set_loop(group, undecided=loop.undecided - 1, is_blocked=is_blocked)
            if seen is not None:
                self._arrive(target, seen)
            else:
                self._may_rest(group)
            return
        task = self.task(target)
        arrivals = task.arrivals
        if seen is not None and task.stage is Stage.WAITING:
            arrivals = arrivals.append(seen)
        changed = replace(
            task,
            undecided=task.undecided - 1,
            arrivals=arrivals,
            is_blocked=task.is_blocked or (seen is None and blocks),
        )
        self._set(target, changed)
        if not changed.undecided or len(changed.arrivals) == self.graph.joins.get(target):
            self._ready.append(target)

    def _open(self, number: int) -> None:
        """Start a task that has what it waited for, or pass it over if it never will."""
        task = self.task(number)
        if task.stage is not Stage.WAITING or self.state.stop is not None:
            return
        needed = self.graph.joins.get(number)
        has_enough = needed is not None and len(task.arrivals) >= needed
        if task.undecided and not has_enough:
            return
        if len(task.arrivals) >= (needed or 1):
            if not self.state.is_pausing:
                self.start_visit(number, merge(list(task.arrivals)[:needed]))
        else:
            status = Status.BLOCKED if task.is_blocked else Status.SKIPPED
            self.settle_unvisited(number, status)
            for edge_number in self.graph.outgoing[number]:
                target = self.graph.edges[edge_number].target
                self._decide_edge(target, None, blocks=status is Status.BLOCKED)

    # Loops

    def _arrive(self, number: int, seen: Scope) -> None:
        """A visit of a task on a loop is due: it starts now, or when the current one has ended."""
        group = self.graph.group_of[number]
        self._set_loop(group, busy=self.state.loops[group].busy + 1)
        task = self.task(number)
        self._set(number, replace(task, arrivals=task.arrivals.append(seen)))
        self._ready.append(number)

    def _next_visit(self, number: int) -> None:
        """Start the visit that has waited longest, unless one is under way."""
        task = self.task(number)
        is_idle = task.stage in (Stage.WAITING, Stage.ENDED)
        is_held = self.state.is_pausing or self.state.stop is not None
        if is_held or not (is_idle and task.arrivals):
            return
        seen, *rest = task.arrivals
        self._set(number, replace(task, arrivals=Vector(rest)))
        most = self.plan.tasks[number].max_visits
        if task.starts < most:
            self.start_visit(number, seen)
        else:
            message = f"visit {task.starts + 1:,} can't start; max-visits is {most:,}"
            self.fail_visit(number, seen, ErrorInfo("MaxVisits", message))

    def _left_in_loop(self, number: int, group: int, *, blocks: bool) -> None:
        loop = self.state.loops[group]
        self._set_loop(group, busy=loop.busy - 1, is_blocked=loop.is_blocked or blocks)
        self._ready.append(number)
        self._may_rest(group)

    def _note_exit(self, group: int, edge_number: int, seen: Scope) -> None:
        exits = {**self.state.loops[group].exits, edge_number: seen}
        self._set_loop(group, exits=exits)

    def _may_rest(self, group: int) -> None:
        if group not in self._resting:
            self._resting.append(group)

    def _rest(self, group: int) -> None:
        """If nothing runs or can start in a loop any more, decide the edges that leave it."""
        loop = self.state.loops[group]
        if loop.undecided or loop.busy or self.state.stop is not None:
            return
        self._set_loop(group, exits={})
        for number in self.graph.groups[group]:
            if self.state.results[number] is None:
                status = Status.BLOCKED if loop.is_blocked else Status.SKIPPED
                self.settle_unvisited(number, status)
        for number in self.graph.groups[group]:
            for edge_number in self.graph.outgoing[number]:
                target = self.graph.edges[edge_number].target
                if self.graph.group_of[target] != group:
                    seen = loop.exits.get(edge_number)
                    self._decide_edge(target, seen, blocks=loop.is_blocked)

    # What is seen, and the state

    def see(self, scope: Scope) -> WorkflowContext:
        """The context of whatever stands at `scope`."""
        assert self.state.base is not None  # set when the run started
        results = VisibleResults(self.plan.numbers, self.state.results, scope.tasks)
        return self.state.base.seeing(scope.variables, results)

    def final_scope(self) -> Scope:
        """What the run's output and `finally` see: all tasks, and the variables of all paths."""
        assert self.state.scope is not None  # set when the run started
        chosen = {name: choose(values)[1] for name, values in self.state.candidates.items()}
        variables = FrozenDict({**self.state.scope.variables, **chosen})
        everything = (1 << len(self.plan.tasks)) - 1
        return Scope(variables, tasks=everything, published=(1 << self.state.published) - 1)

    def _change(self, **fields: Any) -> None:
        self.state = replace(self.state, **fields)

    def task(self, number: int) -> TaskState:
        """The task as it is by now."""
        return self._changed.get(number) or self.state.tasks[number]

    def end_state(self) -> State:
        """The state at the end of the decision."""
        if not self._changed:
            return self.state
        return replace(self.state, tasks=self.state.tasks.update(self._changed))

    def _set(self, number: int, task: TaskState) -> None:
        self._changed[number] = task

    def _set_loop(self, group: int, **fields: Any) -> None:
        changed = replace(self.state.loops[group], **fields)
        self._change(loops={**self.state.loops, group: changed})
