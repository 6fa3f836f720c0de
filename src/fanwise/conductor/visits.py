"""The life of one visit: its `when`, its action, its `publish` and the choice of its transitions.

These functions change a `Draft` and know no routes: a visit that has ended is appended to
`draft.ended`, and a task that can start again to `draft.ready`.
"""

from __future__ import annotations

from msgspec.structs import replace

from fanwise.conductor.draft import Draft, EndedVisit, Taken
from fanwise.conductor.messages import (
    Evaluate,
    Evaluated,
    EvaluationKind,
    SettleTask,
    StartTask,
    TaskEnded,
)
from fanwise.conductor.state import Phase, TaskStage, TaskState
from fanwise.conductor.vector import EMPTY, Vector
from fanwise.conductor.visibility import Visibility
from fanwise.model import ErrorInfo, Status, TaskResult
from fanwise.plan import PlannedTask
from fanwise.values import EMPTY_DICT

_PASSING = frozenset({Status.SUCCEEDED, Status.SKIPPED})


def start_visit(draft: Draft, number: int, seen: Visibility) -> None:
    """Start a visit, with the task's `when` if it has one."""
    task = draft.task(number)
    visit = task.visit + 1
    judging = draft.plan.tasks[number].when is not None
    stage = TaskStage.JUDGING if judging else TaskStage.RUNNING
    starts = task.starts + 1
    started = replace(task, stage=stage, visit=visit, starts=starts, is_held=False, seen=seen)
    draft.put(number, started)
    draft.change(active=draft.state.active + 1)
    context = draft.see(seen)
    if judging:
        draft.commands.append(Evaluate(EvaluationKind.WHEN, context, number, visit))
    else:
        draft.commands.append(StartTask(number, visit, context))


def fail_visit(draft: Draft, number: int, seen: Visibility, error: ErrorInfo) -> None:
    """Let a visit fail before it starts."""
    task = draft.task(number)
    draft.put(number, replace(task, visit=task.visit + 1, seen=seen))
    draft.change(active=draft.state.active + 1)
    _settle(draft, number, TaskResult(Status.FAILED, error=error))


def settle_unvisited(draft: Draft, number: int, status: Status) -> None:
    """End a task that never starts, or never starts again."""
    task = draft.task(number)
    if task.visit or task.is_held:  # earlier visits are recorded, and stay as they are
        draft.put(number, replace(task, visit=task.visit + 1))
    _record(draft, number, TaskResult(status), handled=False)
    draft.put(number, replace(draft.task(number), stage=TaskStage.ENDED, arrivals=EMPTY))


def hold(draft: Draft, number: int) -> None:
    """Return a task to where it can start again, as the same visit.

    The visit ends as cancelled instead if the run has come to its end meanwhile.
    """
    if draft.state.stop is not None and draft.state.phase is Phase.WORKING:
        _settle(draft, number, TaskResult(Status.CANCELLED))
        return
    task = draft.task(number)
    assert task.seen is not None  # the visit has started
    held = replace(_not_started(task, task.visit - 1), is_held=True)
    draft.change(active=draft.state.active - 1)
    if draft.is_on_loop(number):
        held = replace(held, arrivals=Vector([task.seen, *held.arrivals]))
    draft.put(number, held)
    draft.ready.append(number)


def advance_visits(draft: Draft, number: int, last: int) -> None:
    """Give the current visit, or else the next one, a number over `last`."""
    task = draft.task(number)
    if task.stage in (TaskStage.WAITING, TaskStage.ENDED):
        draft.put(number, replace(task, visit=max(task.visit, last)))
    elif task.visit <= last and task.stage in (TaskStage.JUDGING, TaskStage.RUNNING):
        assert task.seen is not None  # the visit has started
        draft.change(active=draft.state.active - 1)
        draft.put(number, _not_started(task, last))
        start_visit(draft, number, task.seen)


def take_condition(draft: Draft, event: Evaluated) -> None:
    """Start, skip or fail the visit whose `when` was evaluated."""
    number, task = event.task, draft.task(event.task)
    assert task.seen is not None  # the visit has started
    if event.error is not None:
        _leave(draft, number, TaskResult(Status.FAILED, error=event.error), event.handled)
    elif not event.value:
        _leave(draft, number, TaskResult(Status.SKIPPED), handled=False)
    elif not _may_start(draft):
        hold(draft, number)
    else:
        draft.put(number, replace(task, stage=TaskStage.RUNNING))
        draft.commands.append(StartTask(number, task.visit, draft.see(task.seen)))


