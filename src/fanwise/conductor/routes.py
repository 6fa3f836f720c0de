"""Which task follows which: edges are taken or closed, and tasks start or are passed over.

These functions consume the visits that have ended, the tasks that are ready and the loops that may
rest, and start new visits. None of them looks at an edge twice.
"""

# A run costs as much as its graph is large. So a task counts the edges to it that may still be
# taken (`undecided`) and is looked at when that count, or its arrivals, has changed: never all
# tasks after each event. When a visit ends, each edge that leaves the task is taken, with what is
# seen on it, or closed for good.
#
# A task off any loop starts once: when no edge to it can be taken any more and at least one was, or
# as soon as its `join` has enough. If it can't start, it is skipped, or blocked if an unhandled
# failure is the reason, and closes its own edges in turn. This is the difference from a task that
# its own `when` skips: that task has had its turn, so those after it start.
#
# On a loop nothing can be counted in this way, since an edge may be taken any number of times.
# There each arrival starts a visit, and arrivals during a visit wait in line, so that visits are
# numbered in one order and results have one last visit. The edges that leave a loop are decided
# only at its rest: when nothing in it runs or waits and no edge into it is undecided. Each that was
# taken in any visit is taken then, with what was last seen on it. Were it taken at once, a task
# after a loop would start in the middle of the loop, and once only. Loops are the strongly
# connected components of the graph, so a loop's rest can't depend on a task after it, and the
# loops themselves form an acyclic graph: some loop or task can always be decided.
#
# A visit that can't start because of `max-visits` fails, and its edges are taken at once, before
# any other ready task: the order in which edges are taken is the order in which events are
# recorded, which `join: N` follows and recorded runs repeat.

from __future__ import annotations

from msgspec.structs import replace

from fanwise.conductor.draft import Draft, EndedVisit
from fanwise.conductor.merges import merge
from fanwise.conductor.state import TaskStage
from fanwise.conductor.vector import Vector
from fanwise.conductor.visibility import Visibility
from fanwise.conductor.visits import fail_visit, settle_unvisited, start_visit
from fanwise.graph import IMPLICIT
from fanwise.model import ErrorInfo, Status


def begin(draft: Draft) -> None:
    """Start the tasks that start with the run."""
    seen = draft.state.seen
    assert seen is not None  # set when the run started
    for number in sorted(draft.graph.starts):
        if draft.graph.is_on_loop(number):
            _arrive(draft, number, seen)
        else:
            draft.put(number, replace(draft.task(number), arrivals=Vector([seen])))
            draft.ready.append(number)


def resume(draft: Draft) -> None:
    """Look again at every task that a pause may have held up."""
    draft.ready.extend(range(len(draft.graph.names)))


def follow(draft: Draft) -> None:
    """Take the edges of ended visits, then start or pass over every task that is decided."""
    _leave_ended(draft)
    while draft.ready or draft.resting:
        if not draft.ready:
            _rest(draft, draft.resting.pop(0))
        ready, draft.ready = draft.ready, []
        for number in ready:
            if draft.is_on_loop(number):
                _next_visit(draft, number)
            else:
                _open(draft, number)


def _leave_ended(draft: Draft) -> None:
    ended, draft.ended = draft.ended, []
    for visit in ended:
        if visit.task < len(draft.graph.names):  # tasks of `finally` have no edges
            _leave(draft, visit)


def _leave(draft: Draft, visit: EndedVisit) -> None:
    """Take the edges that leave the task, or close them."""
    graph, number, taken = draft.graph, visit.task, visit.taken
    group, is_loop = graph.group_of[number], graph.is_on_loop(number)
    blocks = visit.status in (Status.FAILED, Status.BLOCKED)
    ways = {IMPLICIT: visit.seen if visit.passes else None}
    for at, values in enumerate(taken):
        ways[at] = None if values is None else draft.publish(visit.seen, values, number, at)
    for edge_number in graph.outgoing[number]:
        edge = graph.edges[edge_number]
        seen = ways.get(edge.transition)
        if not is_loop:
            _decide_edge(draft, edge.target, seen, blocks=blocks)
        elif seen is not None and graph.group_of[edge.target] == group:
            _arrive(draft, edge.target, seen)
        elif seen is not None:
            exits = {**draft.state.loops[group].exits, edge_number: seen}
            _set_loop(draft, group, exits=exits)
    for transition, values in zip(draft.plan.tasks[number].transitions, taken, strict=False):
        if transition.fails and values is not None:
            _fail_run(draft, number)
    if is_loop:
        loop = draft.state.loops[group]
        is_blocked = loop.is_blocked or blocks
        _set_loop(draft, group, busy=loop.busy - 1, is_blocked=is_blocked)
        draft.ready.append(number)
        _may_rest(draft, group)


