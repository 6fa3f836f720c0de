"""The decision on what happens next, given what has happened: one pure function.

`decide` takes the plan, the state and an event, and gives the next state and the commands to carry
out. There is no I/O, clock or chance in it, so replaying a run's recorded events gives the state
that the run had. An event that the state doesn't wait for, such as a duplicate, changes nothing.

This module holds the run as a whole: its variables, its pauses, its end. The life of a visit is in
`visits.py`, the graph's part in `routes.py`; both change the `Draft` of the decision.
"""

from __future__ import annotations

from fanwise.conductor import endings, routes, visits
from fanwise.conductor.draft import Draft
from fanwise.conductor.messages import (
    CancelRequested,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    PauseRequested,
    RunParked,
    RunResumed,
    RunStarted,
    RunTimedOut,
    StopTask,
    TaskEnded,
    TaskPaused,
    VisitsAdvanced,
)
from fanwise.conductor.state import Phase, State, TaskStage
from fanwise.conductor.visibility import Visibility
from fanwise.model import ErrorInfo, Status
from fanwise.plan import Plan


def decide(plan: Plan, state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """Return the state after `event`, and the commands to carry out now."""
    draft = Draft(plan, state)
    if _take(draft, event):
        _advance(draft)
    return draft.end_state(), tuple(draft.commands)


def _take(draft: Draft, event: Event) -> bool:
    """Take an event; False for one that nothing waits for."""
    if draft.state.is_paused and not isinstance(event, CancelRequested | RunResumed):
        return False
    phase = draft.state.phase
    match event:
        case TaskEnded() if _expects(draft, event, TaskStage.RUNNING):
            visits.take_end(draft, event)
        case TaskPaused() if _expects(draft, event, TaskStage.RUNNING):
            visits.hold(draft, event.task)
        case Evaluated(asked=EvaluationKind.WHEN) if _expects(draft, event, TaskStage.JUDGING):
            visits.take_when(draft, event)
        case Evaluated(asked=EvaluationKind.PUBLISH) if _expects(
            draft, event, TaskStage.PUBLISHING
        ):
            visits.take_publish(draft, event)
        case Evaluated(asked=EvaluationKind.NEXT) if _expects(draft, event, TaskStage.LEAVING):
            visits.take_next(draft, event)
        case Evaluated(asked=EvaluationKind.VARIABLES) if phase is Phase.PREPARING:
            _variables_evaluated(draft, event)
        case Evaluated(asked=EvaluationKind.OUTPUT) if phase is Phase.CLOSING:
            _finish(draft, event.value, event.error)
        case TaskEnded() | TaskPaused() | Evaluated():
            return False
        case _:
            _take_request(draft, event)
    return True


def _expects(draft: Draft, event: Evaluated | TaskEnded | TaskPaused, stage: TaskStage) -> bool:
    task = draft.task(event.task)
    return task.stage is stage and task.visit == event.visit


def _take_request(draft: Draft, event: Event) -> None:
    """Take an event that concerns the run as a whole and answers no command."""
    match event:
        case RunStarted() if draft.state.phase is Phase.NEW:
            _run_started(draft, event)
        case RunResumed():
            draft.change(is_pausing=False, is_parked=False, is_paused=False)
            routes.resume(draft)
        case VisitsAdvanced():
            for number, last in event.visits:
                visits.advance(draft, number, last)
        case PauseRequested():
            draft.change(is_parked=False)
            _pause(draft)
        case RunParked() if not draft.state.is_pausing:
            _pause(draft)
            draft.change(is_parked=draft.state.is_pausing)
        case CancelRequested():
            _stop(draft, Status.CANCELLED, None, event.by)
        case RunTimedOut():
            message = f"the run took longer than its timeout of {event.timeout_s:g} s"
            _stop(draft, Status.FAILED, ErrorInfo("Timeout", message), endings.TIMEOUT)


def _run_started(draft: Draft, event: RunStarted) -> None:
    variables = event.context.variables
    draft.change(phase=Phase.PREPARING, base=event.context, seen=Visibility(variables))
    if draft.plan.variables:
        draft.commands.append(Evaluate(EvaluationKind.VARIABLES, event.context))
    else:
        _begin(draft)


def _variables_evaluated(draft: Draft, event: Evaluated) -> None:
    if event.error is None:
        draft.change(seen=Visibility(event.value))
    else:
        draft.change(stop=Status.FAILED, error=event.error)
    _begin(draft)


def _begin(draft: Draft) -> None:
    draft.change(phase=Phase.WORKING)
    routes.begin(draft)


def _pause(draft: Draft) -> None:
    """Start nothing new, and let running tasks come to a place where they can be resumed."""
    if draft.state.phase >= Phase.CLOSING or draft.state.is_pausing:
        return
    draft.change(is_pausing=True)
    _stop_running(draft, at_once=False)


def _stop(draft: Draft, status: Status, error: ErrorInfo | None, by: str | None) -> None:
    """Head for `status`, unless the run does so already for another; cut off running tasks."""
    if draft.state.phase >= Phase.CLOSING or draft.state.is_cut_off:
        return
    if draft.state.stop is None:
        draft.change(stop=status, error=draft.state.error or error, stopped_by=by)
    if draft.state.is_parked:  # it has more to do now than to wait
        draft.change(is_pausing=False, is_parked=False)
    draft.change(is_cut_off=True)
    _stop_running(draft, at_once=True)


def _stop_running(draft: Draft, *, at_once: bool) -> None:
    for number in range(len(draft.plan.tasks)):
        task = draft.task(number)
        if task.stage is TaskStage.RUNNING:
            draft.commands.append(StopTask(number, task.visit, at_once))


def _advance(draft: Draft) -> None:
    """Open every task that can be, then see whether the run is at its end."""
    if draft.state.is_paused:
        return
    if draft.state.phase is Phase.WORKING:
        routes.follow(draft)
        if draft.state.active:
            return
        if draft.state.is_pausing and draft.state.stop is None and _has_more_to_do(draft):
            _end_paused(draft)
            return
        _cancel_the_rest(draft)
        draft.change(phase=Phase.CLEANING)
    if draft.state.phase is Phase.CLEANING and not draft.state.active:
        _clean_up(draft)


def _clean_up(draft: Draft) -> None:
    """Start the next task of the end, whatever became of the one before, or end the run.

    Tasks of `on-failure` are skipped unless the run has failed when their turn comes.
    """
    first = len(draft.graph.names)
    for number in range(first, len(draft.plan.tasks)):
        if draft.task(number).stage is TaskStage.WAITING:
            if number < first + draft.plan.on_failure and not _has_failed(draft):
                visits.settle_unvisited(draft, number, Status.SKIPPED)
                continue
            if draft.state.is_pausing:
                _end_paused(draft)
                return
            visits.start(draft, number, draft.seen_at_end())
            if draft.state.active:
                return
    if draft.plan.output is None:
        _finish(draft, None, None)
    else:
        draft.change(phase=Phase.CLOSING)
        context = draft.see(draft.seen_at_end())
        is_cut_short = (
            draft.state.stop is not None or endings.final_error(draft.plan, draft.state) is not None
        )
        draft.commands.append(Evaluate(EvaluationKind.OUTPUT, context, nullable=is_cut_short))


def _has_failed(draft: Draft) -> bool:
    return endings.final_status(draft.plan, draft.state) is Status.FAILED


def _has_more_to_do(draft: Draft) -> bool:
    return bool(draft.state.unsettled) or any(loop.busy for loop in draft.state.loops.values())


def _cancel_the_rest(draft: Draft) -> None:
    """Settle the tasks that haven't started, since none runs any more that could start them."""
    if draft.state.stop is None:
        return
    for number in range(len(draft.graph.names)):
        if draft.task(number).stage is not TaskStage.ENDED:
            visits.settle_unvisited(draft, number, Status.CANCELLED)


def _end_paused(draft: Draft) -> None:
    draft.change(is_paused=True)
    status = Status.WAITING if draft.state.is_parked else Status.PAUSED
    draft.commands.append(EndRun(status))


def _finish(draft: Draft, output: object, output_error: ErrorInfo | None) -> None:
    draft.change(phase=Phase.OVER)
    if draft.state.stop is Status.CANCELLED:
        draft.commands.append(EndRun(Status.CANCELLED, output))
        return
    error = endings.final_error(draft.plan, draft.state) or output_error
    status = Status.SUCCEEDED if error is None else Status.FAILED
    draft.commands.append(EndRun(status, output, error))
