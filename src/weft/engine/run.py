"""Drives one run: events go to the conductor, and what it commands is done.

The loop takes one event at a time, asks `decide` what follows, and commits the event together with
the rows that change because of it. Only then are the commands carried out, so whatever is told,
started or evaluated has been recorded first.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec.structs import replace

from weft.conductor import (
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
    State,
    StopTask,
    TaskEnded,
    TaskPaused,
    decide,
)
from weft.context import WorkflowContext
from weft.engine.attempt import Visit
from weft.engine.evaluate import evaluate_asked
from weft.engine.journal import refusal
from weft.engine.parts import RunParts
from weft.engine.tasks import TaskEnd, TaskRunner, is_handled
from weft.errors import AttemptError, LimitError, RecordRefusedError
from weft.model import (
    Record,
    RecordedEvent,
    Run,
    RunRecord,
    Status,
    TaskResult,
    TaskRun,
    TaskSummary,
)
from weft.plan import Plan
from weft.values import encode


class RunDriver:
    """One run, from its first event to its last."""

    def __init__(self, plan: Plan, record: RunRecord, context: WorkflowContext, run: RunParts):
        self._plan = plan
        self._record = record
        self._context = context
        self._run = run
        self._clock = run.parts.clock
        self._state = State.initial(plan.graph)
        self._events: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        self._seq = 0
        self._rows: dict[int, TaskRun] = {}  # by the task's number in the plan
        self._ends: dict[int, TaskEnd] = {}  # of tasks whose TaskEnded is being recorded
        self._runners: dict[int, TaskRunner] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._reads_pages = any(task.items is not None for task in plan.tasks)
        self._ended: EndRun | None = None
        self._context_bytes = len(record.parameters)

    def pause(self) -> None:
        """Start nothing new, let what is in flight finish, and end as paused."""
        self._run.stop.set()
        self._events.put_nowait(PauseRequested())
        for runner in self._runners.values():  # now, and not only when the request is recorded
            runner.stop(at_once=False)

    async def drive(self) -> Run:
        """Run to the end. Raises `StoreError` if the store can't be written any more."""
        self._events.put_nowait(RunStarted(self._context))
        try:
            timer = self._arm_timeout()
            while self._ended is None:
                event = await self._events.get()
                if isinstance(event, BaseException):
                    raise event
                await self._advance(event)
            if timer is not None:
                timer.cancel()
        finally:
            self._run.stop.set()
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)
        return self.summary(self._ended)

    def _arm_timeout(self) -> Any:
        setting = self._plan.timeout
        timeout_s = None if setting is None else setting.resolve(self._context)
        if timeout_s is None:
            return None
        expired = RunTimedOut(timeout_s)
        return self._clock.call_later(timeout_s, lambda: self._events.put_nowait(expired))

    async def _advance(self, event: Event) -> None:
        """Decide, record, then act."""
        state, commands = decide(self._plan, self._state, event)
        records = [self._recorded(event), *self._changed_rows(event, commands)]
        try:
            await self._run.journal.commit(*records)
        except RecordRefusedError as error:
            self._seq -= 1
            await self._advance(self._refused(event, error))
            return
        self._state = state
        if isinstance(event, TaskEnded):
            del self._ends[event.task]
        for command in commands:
            self._do(command)

    # Recording

    def _recorded(self, event: Event) -> RecordedEvent:
        self._seq += 1
        data = msgspec.json.encode(_event_data(event))
        return RecordedEvent(self._run.run_no, self._seq, type(event).__name__, data)

    def _changed_rows(self, event: Event, commands: tuple[Command, ...]) -> list[Record]:
        """The rows that change because of an event and what follows from it."""
        now = self._clock.now()
        changed: dict[int, TaskRun] = {}
        record: RunRecord | None = None
        if isinstance(event, RunStarted):
            record = replace(self._record, status=Status.RUNNING, started_at=now)
        elif isinstance(event, TaskEnded):
            end = self._ends[event.task]
            row = self._rows[event.task]
            changed[event.task] = replace(row, attempts=end.attempts, output=end.output)
        elif isinstance(event, TaskPaused):
            changed[event.task] = replace(self._rows[event.task], status=Status.PAUSED)
        for command in commands:
            if isinstance(command, StartTask):
                row = self._row(command.task, command.visit)
                changed[command.task] = replace(row, status=Status.RUNNING, started_at=now)
            elif isinstance(command, SettleTask):
                row = changed.get(command.task) or self._row(command.task, command.visit)
                result = command.result
                changed[command.task] = replace(
                    row, status=result.status, error=result.error, items=result.items, ended_at=now
                )
            elif isinstance(command, EndRun):
                record = replace(
                    record or self._record,
                    status=command.status,
                    ended_at=now,
                    output=encode(command.output),
                    error=command.error,
                )
        self._rows.update(changed)
        self._record = record or self._record
        return [*changed.values(), *([record] if record else [])]

    def _row(self, number: int, visit: int) -> TaskRun:
        """The task's row, made when it is first needed: rows are numbered in that order."""
        row = self._rows.get(number)
        if row is None:
            task = self._plan.tasks[number]
            row = self._rows[number] = TaskRun(
                run_no=self._run.run_no,
                task_no=len(self._rows) + 1,
                path=task.name,
                visit=max(visit, 1),
                status=Status.PENDING,
                has_items=task.items is not None,
            )
        return row

    def _refused(self, event: Event, error: RecordRefusedError) -> Event:
        """The event that takes the place of one whose record the store refuses."""
        info = refusal(error)
        match event:
            case TaskEnded() if event.result.status is Status.SUCCEEDED:
                result = TaskResult(Status.FAILED, error=info)
                handled = self._is_handled(event.task, result)
                attempts = self._ends[event.task].attempts
                self._ends[event.task] = TaskEnd(result, attempts, handled=handled)
                return TaskEnded(event.task, event.visit, result, handled)
            case Evaluated() if event.error is None:
                failed = TaskResult(Status.FAILED, error=info)
                handled = event.task >= 0 and self._is_handled(event.task, failed)
                return replace(event, value=None, error=info, handled=handled)
            case _:
                raise error

    def _is_handled(self, number: int, result: TaskResult) -> bool:
        context = self._state.tasks[number].context
        assert context is not None  # the task has started
        return is_handled(self._plan.tasks[number], context, result)

    # Acting

    def _do(self, command: Command) -> None:
        match command:
            case Evaluate():
                self._spawn(self._evaluate(command))
            case StartTask():
                self._start(command)
            case StopTask() if command.task in self._runners:
                self._runners[command.task].stop(at_once=command.at_once)
            case SettleTask():
                name = self._plan.graph.names[command.task]
                result = command.result
                self._run.observer.task_ended(name, result.status, result.error)
            case EndRun():
                self._ended = command

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _guard(self, work: Any) -> None:
        """Whatever a task of ours raises ends the run, in `drive`."""
        try:
            self._events.put_nowait(await work)
        except Exception as error:
            self._events.put_nowait(error)

    async def _evaluate(self, command: Evaluate) -> Evaluated:
        limits = self._run.parts.limits
        said = Evaluated(command.asked, command.task, command.visit)
        try:
            # Paged outputs are read from the store, which may block: not on the loop.
            if self._reads_pages:
                value = await asyncio.to_thread(evaluate_asked, self._plan, command, limits)
            else:
                value = evaluate_asked(self._plan, command, limits)
        except AttemptError as problem:
            error = self._run.describe(problem)
            failed = TaskResult(Status.FAILED, error=error)
            handled = command.task >= 0 and self._is_handled(command.task, failed)
            return replace(said, error=error, handled=handled)
        self._context_bytes += 0 if command.asked is Asked.OUTPUT else len(encode(value))
        return replace(said, value=value)

    def _start(self, command: StartTask) -> None:
        task = self._plan.tasks[command.task]
        row = self._rows[command.task]
        visit = Visit(self._run.run_id, self._run.run_no, row.task_no, row.path, command.visit)

        async def record_delay(due_at: float) -> None:
            self._rows[command.task] = replace(self._rows[command.task], due_at=due_at)
            await self._run.journal.commit(self._rows[command.task])

        runner = TaskRunner(task, visit, command.context, self._run, record_delay)
        self._runners[command.task] = runner
        self._run.observer.task_started(runner.progress)
        self._spawn(self._visit(command, runner))

    async def _visit(self, command: StartTask, runner: TaskRunner) -> Event:
        end = await runner.run()
        del self._runners[command.task]
        if end is None:
            return TaskPaused(command.task, command.visit)
        end = self._within_bounds(command, end)
        self._ends[command.task] = end
        return TaskEnded(command.task, command.visit, end.result, end.handled)

    def _within_bounds(self, command: StartTask, end: TaskEnd) -> TaskEnd:
        """`end`, or a failure if its output makes the run's context too large."""
        total = self._context_bytes + len(end.output or b"")
        bound = self._run.parts.limits.context_bytes
        if total <= bound:
            self._context_bytes = total
            return end
        error = LimitError(
            f"with the result of {self._plan.graph.names[command.task]} the run's context has "
            f"{total:,} bytes; the limit is {bound:,}.",
            setting="limits.context_bytes",
        )
        result = TaskResult(Status.FAILED, error=self._run.describe(error))
        return TaskEnd(result, end.attempts, handled=self._is_handled(command.task, result))

    # Telling

    def summary(self, ended: EndRun) -> Run:
        """The run as its caller sees it."""
        tasks = {}
        for number, name in enumerate(self._plan.graph.names):
            row = self._rows.get(number)
            tasks[name] = TaskSummary(
                name=name,
                status=row.status if row else Status.PENDING,
                started_at=row.started_at if row else None,
                ended_at=row.ended_at if row else None,
                attempts=row.attempts if row else 0,
                error=row.error if row else None,
                items=row.items if row else None,
            )
        return Run(
            id=self._record.id,
            workflow=self._record.workflow,
            status=ended.status,
            started_at=self._record.started_at,
            ended_at=self._record.ended_at,
            output=ended.output,
            error=ended.error,
            tasks=tasks,
        )


def _event_data(event: Event) -> dict[str, Any]:
    """What is recorded of an event. Contexts and outputs are not: they follow from other rows."""
    match event:
        case TaskEnded():
            result = event.result
            return {
                "task": event.task,
                "visit": event.visit,
                "status": result.status,
                "error": result.error,
                "items": result.items,
                "handled": event.handled,
            }
        case RunStarted():
            return {}
        case _:
            return {name: getattr(event, name) for name in event.__struct_fields__}