def take_outcome(draft: Draft, event: TaskEnded) -> None:
    """Evaluate the task's `publish` if its action succeeded, or else leave the task."""
    number, result = event.task, event.result
    if result.status is Status.SUCCEEDED and draft.plan.tasks[number].publish:
        task = draft.task(number)
        assert task.seen is not None  # the visit has started
        draft.put(number, replace(task, stage=TaskStage.PUBLISHING, result=result))
        context, kind = draft.see(task.seen), EvaluationKind.PUBLISH
        draft.commands.append(Evaluate(kind, context, number, task.visit, result))
    else:
        _leave(draft, number, result, event.handled)


def take_published(draft: Draft, event: Evaluated) -> None:
    """Set the variables of the task's `publish`, and leave the task."""
    number, task = event.task, draft.task(event.task)
    assert task.result is not None  # set before `publish` was evaluated
    assert task.seen is not None
    if event.error is not None:
        _leave(draft, number, TaskResult(Status.FAILED, error=event.error), event.handled)
        return
    seen = draft.publish(task.seen, event.value, number)
    draft.put(number, replace(task, seen=seen))
    _leave(draft, number, task.result, handled=False)


def take_transitions(draft: Draft, event: Evaluated) -> None:
    """End the visit, with the transitions that its conditions chose."""
    task = draft.task(event.task)
    assert task.result is not None  # set before the transitions were evaluated
    if event.error is not None:
        _settle(draft, event.task, TaskResult(Status.FAILED, error=event.error))
    else:
        _settle(draft, event.task, task.result, taken=event.value, handled=task.handled)


def _leave(draft: Draft, number: int, result: TaskResult, handled: bool) -> None:
    """Choose the transitions once the action, or its replacement, has ended."""
    planned, task = draft.plan.tasks[number], draft.task(number)
    passes = result.status in _PASSING or handled
    if result.status is not Status.CANCELLED and _is_judged(planned):
        assert task.seen is not None  # the visit has started
        draft.put(number, replace(task, stage=TaskStage.LEAVING, result=result, handled=handled))
        context, kind = draft.see(task.seen), EvaluationKind.NEXT
        draft.commands.append(Evaluate(kind, context, number, task.visit, result, passes=passes))
        return
    taken = [EMPTY_DICT if passes else None for _ in planned.transitions]
    _settle(draft, number, result, taken=taken, handled=handled)


def _settle(
    draft: Draft, number: int, result: TaskResult, *, taken: Taken = (), handled: bool = False
) -> None:
    """Record that a visit has ended, and leave its edges to the routes."""
    task = draft.task(number)
    assert task.seen is not None  # the visit has started
    passes = result.status in _PASSING or handled
    handled = handled or any(values is not None for values in taken)
    _record(draft, number, result, handled=handled)
    draft.change(active=draft.state.active - 1)
    waiting = task.arrivals if draft.is_on_loop(number) else EMPTY
    draft.put(
        number, replace(task, stage=TaskStage.ENDED, arrivals=waiting, seen=None, result=None)
    )
    status = Status.SUCCEEDED if handled else result.status
    draft.ended.append(EndedVisit(number, task.seen.after(number), status, taken, passes))


def _record(draft: Draft, number: int, result: TaskResult, *, handled: bool) -> None:
    state = draft.state
    draft.commands.append(SettleTask(number, draft.task(number).visit, result))
    is_first = state.results[number] is None and number < len(draft.graph.names)
    draft.change(
        results=state.results.update({number: result}), unsettled=state.unsettled - is_first
    )
    if result.status is Status.FAILED and not handled:
        cause = result.error or ErrorInfo("Error", "no reason given")
        draft.change(failures=(*state.failures, (number, cause)))


def _may_start(draft: Draft) -> bool:
    """Whether tasks may start now; those of `finally` may also in a run that has failed."""
    state = draft.state
    is_open = state.stop is None or state.phase is Phase.CLEANING
    return is_open and not state.is_pausing


def _not_started(task: TaskState, last: int) -> TaskState:
    """The task before its current visit, with the number of the visit before."""
    starts = task.starts - 1
    return replace(task, stage=TaskStage.WAITING, visit=last, starts=starts, seen=None)


def _is_judged(task: PlannedTask) -> bool:
    """Whether the choice of the task's transitions takes an evaluation."""
    return any(each.when is not None or each.publish for each in task.transitions)
