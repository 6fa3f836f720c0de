"""Conducts one workflow: events go to the conductor, and what it commands is done.

The loop takes one event at a time, asks `decide` what follows, and has the event recorded together
with the rows that change because of it. Only then are the commands carried out, so whatever is
told, started or evaluated has been recorded first. What exactly is recorded is for those who build
on `Conducting`: a run (`run.py`) and a child of a run (`children.py`) differ in just that.

A workflow begins at a `StartingPoint`: at its very start, or where the records of it end.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from fanwise.conductor import (
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    KeptOutcome,
    RunTimedOut,
    SettleTask,
    StartTask,
    Step,
    StopTask,
    TaskEnded,
    TaskPaused,
    VisitsAdvanced,
    decide,
    replay_with,
)
from fanwise.context import WorkflowContext
from fanwise.engine.context_size import ContextSize, result_name, variable_sizes
from fanwise.engine.evaluate import evaluate_asked
from fanwise.engine.feed import Stop
from fanwise.engine.journal import refusal
from fanwise.engine.parts import RunServices
from fanwise.engine.starting_point import StartingPoint
from fanwise.engine.tasks import VisitRunner, is_handled
from fanwise.engine.visit import Visit, VisitEnd
from fanwise.errors import AttemptError, LimitError, RecordRefusedError
from fanwise.model import ErrorInfo, Status, TaskResult, VisitRecord
from fanwise.plan import Plan

_LET_GO_S = 2.0
"""How long what is cut off for good may take to let go."""


class Conducting(ABC):
    """One workflow in progress, from its first event to its last."""

    def __init__(
        self,
        plan: Plan,
        standing: StartingPoint,
        context: WorkflowContext,
        run: RunServices,
        prefix: str,
    ) -> None:
        self._plan = plan
        self._context = context
        self._run = run
        self._prefix = prefix  # of the paths of its tasks
        self._clock = run.parts.clock
        self._opening_events = standing.opening_events
        self._pending = standing.pending
        self._state = standing.state
        self._events: deque[Event | BaseException] = deque()
        self._waiting: asyncio.Future[None] | None = None  # for an event
        self._rows = dict(standing.rows)  # of each task's latest visit
        self._begun = set(standing.begun)
        self._stop: Stop | None = None  # what whoever drives it has asked of all tasks
        self._contexts: dict[int, WorkflowContext] = {}  # what each task that runs sees
        self._ends: dict[int, VisitEnd] = {}  # of tasks that aren't settled yet
        self._runners: dict[int, VisitRunner] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._reads_pages = any(task.items is not None for task in plan.tasks)
        self._ended: EndRun | None = None
        self._sizes = ContextSize(run.parts.limits, standing.sizes)

    async def conduct(self, timeout_s: float | None, ran_s: float = 0.0) -> EndRun:
        """Go on to the end, and for `timeout_s` at most, of which `ran_s` are over.

        Raises `StoreError` if the store can't be written any more. What runs is cut off then, and
        left behind if it doesn't let go.
        """
        timer = None
        if timeout_s is not None:
            expired = RunTimedOut(timeout_s)
            left_s = max(0.0, timeout_s - ran_s)
            timer = self._clock.call_later(left_s, lambda: self.tell(expired))
        try:
            # What the last of them forbids, such as a cancellation, isn't begun at all.
            commands = [*self._pending]
            for opening in self._opening_events:
                commands += await self._take(opening)
            for command in commands:
                self._do(command)
            while self._ended is None:
                event = await self._next_event()
                if isinstance(event, BaseException):
                    raise event
                await self._advance(event)
        finally:
            if timer is not None:
                timer.cancel()
            for task in self._background:
                task.cancel()
            if self._background:
                await asyncio.wait(self._background, timeout=_LET_GO_S)
        return self._ended

    def tell(self, event: Event | BaseException) -> None:
        """Take in an event, or an error that ends everything."""
        self._events.append(event)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _next_event(self) -> Event | BaseException:
        while not self._events:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._events.popleft()

    async def _advance(self, event: Event) -> None:
        """Decide, record, then act."""
        for command in await self._take(event):
            self._do(command)

    async def _take(self, event: Event) -> tuple[Command, ...]:
        """Decide and record, and return what is to be done."""
        state, commands = decide(self._plan, self._state, event)
        try:
            await self._record(event, commands)
        except RecordRefusedError as error:
            return await self._take(self._refused(event, error))
        self._state = state
        if isinstance(event, TaskPaused):
            self._ends.pop(event.task, None)
        return commands

    @abstractmethod
    async def _record(self, event: Event, commands: tuple[Command, ...]) -> None:
        """Have an event recorded, and the rows that it and what follows from it change.

        Raises `RecordRefusedError` if the store refuses one of these records, and keeps no trace.
        """

    def _new_row(self, number: int, visit: int, started_at: float | None = None) -> VisitRecord:
        """The row of a visit that has none yet; a task that never started has one all the same."""
        task = self._plan.tasks[number]
        return VisitRecord(
            run_no=self._run.run_no,
            visit_no=next(self._run.numbers),
            path=self._prefix + task.name,
            visit=max(visit, 1),
            status=Status.PENDING,
            has_items=task.items is not None,
            started_at=started_at,
        )

    def _refused(self, event: Event, error: RecordRefusedError) -> Event:
        """The event that takes the place of one whose record the store refuses."""
        info = refusal(error)
        match event:
            case TaskEnded() if event.result.status is Status.SUCCEEDED:
                result = TaskResult(Status.FAILED, error=info)
                handled = self._is_handled(event.task, result)
                attempts = self._ends[event.task].attempts
                self._ends[event.task] = VisitEnd(result, attempts, handled=handled)
                return TaskEnded(event.task, event.visit, result, handled)
            case Evaluated() if event.error is None:
                handled = self._is_handled_at(event, info)
                return replace(event, value=None, error=info, handled=handled)
            case _:
                raise error

    def _is_handled(self, number: int, result: TaskResult) -> bool:
        return is_handled(self._plan.tasks[number], self._contexts[number], result)

    # Acting

    def _do(self, command: Command) -> None:
        match command:
            case Evaluate() if self._reads_pages:
                # Paged outputs are read from the store, which may block: not on the loop.
                self._contexts[command.task] = command.context
                self._spawn(partial(asyncio.to_thread, self._evaluate, command))
            case Evaluate():
                self._contexts[command.task] = command.context
                self.tell(self._evaluate(command))
            case StartTask():
                self._start(command)
            case StopTask() if command.task in self._runners:
                self._runners[command.task].stop(Stop.CANCEL if command.at_once else Stop.PAUSE)
            case SettleTask():
                self._contexts.pop(command.task, None)
                self._ends.pop(command.task, None)
                self._settled(command)
            case EndRun():
                self._ended = command

    @abstractmethod
    def _settled(self, command: SettleTask) -> None:
        """A task's end is recorded: it may be told."""

    def _spawn(self, work: Callable[[], Awaitable[Event]]) -> None:
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _guard(self, work: Callable[[], Awaitable[Event]]) -> None:
        """Whatever a task of ours raises ends the run, in `conduct`."""
        try:
            # It begins only here: a task that is cancelled before awaits nothing.
            self.tell(await work())
        except BaseException as error:
            self.tell(error)
            if not isinstance(error, Exception):
                raise

    def _evaluate(self, command: Evaluate) -> Evaluated:
        said = Evaluated(command.asked, command.task, command.visit)
        try:
            value = evaluate_asked(self._plan, command, self._run.parts.limits)
            self._hold(command, value)
        except AttemptError as problem:
            error = self._run.describe(problem)
            return replace(said, error=error, handled=self._is_handled_at(command, error))
        return replace(said, value=value)

    def _retell(
        self,
        outcome_of: Callable[[StartTask], KeptOutcome | VisitsAdvanced | None],
        *,
        spontaneous: Sequence[KeptOutcome] = (),
        first: Sequence[Event] = (),
        then: Sequence[Event] = (),
    ) -> list[Step]:
        """Go to where the events that are kept lead.

        The events `first` come right after the start, those of `then` at the end. Reads from the
        store, which may block.
        """

        def evaluate(command: Evaluate) -> Evaluated:
            self._contexts[command.task] = command.context
            return self._evaluate(command)

        replay, steps = replay_with(
            self._plan,
            self._state,
            self._context,
            outcome_of,
            evaluate,
            first=first,
            spontaneous=spontaneous,
        )
        steps += [(event, replay.take(event)) for event in then]
        self._state, self._pending, self._ended = replay.state, replay.pending, replay.ended
        return steps

    def _is_handled_at(self, at: Evaluate | Evaluated, error: ErrorInfo) -> bool:
        """Whether `on-error` lets the run go on after this evaluation failed."""
        failed = TaskResult(Status.FAILED, error=error)
        return at.asked in (EvaluationKind.WHEN, EvaluationKind.PUBLISH) and self._is_handled(
            at.task, failed
        )

    def _hold(self, command: Evaluate, value: Any) -> None:
        """Count the variables that are set. Raises `LimitError`."""
        for name, size in variable_sizes(command.asked, value):
            self._sizes.hold(name, size)

    def _start(self, command: StartTask) -> None:
        number = command.task
        self._contexts[number] = command.context
        runner = VisitRunner(
            self._plan.tasks[number],
            self._visit(command),
            command.context,
            self._run,
            partial(self._note, number),
            begun=self._rows[number] if number in self._begun else None,
        )
        self._begun.discard(number)
        if self._stop is not None:  # asked for while the start was being recorded
            runner.stop(self._stop)
        self._runners[command.task] = runner
        self._run.observer.task_started(runner.progress)
        self._spawn(partial(self._run_visit, command, runner))

    def _visit(self, command: StartTask) -> Visit:
        row = self._rows[command.task]
        return Visit(self._run.run_id, self._run.run_no, row.visit_no, row.path, command.visit)

    async def _note(self, number: int, **fields: Any) -> None:
        """Record more of a visit that has started: when it is due, or the file that it reads."""
        self._rows[number] = noted = replace(self._rows[number], **fields)
        await self._run.journal.commit(noted)

    async def _run_visit(self, command: StartTask, runner: VisitRunner) -> Event:
        end = await runner.run()
        del self._runners[command.task]
        return self._visit_ended(command, end)

    def _visit_ended(self, command: StartTask, end: VisitEnd) -> Event:
        """The event that tells of a visit's end; one whose output is too large has failed."""
        number, visit = command.task, command.visit
        if end.result.status is Status.PAUSED:
            self._ends[number] = end
            return TaskPaused(number, visit)
        try:
            self._sizes.hold(result_name(self._prefix, self._plan, number), len(end.output or b""))
        except LimitError as error:
            failed = TaskResult(Status.FAILED, error=self._run.describe(error))
            end = VisitEnd(failed, end.attempts, handled=self._is_handled(number, failed))
        self._ends[number] = end
        return TaskEnded(number, visit, end.result, end.handled)
