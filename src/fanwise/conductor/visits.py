"""The life of one visit: judged, started, published, left; or put back, or never begun.

A visit that has ended for good is appended to the draft's departures. Which task comes next is the
routes' matter, of which nothing is known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from fanwise.conductor.draft import Departure, Draft, Published
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

_PASSING: Final = frozenset({Status.SUCCEEDED, Status.SKIPPED})


def start(draft: Draft, number: int, seen: Visibility) -> None:
    """Start a visit of a task: with the judgement of its `when`, if it has one."""
    task = draft.task(number)
    visit = task.visit + 1
    judging = draft.plan.tasks[number].when is not None
    stage = TaskStage.JUDGING if judging else TaskStage.RUNNING
    starts = task.starts + 1
    started = replace(task, stage=stage, visit=visit, starts=starts, is_held=False, seen=seen)
    draft.put(number, started)
    draft.change(active=draft.state.active + 1)
    if judging:
        draft.commands.append(Evaluate(EvaluationKind.WHEN, draft.see(seen), number, visit))
    else:
        draft.commands.append(StartTask(number, visit, draft.see(seen)))


def fail(draft: Draft, number: int, seen: Visibility, error: ErrorInfo) -> None:
    """Let a visit fail without having started."""
    task = draft.task(number)
    draft.put(number, replace(task, visit=task.visit + 1, seen=seen))
    draft.change(active=draft.state.active + 1)
    _settle(draft, number, TaskResult(Status.FAILED, error=error))


def hold(draft: Draft, number: int) -> None:
    """Put a visit back to where it can be started again, as the same visit.

    If the run has come to its end meanwhile, it ends as cancelled instead.
    """
    if draft.state.stop is not None and draft.state.phase is Phase.WORKING:
        _settle(draft, number, TaskResult(Status.CANCELLED))
        return
    task = draft.task(number)
    assert task.seen is not None  # it has started
    held = replace(_not_started(task, task.visit - 1), is_held=True)
    if draft.is_on_loop(number):
        held = replace(held, arrivals=Vector([task.seen, *task.arrivals]))
    draft.change(active=draft.state.active - 1)
    draft.put(number, held)
    draft.ready.append(number)


def advance(draft: Draft, number: int, last: int) -> None:
    """Give the visit under way, or else the next one, a number over `last`."""
    task = draft.task(number)
    if task.stage in (TaskStage.WAITING, TaskStage.ENDED):
        draft.put(number, replace(task, visit=max(task.visit, last)))
    elif task.visit <= last and task.stage in (TaskStage.JUDGING, TaskStage.RUNNING):
        assert task.seen is not None  # it has started
        draft.change(active=draft.state.active - 1)
        draft.put(number, _not_started(task, last))
        start(draft, number, task.seen)


def take_when(draft: Draft, event: Evaluated) -> None:
    """Start the action if `when` says so, and no pause or end has come meanwhile."""
    number, task = event.task, draft.task(event.task)
    assert task.seen is not None  # it has started
    if event.error is not None:
        _ended(draft, number, TaskResult(Status.FAILED, error=event.error), event.handled)
    elif not event.value:
        _ended(draft, number, TaskResult(Status.SKIPPED), handled=False)
    elif not _may_start(draft):
        hold(draft, number)
    else:
        draft.put(number, replace(task, stage=TaskStage.RUNNING))
        draft.commands.append(StartTask(number, task.visit, draft.see(task.seen)))


def take_end(draft: Draft, event: TaskEnded) -> None:
    """Go on from the end of the action: to its `publish` if it succeeded and has one."""
    number, result = event.task, event.result
    task = draft.task(number)
    if result.status is Status.SUCCEEDED and draft.plan.tasks[number].publish:
        assert task.seen is not None  # it has started
        draft.put(number, replace(task, stage=TaskStage.PUBLISHING, result=result))
        context = draft.see(task.seen)
        draft.commands.append(Evaluate(EvaluationKind.PUBLISH, context, number, task.visit, result))
    else:
        _ended(draft, number, result, event.handled)


def take_publish(draft: Draft, event: Evaluated) -> None:
    """Set the variables that the task publishes."""
    number, task = event.task, draft.task(event.task)
    assert task.result is not None  # set when the task came to publish
    assert task.seen is not None
    if event.error is not None:
        _ended(draft, number, TaskResult(Status.FAILED, error=event.error), event.handled)
        return
    seen = draft.publish(task.seen, event.value, number)
    draft.put(number, replace(task, seen=seen))
    _ended(draft, number, task.result, handled=False)


def take_next(draft: Draft, event: Evaluated) -> None:
    """Settle the visit with the transitions that are taken."""
    task = draft.task(event.task)
    assert task.result is not None  # set when the task came to leave
    if event.error is not None:
        _settle(draft, event.task, TaskResult(Status.FAILED, error=event.error))
    else:
        transitions = len(draft.plan.tasks[event.task].transitions)
        _settle(
            draft,
            event.task,
            task.result,
            taken=event.value[:transitions],
            handled=task.handled,
            message=next(iter(event.value[transitions:]), None),
        )


def settle_unvisited(draft: Draft, number: int, status: Status) -> None:
    """Record the end of a task that will never start."""
    task = draft.task(number)
    if task.visit or task.is_held:  # earlier visits are recorded, and stay as they are
        draft.put(number, replace(task, visit=task.visit + 1))
    _record(draft, number, TaskResult(status), handled=False)
    draft.put(number, replace(draft.task(number), stage=TaskStage.ENDED, arrivals=EMPTY))


def _may_start(draft: Draft) -> bool:
    """Say whether tasks may start now; those of the end do also in a run that has failed."""
    is_open = draft.state.stop is None or draft.state.phase is Phase.CLEANING
    return is_open and not draft.state.is_pausing


def _ended(draft: Draft, number: int, result: TaskResult, handled: bool) -> None:
    """Go on from the end of the action, or of whatever came in its place, to the way out."""
    planned, task = draft.plan.tasks[number], draft.task(number)
    passes = result.status in _PASSING or handled
    if result.status is not Status.CANCELLED and _is_judged(planned):
        assert task.seen is not None  # it has started
        draft.put(number, replace(task, stage=TaskStage.LEAVING, result=result, handled=handled))
        context = draft.see(task.seen)
        draft.commands.append(
            Evaluate(EvaluationKind.NEXT, context, number, task.visit, result, passes=passes)
        )
        return
    taken = [EMPTY_DICT if passes else None for _ in planned.transitions]
    _settle(draft, number, result, taken=taken, handled=handled)


def _settle(
    draft: Draft,
    number: int,
    result: TaskResult,
    *,
    taken: Sequence[Published | None] = (),
    handled: bool = False,
    message: str | None = None,
) -> None:
    """Record the end of a visit for good, and let it depart."""
    task = draft.task(number)
    assert task.seen is not None  # it has started
    passes = result.status in _PASSING or handled
    handled = handled or any(values is not None for values in taken)
    _record(draft, number, result, handled=handled, ended=1)
    waiting = task.arrivals if draft.is_on_loop(number) else EMPTY
    ended = replace(task, stage=TaskStage.ENDED, arrivals=waiting, seen=None, result=None)
    draft.put(number, ended)
    status = Status.SUCCEEDED if handled else result.status
    seen = task.seen.after(number)
    draft.departures.append(Departure(number, seen, status, taken, passes, message))


def _record(
    draft: Draft, number: int, result: TaskResult, *, handled: bool, ended: int = 0
) -> None:
    """Settle a task; `ended` is the number of its visits that were active until now."""
    draft.commands.append(SettleTask(number, draft.task(number).visit, result))
    is_first = draft.state.results[number] is None and number < len(draft.graph.names)
    draft.change(
        active=draft.state.active - ended,
        results=draft.state.results.update({number: result}),
        unsettled=draft.state.unsettled - is_first,
    )
    if result.status is Status.FAILED and not handled:
        cause = result.error or ErrorInfo("Error", "no reason given")
        draft.change(failures=(*draft.state.failures, (number, cause)))


def _not_started(task: TaskState, last: int) -> TaskState:
    """Return the task before its visit under way; `last` is the number of the visit before."""
    starts = task.starts - 1
    return replace(task, stage=TaskStage.WAITING, visit=last, starts=starts, seen=None)


def _is_judged(task: PlannedTask) -> bool:
    """Say whether it takes an evaluation to know the transitions that are taken."""
    return any(
        each.when is not None or each.publish or each.message is not None
        for each in task.transitions
    )
