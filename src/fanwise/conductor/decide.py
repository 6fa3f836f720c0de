"""What happens next, given what has happened: one pure function.

`decide` takes the plan, the state and an event, and gives the next state and the commands to carry
out. There is no I/O, clock or chance in it, so replaying a run's recorded events gives the state
that the run had. An event that the state doesn't wait for, such as a duplicate, changes nothing.

This module holds the run as a whole: its variables, its end, and the life of one visit of a task.
Which task follows which is in `routes.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from fanwise.conductor.messages import (
    CancelRequested,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    PauseRequested,
    RunResumed,
    RunStarted,
    RunTimedOut,
    SettleTask,
    StartTask,
    StopTask,
    TaskEnded,
    TaskPaused,
    VisitsAdvanced,
)
from fanwise.conductor.routes import Routes
from fanwise.conductor.scope import Scope
from fanwise.conductor.state import Phase, Stage, State, TaskState
from fanwise.conductor.vector import EMPTY
from fanwise.model import ErrorInfo, Status, TaskResult
from fanwise.plan import Plan, PlannedTask
from fanwise.values import EMPTY_DICT

_PASSING = frozenset({Status.SUCCEEDED, Status.SKIPPED})


def decide(plan: Plan, state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """The state after `event`, and what to do now."""
    decision = _Decision(plan, state)
    decision.take(event)
    return decision.end_state(), tuple(decision.commands)


class _Decision(Routes):
    """One decision in the making. It lives for one call of `decide` and is seen by nobody else."""

    # Events

    def take(self, event: Event) -> None:
        if self.state.is_paused and not isinstance(event, CancelRequested | RunResumed):
            return
        match event:
            case TaskEnded() if self._expects(event, Stage.RUNNING):
                self._task_ended(event)
            case TaskPaused() if self._expects(event, Stage.RUNNING):
                self._hold(event.task)
            case Evaluated(asked=EvaluationKind.WHEN) if self._expects(event, Stage.JUDGING):
                self._when_evaluated(event)
            case Evaluated(asked=EvaluationKind.PUBLISH) if self._expects(event, Stage.PUBLISHING):
                self._publish_evaluated(event)
            case Evaluated(asked=EvaluationKind.NEXT) if self._expects(event, Stage.LEAVING):
                self._next_evaluated(event)
            case Evaluated(asked=EvaluationKind.VARIABLES) if self.state.phase is Phase.PREPARING:
                self._variables_evaluated(event)
            case Evaluated(asked=EvaluationKind.OUTPUT) if self.state.phase is Phase.CLOSING:
                self._finish(event.value, event.error)
            case TaskEnded() | TaskPaused() | Evaluated():
                return
            case _:
                self._take_request(event)
        self._advance()

    def _take_request(self, event: Event) -> None:
        """What concerns the run as a whole and answers no command."""
        match event:
            case RunStarted() if self.state.phase is Phase.NEW:
                self._run_started(event)
            case RunResumed():
                self._change(is_pausing=False, is_paused=False)
                self.resume_routes()
            case VisitsAdvanced():
                for number, last in event.visits:
                    self._advance_visits(number, last)
            case PauseRequested():
                self._pause()
            case CancelRequested():
                self._stop(Status.CANCELLED, None)
            case RunTimedOut():
                message = f"the run took longer than its timeout of {event.timeout_s:g} s"
                self._stop(Status.FAILED, ErrorInfo("Timeout", message))

    # The run

    def _run_started(self, event: RunStarted) -> None:
        variables = event.context.variables
        self._change(phase=Phase.PREPARING, base=event.context, scope=Scope(variables))
        if self.plan.variables:
            self.commands.append(Evaluate(EvaluationKind.VARIABLES, event.context))
        else:
            self._begin()

    def _variables_evaluated(self, event: Evaluated) -> None:
        if event.error is None:
            self._change(scope=Scope(event.value))
        else:
            self._change(stop=Status.FAILED, error=event.error)
        self._begin()

    def _begin(self) -> None:
        self._change(phase=Phase.WORKING)
        self.begin_routes()

    def _pause(self) -> None:
        """Start nothing new, and let what runs come to a place where it can go on later."""
        if self.state.phase >= Phase.CLOSING or self.state.is_pausing:
            return
        self._change(is_pausing=True)
        self._stop_running(at_once=False)

    def _stop(self, status: Status, error: ErrorInfo | None) -> None:
        """Head for `status`, unless the run does so already for another; cut off what runs."""
        if self.state.phase >= Phase.CLOSING or self.state.is_cut_off:
            return
        stop = self.state.stop or status
        self._change(stop=stop, error=self.state.error or error, is_cut_off=True)
        self._stop_running(at_once=True)

    def _stop_running(self, *, at_once: bool) -> None:
        for number in range(len(self.plan.tasks)):
            task = self.task(number)
            if task.stage is Stage.RUNNING:
                self.commands.append(StopTask(number, task.visit, at_once))

    def fail_run(self, number: int) -> None:
        """A transition to `fail` was taken: nothing new starts, and what runs finishes."""
        if self.state.error is None:
            name = self.plan.tasks[number].name
            error = ErrorInfo("Failed", f'task "{name}" led to fail', {"task": name})
            self._change(stop=Status.FAILED, error=error)

    def _advance(self) -> None:
        """Open every task that can be, then see whether the run is at its end."""
        if self.state.is_paused:
            return
        if self.state.phase is Phase.WORKING:
            self.follow_routes()
            if self.state.active:
                return
            if self.state.is_pausing and self.state.stop is None and self._has_more_to_do():
                self._end_paused()
                return
            self._cancel_the_rest()
            self._change(phase=Phase.CLEANING)
        if self.state.phase is Phase.CLEANING and not self.state.active:
            self._clean_up()

    def _clean_up(self) -> None:
        """Start the next task of `finally`, whatever became of the one before, or end the run."""
        for number in range(len(self.plan.graph.names), len(self.plan.tasks)):
            if self.task(number).stage is Stage.WAITING:
                if self.state.is_pausing:
                    self._end_paused()
                    return
                self.start_visit(number, self.final_scope())
                if self.state.active:
                    return
        if self.plan.output is None:
            self._finish(None, None)
        else:
            self._change(phase=Phase.CLOSING)
            context = self.see(self.final_scope())
            is_cut_short = self.state.stop is not None or self._final_error() is not None
            self.commands.append(Evaluate(EvaluationKind.OUTPUT, context, nullable=is_cut_short))

    def _may_start(self) -> bool:
        """Whether tasks may start now; those of `finally` do also in a run that has failed."""
        is_open = self.state.stop is None or self.state.phase is Phase.CLEANING
        return is_open and not self.state.is_pausing

    def _has_more_to_do(self) -> bool:
        return bool(self.state.unsettled) or any(loop.busy for loop in self.state.loops.values())

    def _end_paused(self) -> None:
        self._change(is_paused=True)
        self.commands.append(EndRun(Status.PAUSED))

    def _finish(self, output: Any, output_error: ErrorInfo | None) -> None:
        self._change(phase=Phase.OVER)
        if self.state.stop is Status.CANCELLED:
            self.commands.append(EndRun(Status.CANCELLED, output))
            return
        error = self._final_error() or output_error
        status = Status.SUCCEEDED if error is None else Status.FAILED
        self.commands.append(EndRun(status, output, error))

    def _final_error(self) -> ErrorInfo | None:
        """Why the run fails, or None: the first listed failure that nothing handled."""
        if self.state.error is not None or not self.state.failures:
            return self.state.error
        first, cause = min(self.state.failures, key=lambda failure: failure[0])
        more = len(self.state.failures) - 1
        rest = f" ({more} more failed)" if more else ""
        name = self.plan.tasks[first].name
        return ErrorInfo(
            "TaskFailed",
            f'task "{name}" failed: {cause.type}: {cause.message}{rest}',
            {"task": name, "type": cause.type},
        )

    # One visit

    def start_visit(self, number: int, scope: Scope) -> None:
        """Start a visit of a task that sees `scope`: with its `when`, if it has one."""
        task = self.task(number)
        planned = self.plan.tasks[number]
        visit = task.visit + 1
        judging = planned.when is not None
        stage = Stage.JUDGING if judging else Stage.RUNNING
        starts = task.starts + 1
        started = replace(task, stage=stage, visit=visit, starts=starts, is_held=False, scope=scope)
        self._set(number, started)
        self._change(active=self.state.active + 1)
        if judging:
            self.commands.append(Evaluate(EvaluationKind.WHEN, self.see(scope), number, visit))
        else:
            self.commands.append(StartTask(number, visit, self.see(scope)))

    def _hold(self, number: int) -> None:
        """Put a task back to where it can be started again, as the same visit.

        If the run has come to its end meanwhile, it ends as cancelled instead.
        """
        if self.state.stop is not None and self.state.phase is Phase.WORKING:
            self._settle(number, TaskResult(Status.CANCELLED))
            return
        task = self.task(number)
        assert task.scope is not None  # it has started
        held = replace(_not_started(task, task.visit - 1), is_held=True)
        self._change(active=self.state.active - 1)
        self.put_back(number, held, task.scope)

    def _advance_visits(self, number: int, last: int) -> None:
        """Give the visit under way, or else the next one, a number over `last`."""
        task = self.task(number)
        if task.stage in (Stage.WAITING, Stage.ENDED):
            self._set(number, replace(task, visit=max(task.visit, last)))
        elif task.visit <= last and task.stage in (Stage.JUDGING, Stage.RUNNING):
            assert task.scope is not None  # it has started
            self._change(active=self.state.active - 1)
            self._set(number, _not_started(task, last))
            self.start_visit(number, task.scope)

    def _when_evaluated(self, event: Evaluated) -> None:
        number, task = event.task, self.task(event.task)
        assert task.scope is not None  # it has started
        if event.error is not None:
            self._ended(number, TaskResult(Status.FAILED, error=event.error), event.handled)
        elif not event.value:
            self._ended(number, TaskResult(Status.SKIPPED), handled=False)
        elif not self._may_start():
            self._hold(number)
        else:
            self._set(number, replace(task, stage=Stage.RUNNING))
            self.commands.append(StartTask(number, task.visit, self.see(task.scope)))

    def _task_ended(self, event: TaskEnded) -> None:
        number, result = event.task, event.result
        task = self.task(number)
        if result.status is Status.SUCCEEDED and self.plan.tasks[number].publish:
            assert task.scope is not None  # it has started
            self._set(number, replace(task, stage=Stage.PUBLISHING, result=result))
            context = self.see(task.scope)
            self.commands.append(
                Evaluate(EvaluationKind.PUBLISH, context, number, task.visit, result)
            )
        else:
            self._ended(number, result, event.handled)

    def _publish_evaluated(self, event: Evaluated) -> None:
        number, task = event.task, self.task(event.task)
        assert task.result is not None  # set when the task came to publish
        assert task.scope is not None
        if event.error is not None:
            self._ended(number, TaskResult(Status.FAILED, error=event.error), event.handled)
            return
        scope = self.publish(task.scope, event.value, number)
        self._set(number, replace(task, scope=scope))
        self._ended(number, task.result, handled=False)

    def _ended(self, number: int, result: TaskResult, handled: bool) -> None:
        """The action, or what came in its place, is through: now the way on."""
        planned, task = self.plan.tasks[number], self.task(number)
        passes = result.status in _PASSING or handled
        if result.status is not Status.CANCELLED and _is_judged(planned):
            assert task.scope is not None  # it has started
            self._set(number, replace(task, stage=Stage.LEAVING, result=result, handled=handled))
            context = self.see(task.scope)
            self.commands.append(
                Evaluate(EvaluationKind.NEXT, context, number, task.visit, result, passes=passes)
            )
            return
        taken = [EMPTY_DICT if passes else None for _ in planned.transitions]
        self._settle(number, result, taken=taken, handled=handled)

    def _next_evaluated(self, event: Evaluated) -> None:
        task = self.task(event.task)
        assert task.result is not None  # set when the task came to leave
        if event.error is not None:
            self._settle(event.task, TaskResult(Status.FAILED, error=event.error))
        else:
            self._settle(event.task, task.result, taken=event.value, handled=task.handled)

    def _settle(
        self, number: int, result: TaskResult, *, taken: Sequence[Any] = (), handled: bool = False
    ) -> None:
        """This visit has ended for good: say so, and take the edges that leave the task."""
        task = self.task(number)
        assert task.scope is not None  # it has started
        passes = result.status in _PASSING or handled
        handled = handled or any(values is not None for values in taken)
        self._record(number, result, handled=handled)
        scope = task.scope.after(number)
        self._change(active=self.state.active - 1)
        waiting = task.arrivals if self.is_on_loop(number) else EMPTY
        ended = replace(task, stage=Stage.ENDED, arrivals=waiting, scope=None, result=None)
        self._set(number, ended)
        status = Status.SUCCEEDED if handled else result.status
        self.leave(number, scope, status, taken, passes=passes)

    def fail_visit(self, number: int, scope: Scope, error: ErrorInfo) -> None:
        """Let a visit fail without having started."""
        task = self.task(number)
        self._set(number, replace(task, visit=task.visit + 1, scope=scope))
        self._change(active=self.state.active + 1)
        self._settle(number, TaskResult(Status.FAILED, error=error))

    def settle_unvisited(self, number: int, status: Status) -> None:
        """A task that will never start has ended all the same."""
        task = self.task(number)
        if task.visit or task.is_held:  # earlier visits are recorded, and stay as they are
            self._set(number, replace(task, visit=task.visit + 1))
        self._record(number, TaskResult(status), handled=False)
        self._set(number, replace(self.task(number), stage=Stage.ENDED, arrivals=EMPTY))

    def _record(self, number: int, result: TaskResult, *, handled: bool) -> None:
        visit = self.task(number).visit
        self.commands.append(SettleTask(number, visit, result))
        is_first = self.state.results[number] is None and number < len(self.plan.graph.names)
        self._change(
            results=self.state.results.update({number: result}),
            unsettled=self.state.unsettled - is_first,
        )
        if result.status is Status.FAILED and not handled:
            cause = result.error or ErrorInfo("Error", "no reason given")
            self._change(failures=(*self.state.failures, (number, cause)))

    def _cancel_the_rest(self) -> None:
        """Nothing runs any more, so what has not started never will."""
        if self.state.stop is None:
            return
        for number in range(len(self.plan.graph.names)):
            if self.task(number).stage is not Stage.ENDED:
                self.settle_unvisited(number, Status.CANCELLED)

    def _expects(self, event: Evaluated | TaskEnded | TaskPaused, stage: Stage) -> bool:
        task = self.task(event.task)
        return task.stage is stage and task.visit == event.visit


def _not_started(task: TaskState, last: int) -> TaskState:
    """The task as it was before the visit under way, with the number of the last one before."""
    starts = task.starts - 1
    return replace(task, stage=Stage.WAITING, visit=last, starts=starts, scope=None)


def _is_judged(task: PlannedTask) -> bool:
    """Whether it takes an evaluation to know which of the task's transitions are taken."""
    return any(each.when is not None or each.publish for each in task.transitions)
