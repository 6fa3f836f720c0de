"""What happens next, given what has happened: one pure function.

`decide` takes the plan, the state and an event, and gives the next state and the commands to carry
out. There is no I/O, clock or chance in it, so replaying a run's recorded events gives the state
that the run had. An event that the state doesn't wait for, such as a duplicate, changes nothing.

The rules, in short: a task starts when no edge to it can still be taken and at least one was. It
takes the edges to its followers if it succeeded, was skipped, or failed with `on-error: continue`.
A task to which no edge was taken is skipped, or blocked if an unhandled failure is why.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from msgspec.structs import replace

from weft.conductor.messages import (
    Asked,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    Event,
    PauseRequested,
    RunStarted,
    RunTimedOut,
    SettleTask,
    StartTask,
    StopTask,
    TaskEnded,
    TaskPaused,
)
from weft.conductor.state import Phase, Stage, State, TaskState
from weft.context import WorkflowContext
from weft.model import ErrorInfo, Status, TaskResult
from weft.plan import Plan
from weft.values import EMPTY_DICT

_PASSING = frozenset({Status.SUCCEEDED, Status.SKIPPED})


def decide(plan: Plan, state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """The state after `event`, and what to do now."""
    decision = _Decision(plan, state)
    decision.take(event)
    return decision.state, tuple(decision.commands)


class _Decision:
    """One decision in the making. It lives for one call of `decide` and is seen by nobody else."""

    def __init__(self, plan: Plan, state: State) -> None:
        self.plan = plan
        self.state = state
        self.commands: list[Command] = []
        self._ready: deque[int] = deque()  # tasks whose edges are all decided

    # Events

    def take(self, event: Event) -> None:
        match event:
            case TaskEnded() if self._expects(event, Stage.RUNNING):
                self._task_ended(event)
            case TaskPaused() if self._expects(event, Stage.RUNNING):
                self._task_paused(event)
            case Evaluated(asked=Asked.WHEN) if self._expects(event, Stage.JUDGING):
                self._when_evaluated(event)
            case Evaluated(asked=Asked.PUBLISH) if self._expects(event, Stage.PUBLISHING):
                self._publish_evaluated(event)
            case Evaluated(asked=Asked.VARIABLES) if self.state.phase is Phase.PREPARING:
                self._variables_evaluated(event)
            case Evaluated(asked=Asked.OUTPUT) if self.state.phase is Phase.CLOSING:
                self._finish(event.value, event.error)
            case RunStarted() if self.state.phase is Phase.NEW:
                self._run_started(event)
            case PauseRequested():
                self._stop(Status.PAUSED, None, at_once=False)
            case RunTimedOut():
                message = f"the run took longer than its timeout of {event.timeout_s:g} s"
                self._stop(Status.FAILED, ErrorInfo("Timeout", message), at_once=True)
            case _:
                return
        self._advance()

    # The run

    def _run_started(self, event: RunStarted) -> None:
        self._change(phase=Phase.PREPARING, context=event.context)
        if self.plan.variables:
            self.commands.append(Evaluate(Asked.VARIABLES, event.context))
        else:
            self._begin()

    def _variables_evaluated(self, event: Evaluated) -> None:
        if event.error is None:
            self._change(context=self._run_context().with_variables(event.value))
        else:
            self._change(stop=Status.FAILED, error=event.error)
        self._begin()

    def _begin(self) -> None:
        self._change(phase=Phase.WORKING)
        for number in self.plan.graph.roots:
            self._set(number, replace(self.state.tasks[number], context=self._run_context()))
            self._ready.append(number)

    def _stop(self, status: Status, error: ErrorInfo | None, *, at_once: bool) -> None:
        is_stoppable = self.state.phase in (Phase.PREPARING, Phase.WORKING)
        if not is_stoppable or self.state.stop in (status, Status.FAILED):
            return
        self._change(stop=status, error=error)
        for number, task in enumerate(self.state.tasks):
            if task.stage is Stage.RUNNING:
                self.commands.append(StopTask(number, task.visit, at_once))
        if status is Status.FAILED:  # what a pause had held back is cancelled now
            self._ready.extend(
                number
                for number, task in enumerate(self.state.tasks)
                if task.stage is Stage.WAITING and not task.undecided
            )

    def _advance(self) -> None:
        """Open every task that can be, then see whether the run is at its end."""
        if self.state.phase is not Phase.WORKING:
            return
        while self._ready:
            self._open(self._ready.popleft())
        if self.state.active:
            return
        if self.state.stop is Status.PAUSED and self.state.open:
            self._change(phase=Phase.OVER)
            self.commands.append(EndRun(Status.PAUSED))
        elif self.plan.output is not None:
            self._change(phase=Phase.CLOSING)
            failed = self._final_error() is not None
            self.commands.append(Evaluate(Asked.OUTPUT, self._run_context(), nullable=failed))
        else:
            self._finish(None, None)

    def _finish(self, output: Any, output_error: ErrorInfo | None) -> None:
        error = self._final_error() or output_error
        self._change(phase=Phase.OVER)
        status = Status.SUCCEEDED if error is None else Status.FAILED
        self.commands.append(EndRun(status, output, error))

    def _final_error(self) -> ErrorInfo | None:
        """Why the run fails, or None: the first listed failure that nothing handled."""
        if self.state.error is not None or not self.state.failures:
            return self.state.error
        first = min(self.state.failures)
        result = self.state.tasks[first].result
        cause = result.error if result and result.error else ErrorInfo("Error", "no reason given")
        more = len(self.state.failures) - 1
        rest = f" ({more} more failed)" if more else ""
        name = self.plan.graph.names[first]
        return ErrorInfo(
            "TaskFailed",
            f'task "{name}" failed: {cause.type}: {cause.message}{rest}',
            {"task": name, "type": cause.type},
        )

    # Tasks

    def _open(self, number: int) -> None:
        """All edges to this task are decided: start it, or say why not."""
        task = self.state.tasks[number]
        if self.state.stop is Status.FAILED:
            self._settle(number, TaskResult(Status.CANCELLED))
        elif not task.taken and self.plan.graph.sources[number]:
            status = Status.BLOCKED if task.is_blocked else Status.SKIPPED
            self._settle(number, TaskResult(status))
        elif self.state.stop is Status.PAUSED:
            return
        elif self.plan.tasks[number].when is not None:
            self._activate(number, task, Stage.JUDGING)
            context = self._context(number)
            self.commands.append(Evaluate(Asked.WHEN, context, number, task.visit + 1))
        else:
            self._activate(number, task, Stage.RUNNING)
            self.commands.append(StartTask(number, task.visit + 1, self._context(number)))

    def _hold(self, number: int) -> None:
        """Put a task back to where it can be started again, as the same visit."""
        task = self.state.tasks[number]
        self._set(number, replace(task, stage=Stage.WAITING, visit=task.visit - 1))
        self._change(active=self.state.active - 1)

    def _task_paused(self, event: TaskPaused) -> None:
        if self.state.stop is Status.FAILED:  # it paused, and then the run came to its end
            self._settle(event.task, TaskResult(Status.CANCELLED))
        else:
            self._hold(event.task)

    def _task_ended(self, event: TaskEnded) -> None:
        number, result = event.task, event.result
        task = self.state.tasks[number]
        if result.status is Status.SUCCEEDED and self.plan.tasks[number].publish:
            self._set(number, replace(task, stage=Stage.PUBLISHING, result=result))
            seen = self._context(number)
            self.commands.append(Evaluate(Asked.PUBLISH, seen, number, task.visit, result))
        else:
            self._settle(number, result, handled=event.handled)

    def _activate(self, number: int, task: TaskState, stage: Stage) -> None:
        self._set(number, replace(task, stage=stage, visit=task.visit + 1))
        self._change(active=self.state.active + 1)

    def _when_evaluated(self, event: Evaluated) -> None:
        number, task = event.task, self.state.tasks[event.task]
        if event.error is not None:
            self._fail(event, event.error)
        elif not event.value:
            self._settle(number, TaskResult(Status.SKIPPED))
        elif self.state.stop is Status.PAUSED:
            self._hold(number)
        elif self.state.stop is Status.FAILED:
            self._settle(number, TaskResult(Status.CANCELLED))
        else:
            self._set(number, replace(task, stage=Stage.RUNNING))
            self.commands.append(StartTask(number, task.visit, self._context(number)))

    def _publish_evaluated(self, event: Evaluated) -> None:
        result = self.state.tasks[event.task].result
        assert result is not None  # set when the task came to publish
        if event.error is not None:
            self._fail(event, event.error)
        else:
            self._settle(event.task, result, published=event.value)

    def _fail(self, event: Evaluated, error: ErrorInfo) -> None:
        self._settle(event.task, TaskResult(Status.FAILED, error=error), handled=event.handled)

    def _settle(
        self,
        number: int,
        result: TaskResult,
        *,
        published: Any = EMPTY_DICT,
        handled: bool = False,
    ) -> None:
        """This task has ended for good: say so, and decide the edges that leave it."""
        task = self.state.tasks[number]
        is_active = task.stage is not Stage.WAITING
        context = self._context(number).with_result(self.plan.graph.names[number], result)
        context = context.with_variables(published)
        # Ended tasks let go of their contexts, so that a long chain holds one and not all of them.
        self._set(number, replace(task, stage=Stage.ENDED, result=result, context=None))
        self.commands.append(SettleTask(number, task.visit, result))

        failed = result.status is Status.FAILED and not handled
        self._change(
            context=context,
            open=self.state.open - 1,
            active=self.state.active - is_active,
            failures=(*self.state.failures, number) if failed else self.state.failures,
        )
        is_taken = result.status in _PASSING or handled
        blocks = result.status is Status.BLOCKED or failed
        for target in self.plan.graph.targets[number]:
            self._decide_edge(target, context, is_taken=is_taken, blocks=blocks)

    def _decide_edge(
        self, target: int, context: WorkflowContext, *, is_taken: bool, blocks: bool
    ) -> None:
        task = self.state.tasks[target]
        changed = replace(
            task,
            undecided=task.undecided - 1,
            taken=task.taken + is_taken,
            is_blocked=task.is_blocked or blocks,
            context=context,
        )
        self._set(target, changed)
        if not changed.undecided:
            self._ready.append(target)

    # The state

    def _change(self, **fields: Any) -> None:
        self.state = replace(self.state, **fields)

    def _set(self, number: int, task: TaskState) -> None:
        self.state = replace(self.state, tasks=self.state.tasks.set(number, task))

    def _expects(self, event: Evaluated | TaskEnded | TaskPaused, stage: Stage) -> bool:
        task = self.state.tasks[event.task]
        return task.stage is stage and task.visit == event.visit

    def _run_context(self) -> WorkflowContext:
        assert self.state.context is not None  # set by RunStarted
        return self.state.context

    def _context(self, number: int) -> WorkflowContext:
        context = self.state.tasks[number].context
        assert context is not None  # set before a task can be opened
        return context
