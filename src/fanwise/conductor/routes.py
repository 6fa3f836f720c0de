"""Routes: edges are taken or closed, and tasks start or are passed over.

The routes take the departures of visits from a draft, decide the edges that leave their tasks, and
start the visits of tasks whose turn has come.
"""

# A task counts the edges to it that may still be taken. When a visit departs, each edge that leaves
# its task is decided: taken, with what is seen on it, or closed for good.
#
# A task that lies on no loop starts once: when no edge to it is undecided and at least one was
# taken, or as soon as its `join` has enough. If it can't start, it is skipped, or blocked if an
# unhandled failure closed an edge to it; then its own edges are closed, and so on down the graph.
# So a task starts exactly when the last thing that it could wait for is known, and nobody ever
# looks for "all tasks that could run": a decision costs the edges that it decides, in a workflow of
# ten tasks and of ten thousand.
#
# A task on a loop starts at each arrival, one visit at a time; arrivals that come meanwhile wait in
# their order. If two visits ran beside each other, both would have results of the same name, and
# what a later task sees would depend on which of them was quicker.
#
# The edges that leave a loop are decided at its rest: when nothing in it runs or waits, and no edge
# into it can be taken any more. Otherwise a task after the loop would start in the middle of it,
# and only once. What it sees is what was last seen on each edge out.
#
# The order of work is that of the file wherever there is a choice, so the same events lead to the
# same commands. Departures are taken before anything else starts: the end of one visit may decide
# that the run fails, after which nothing starts.

from __future__ import annotations

from msgspec.structs import replace

from fanwise.conductor import visits
from fanwise.conductor.draft import Departure, Draft
from fanwise.conductor.merges import merge
from fanwise.conductor.state import TaskStage
from fanwise.conductor.vector import Vector
from fanwise.conductor.visibility import Visibility
from fanwise.graph import IMPLICIT
from fanwise.model import ErrorInfo, Status


def begin(draft: Draft) -> None:
    """Make the tasks ready that start with the run."""
    assert draft.state.seen is not None  # set when the run started
    for number in sorted(draft.graph.starts):
        if draft.graph.is_on_loop(number):
            _arrive(draft, number, draft.state.seen)
        else:
            arrived = Vector([draft.state.seen])
            draft.put(number, replace(draft.task(number), arrivals=arrived))
            draft.ready.append(number)


def resume(draft: Draft) -> None:
    """Look again at every task that a pause may have held up."""
    draft.ready.extend(range(len(draft.graph.names)))


def follow(draft: Draft) -> None:
    """Start or pass over every task whose turn has come."""
    _depart(draft)
    while draft.ready or draft.resting:
        if not draft.ready:
            _rest(draft, draft.resting.pop(0))
        ready, draft.ready = draft.ready, []
        for number in ready:
            if draft.is_on_loop(number):
                _next_visit(draft, number)
            else:
                _open(draft, number)
            _depart(draft)


def _depart(draft: Draft) -> None:
    """Take the edges that leave the tasks of ended visits, or close them."""
    departures = draft.departures
    while departures:
        _leave(draft, departures.pop(0))


def _leave(draft: Draft, departure: Departure) -> None:
    number, scope, status, taken, passes, message = departure
    graph = draft.graph
    if number >= len(graph.names):  # a task of the end
        return
    group, is_loop = graph.group_of[number], graph.is_on_loop(number)
    blocks = status in (Status.FAILED, Status.BLOCKED)
    ways = {IMPLICIT: scope if passes else None}
    for at, values in enumerate(taken):
        ways[at] = None if values is None else draft.publish(scope, values, number, at)
    for edge_number in graph.outgoing[number]:
        edge = graph.edges[edge_number]
        seen = ways.get(edge.transition)
        if not is_loop:
            _decide_edge(draft, edge.target, seen, blocks=blocks)
        elif seen is not None and graph.group_of[edge.target] == group:
            _arrive(draft, edge.target, seen)
        elif seen is not None:
            exits = {**draft.state.loops[group].exits, edge_number: seen}
            draft.change_loop(group, exits=exits)
    for transition, values in zip(draft.plan.tasks[number].transitions, taken, strict=False):
        if transition.fails and values is not None:
            _fail_run(draft, number, message)
    if is_loop:
        loop = draft.state.loops[group]
        draft.change_loop(group, busy=loop.busy - 1, is_blocked=loop.is_blocked or blocks)
        draft.ready.append(number)
        _may_rest(draft, group)