def _fail_run(draft: Draft, number: int) -> None:
    """Take a transition to `fail`: nothing new starts, and running tasks finish."""
    if draft.state.error is None:
        name = draft.plan.tasks[number].name
        error = ErrorInfo("Failed", f'task "{name}" led to fail', {"task": name})
        draft.change(stop=Status.FAILED, error=error)


# Tasks off any loop


def _decide_edge(draft: Draft, target: int, seen: Visibility | None, *, blocks: bool) -> None:
    """Take an edge from outside, with what is seen on it, or close it for good."""
    group = draft.graph.group_of[target]
    loop = draft.state.loops.get(group)
    if loop is not None:
        is_blocked = loop.is_blocked or (seen is None and blocks)
        _set_loop(draft, group, undecided=loop.undecided - 1, is_blocked=is_blocked)
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
    """Start a task that has all that it waited for, or pass it over if it never will."""
    task = draft.task(number)
    if task.stage is not TaskStage.WAITING or draft.state.stop is not None:
        return
    needed = draft.graph.joins.get(number)
    has_enough = needed is not None and len(task.arrivals) >= needed
    if task.undecided and not has_enough:
        return
    if len(task.arrivals) >= (needed or 1):
        if not draft.state.is_pausing:
            start_visit(draft, number, merge(list(task.arrivals)[:needed]))
        return
    status = Status.BLOCKED if task.is_blocked else Status.SKIPPED
    settle_unvisited(draft, number, status)
    for edge_number in draft.graph.outgoing[number]:
        target = draft.graph.edges[edge_number].target
        _decide_edge(draft, target, None, blocks=status is Status.BLOCKED)


# Loops


def _arrive(draft: Draft, number: int, seen: Visibility) -> None:
    """Queue a visit of a task on a loop: it starts now, or when the current visit has ended."""
    group = draft.graph.group_of[number]
    _set_loop(draft, group, busy=draft.state.loops[group].busy + 1)
    task = draft.task(number)
    draft.put(number, replace(task, arrivals=task.arrivals.append(seen)))
    draft.ready.append(number)


def _next_visit(draft: Draft, number: int) -> None:
    """Start the visit that has waited longest, unless another one lasts."""
    task = draft.task(number)
    is_idle = task.stage in (TaskStage.WAITING, TaskStage.ENDED)
    is_held = draft.state.is_pausing or draft.state.stop is not None
    if is_held or not (is_idle and task.arrivals):
        return
    seen, *rest = task.arrivals
    draft.put(number, replace(task, arrivals=Vector(rest)))
    most = draft.plan.tasks[number].max_visits
    if task.starts < most:
        start_visit(draft, number, seen)
        return
    message = f"visit {task.starts + 1:,} can't start; max-visits is {most:,}"
    fail_visit(draft, number, seen, ErrorInfo("MaxVisits", message))
    _leave_ended(draft)


def _may_rest(draft: Draft, group: int) -> None:
    if group not in draft.resting:
        draft.resting.append(group)


def _rest(draft: Draft, group: int) -> None:
    """Decide the edges that leave a loop, if nothing in it runs or can start any more."""
    graph, loop = draft.graph, draft.state.loops[group]
    if loop.undecided or loop.busy or draft.state.stop is not None:
        return
    _set_loop(draft, group, exits={})
    for number in graph.groups[group]:
        if draft.state.results[number] is None:
            status = Status.BLOCKED if loop.is_blocked else Status.SKIPPED
            settle_unvisited(draft, number, status)
    for number in graph.groups[group]:
        for edge_number in graph.outgoing[number]:
            target = graph.edges[edge_number].target
            if graph.group_of[target] != group:
                seen = loop.exits.get(edge_number)
                _decide_edge(draft, target, seen, blocks=loop.is_blocked)


def _set_loop(draft: Draft, group: int, **fields: object) -> None:
    changed = replace(draft.state.loops[group], **fields)
    draft.change(loops={**draft.state.loops, group: changed})