def _fail_run(draft: Draft, number: int, message: str | None) -> None:
    """Let the run fail by a transition to `fail`: nothing new starts, running tasks finish."""
    if draft.state.error is None:
        name = draft.plan.tasks[number].name
        error = ErrorInfo("Failed", message or f'task "{name}" led to fail', {"task": name})
        draft.change(stop=Status.FAILED, error=error)


# Tasks off any loop


def _decide_edge(draft: Draft, target: int, seen: Visibility | None, *, blocks: bool) -> None:
    """Take an edge from outside, with what is seen on it, or close it for good."""
    group = draft.graph.group_of[target]
    if group in draft.state.loops:
        loop = draft.state.loops[group]
        is_blocked = loop.is_blocked or (seen is None and blocks)
        draft.change_loop(group, undecided=loop.undecided - 1, is_blocked=is_blocked)
        if seen is not None:
            _arrive(draft, target, seen)
        else:
            _may_rest(draft, group)
        return
    task = draft.task(target)
    arrivals = task.arrivals
    if seen is not None and task.stage is TaskStage.WAITING:
        arrivals = arrivals.append(seen)
    changed = replace(
        task,
        undecided=task.undecided - 1,
        arrivals=arrivals,
        is_blocked=task.is_blocked or (seen is None and blocks),
    )
    draft.put(target, changed)
    if not changed.undecided or len(changed.arrivals) == draft.graph.joins.get(target):
        draft.ready.append(target)


def _open(draft: Draft, number: int) -> None:
    """Start a task that has what it waited for, or pass it over if it never will."""
    task = draft.task(number)
    if task.stage is not TaskStage.WAITING or draft.state.stop is not None:
        return
    needed = draft.graph.joins.get(number)
    has_enough = needed is not None and len(task.arrivals) >= needed
    if task.undecided and not has_enough:
        return
    if len(task.arrivals) >= (needed or 1):
        if not draft.state.is_pausing:
            visits.start(draft, number, merge(list(task.arrivals)[:needed]))
    else:
        status = Status.BLOCKED if task.is_blocked else Status.SKIPPED
        visits.settle_unvisited(draft, number, status)
        for edge_number in draft.graph.outgoing[number]:
            target = draft.graph.edges[edge_number].target
            _decide_edge(draft, target, None, blocks=status is Status.BLOCKED)


# Loops


def _arrive(draft: Draft, number: int, seen: Visibility) -> None:
    """Note that a visit of a task on a loop is due, after the current one has ended."""
    group = draft.graph.group_of[number]
    draft.change_loop(group, busy=draft.state.loops[group].busy + 1)
    task = draft.task(number)
    draft.put(number, replace(task, arrivals=task.arrivals.append(seen)))
    draft.ready.append(number)


def _next_visit(draft: Draft, number: int) -> None:
    """Start the visit that has waited longest, unless one is under way."""
    task = draft.task(number)
    is_idle = task.stage in (TaskStage.WAITING, TaskStage.ENDED)
    is_held = draft.state.is_pausing or draft.state.stop is not None
    if is_held or not (is_idle and task.arrivals):
        return
    seen, *rest = task.arrivals
    draft.put(number, replace(task, arrivals=Vector(rest)))
    most = draft.plan.tasks[number].max_visits
    if task.starts < most:
        visits.start(draft, number, seen)
    else:
        message = f"visit {task.starts + 1:,} can't start; max-visits is {most:,}"
        visits.fail(draft, number, seen, ErrorInfo("MaxVisits", message))


def _may_rest(draft: Draft, group: int) -> None:
    if group not in draft.resting:
        draft.resting.append(group)


def _rest(draft: Draft, group: int) -> None:
    """Decide the edges that leave a loop, if nothing runs or can start in it any more."""
    loop = draft.state.loops[group]
    if loop.undecided or loop.busy or draft.state.stop is not None:
        return
    draft.change_loop(group, exits={})
    for number in draft.graph.groups[group]:
        if draft.state.results[number] is None:
            status = Status.BLOCKED if loop.is_blocked else Status.SKIPPED
            visits.settle_unvisited(draft, number, status)
    for number in draft.graph.groups[group]:
        for edge_number in draft.graph.outgoing[number]:
            target = draft.graph.edges[edge_number].target
            if draft.graph.group_of[target] != group:
                seen = loop.exits.get(edge_number)
                _decide_edge(draft, target, seen, blocks=loop.is_blocked)
