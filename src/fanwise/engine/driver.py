"""Drives one workflow: gives events to the conductor, and carries out its commands.

The loop takes one event at a time, has `decide` say what follows, and has the recorder record the
event with the rows that change. Only then are the commands carried out, so anything that is
observed, started or evaluated has been recorded first. Runs and child workflows are driven alike;
their recorders differ (`recorders/run.py`, `recorders/steps.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from msgspec.structs import replace

from fanwise.conductor import (
    CancelRequested,
    Command,
    EndRun,
    Evaluate,
    Evaluated,
    EvaluationKind,
    Event,
    KeptOutcome,
    PauseRequested,
    Phase,
    RunParked,
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
from fanwise.engine.evaluate import evaluate_asked, is_handled, is_handled_at
from fanwise.engine.feeds.progress import Stop
from fanwise.engine.inline import run_plain
from fanwise.engine.journal import refusal
from fanwise.engine.recorders.base import Commands, Recorder
from fanwise.engine.services import RunServices
from fanwise.engine.starting_point import StartingPoint
from fanwise.engine.tasks import VisitRunner
from fanwise.engine.visit import Visit, VisitEnd
from fanwise.errors import AttemptError, LimitError, RecordRefusedError
from fanwise.model import ErrorInfo, Status, TaskResult, WaitPlace, inner_path
from fanwise.plan import Plan
from fanwise.ports import Timer

_LET_GO_S = 2.0
"""Seconds for which attempts that are cut off for good may take to let go."""

OutcomeOf = Callable[[StartTask], KeptOutcome | VisitsAdvanced | None]
"""Gives the kept outcome of a visit, or a renumbering, or None if the visit is to run."""


class WorkflowDriver:
    """One workflow in progress, from its starting point to its end.

    `prefix` is that of its tasks' paths. Tasks in `inline` run in the driver's own coroutine, as
    long as no other task runs.
    """

    def __init__(
        self,
        plan: Plan,
        start: StartingPoint,
        context: WorkflowContext,
        run: RunServices,
        recorder: Recorder,
        *,
        prefix: str = "",
        inline: AbstractSet[int] = frozenset(),
    ) -> None:
        self._plan = plan
        self._context = context
        self._run = run
        self._recorder = recorder
        self._rows = recorder.rows
        self._prefix = prefix
        self._inline = inline
        self._clock = run.services.clock
        self._state = start.state
        self._opening_events = start.opening_events
        self._pending = start.pending
        self._sizes = ContextSize(run.services.limits, start.sizes)
        self._events: deque[Event | BaseException] = deque()
        self._waiting: asyncio.Future[None] | None = None  # for an event
        self._contexts: dict[int, WorkflowContext] = {}  # of each task that runs
        self._ends: dict[int, VisitEnd] = {}  # of visits that aren't settled yet
        self._runners: dict[int, VisitRunner] = {}
        self._inline_step: StartTask | None = None  # the next one to run
        self._background: set[asyncio.Task[None]] = set()
        self._stop: Stop | None = None  # requested of all tasks
        self._grace: Timer | None = None  # of a pause
        self._ended: EndRun | None = None
        self.parked_places: list[WaitPlace] = []
        """The waits that the workflow was left for, if it has ended as waiting."""
        self._reads_store = bool(plan.keys) or any(
            task.items is not None or task.keys for task in plan.tasks
        )

    # Requests

    def tell(self, event: Event | BaseException) -> None:
        """Queue an event, or an error that ends the driving."""
        self._events.append(event)
        self._look()

    def _look(self) -> None:
        """Look again whether there is something to do."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def pause(self, grace_s: float) -> None:
        """Start nothing new, let attempts in flight finish, and end as paused.

        Attempts that are in flight after `grace_s`, or when all of them sleep, are cut off, and
        made once more by a resume.
        """
        self.tell(PauseRequested())
        self._stop_runners(Stop.PAUSE)  # now, and not only when the request is recorded
        if self._grace is None:
            self._grace = self._clock.call_later(grace_s, lambda: self._stop_runners(Stop.HOLD))
            self._run.activity.when_asleep(lambda: self._stop_runners(Stop.HOLD))

    def cancel(self, by: str | None) -> None:
        """Cut off attempts in flight, start nothing new but `finally`, and end as cancelled."""
        self.tell(CancelRequested(by))

    def _stop_runners(self, how: Stop) -> None:
        self._stop = how
        for runner in self._runners.values():
            runner.stop(how)

    # Waits

    def _can_park(self) -> bool:
        """Say whether all that is left waits, so that nobody has to drive the workflow."""
        return self._may_be_left() and all(runner.is_resting for runner in self._runners.values())

    def _may_be_left(self) -> bool:
        """Say whether nothing is left but visits, and the workflow may end as waiting."""
        state = self._state
        return (
            bool(self._runners)
            and self._stop is None
            and state.active == len(self._runners)
            and (state.stop is None or state.phase is Phase.CLEANING)
            and (self._run.depth > 0 or self._run.may_end_waiting)
        )

    def doze(self, rest_s: float) -> None:
        """End as waiting, for so many seconds: all that is left sleeps. See `DozeWatch`."""
        self._spawn(partial(self._fall_asleep, rest_s))

    async def _fall_asleep(self, rest_s: float) -> None:
        run, activity = self._run, self._run.activity
        changes = activity.changes
        tries = [each for visit in activity.visits for each in visit.waiting_tries()]
        if tries:
            await run.journal.commit(*tries)
        await run.parking.doze(rest_s)
        if activity.changes != changes or self._events or not self._may_be_left():
            activity.note_sleep()  # something has happened meanwhile
            return
        self.tell(RunParked())
        self._stop = Stop.HOLD
        for runner in self._runners.values():
            runner.doze()

    def _park(self) -> None:
        """End as waiting; another driver resumes once a wait is settled."""
        self.parked_places = [
            place for runner in self._runners.values() for place in runner.parked_places
        ]
        self.tell(RunParked())
        self._stop_runners(Stop.HOLD)

    # From the start to the end

    async def restore(
        self,
        outcome_of: OutcomeOf | None = None,
        *,
        first: Sequence[Event] = (),
        then: Sequence[Event] = (),
        spontaneous: Sequence[KeptOutcome] = (),
    ) -> None:
        """Begin where kept outcomes lead, and record that as a whole.

        The outcomes are those of `outcome_of`, or of the recorder. The events `first` come right
        after the start, `then` at the end, and `spontaneous` ones in their order. Raises what the
        recorder raises.
        """
        replayed = partial(self._replay, outcome_of or self._kept, first, spontaneous)
        # Templates that read paged outputs read from the store, which may block.
        steps = await asyncio.to_thread(replayed, then)
        self._opening_events = ()
        await self._recorder.record_restored(steps, self._pending, self._ended)

    async def drive(self, timeout_s: float | None, ran_s: float = 0.0) -> EndRun:
        """Drive to the end, for `timeout_s` at most, of which `ran_s` are over.

        Raises `StoreError` if the store can't be written any more. Attempts in flight are cut off
        then, and left behind if they don't let go.
        """
        timer = None
        if timeout_s is not None:
            expired = RunTimedOut(timeout_s)
            left_s = max(0.0, timeout_s - ran_s)
            timer = self._clock.call_later(left_s, lambda: self.tell(expired))
        try:
            # A task that the last of them forbids, such as a cancellation, isn't started at all.
            commands = [*self._pending]
            for opening in self._opening_events:
                commands += await self._take(opening)
            for command in commands:
                self._do(command)
            while self._ended is None:
                event = await self._next_event()
                if isinstance(event, BaseException):
                    raise event
                for command in await self._take(event):
                    self._do(command)
        finally:
            for each in (timer, self._grace):
                if each is not None:
                    each.cancel()
            for task in self._background:
                task.cancel()
            if self._background:
                await asyncio.wait(self._background, timeout=_LET_GO_S)
        return self._ended

    async def _next_event(self) -> Event | BaseException:
        if self._inline_step is not None:
            step, self._inline_step = self._inline_step, None
            return await self._run_inline(step)
        while not self._events:
            if self._can_park():
                self._park()
                break
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._events.popleft()

    async def _take(self, event: Event) -> Commands:
        """Decide and record, and return the commands to carry out."""
        state, commands = decide(self._plan, self._state, event)
        try:
            await self._recorder.record(event, commands, self._ends)
        except RecordRefusedError as error:
            return await self._take(self._refused(event, error))
        if self._state.is_parked and not state.is_pausing:  # what starts now isn't to be held
            self._stop = None
        self._state = state
        if isinstance(event, TaskPaused):
            self._ends.pop(event.task, None)
        return commands

    def _refused(self, event: Event, error: RecordRefusedError) -> Event:
        """The event in place of an event whose record the store refuses."""
        info = refusal(error)
        match event:
            case TaskEnded() if event.result.status is Status.SUCCEEDED:
                result = TaskResult(Status.FAILED, error=info)
                handled = self._is_handled(event.task, result)
                end = self._ends[event.task]
                self._ends[event.task] = replace(end, result=result, output=None, handled=handled)
                return TaskEnded(event.task, event.visit, result, handled)
            case Evaluated() if event.error is None:
                handled = self._is_handled_at(event, info)
                return replace(event, value=None, error=info, handled=handled)
            case _:
                raise error

    # Commands

    def _do(self, command: Command) -> None:
        match command:
            case Evaluate() if self._reads_store:
                # Paged outputs and keys are read from the store, which may block.
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
                self._recorder.settled(command)
            case EndRun():
                self._ended = command

    def _spawn(self, work: Callable[[], Awaitable[Event | None]]) -> None:
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _guard(self, work: Callable[[], Awaitable[Event | None]]) -> None:
        """Have an error of a task of ours end the driving, in `drive`."""
        try:
            # It begins only here: a task that is cancelled before awaits nothing.
            event = await work()
            if event is not None:
                self.tell(event)
        except BaseException as error:
            self.tell(error)
            if not isinstance(error, Exception):
                raise

    # Evaluations

    def _evaluate(self, command: Evaluate) -> Evaluated:
        said = Evaluated(command.asked, command.task, command.visit)
        try:
            asked = self._with_keys(command)
            value = evaluate_asked(self._plan, asked, self._run.services.limits)
            for name, size in variable_sizes(command.asked, value):
                self._sizes.hold(name, size)
        except AttemptError as problem:
            error = self._run.describe(problem)
            return replace(said, error=error, handled=self._is_handled_at(command, error))
        return replace(said, value=value)

    def _with_keys(self, command: Evaluate) -> Evaluate:
        """The command with a context that has the keys which it reads: those of its visit."""
        if command.task < 0:
            names, path = self._plan.keys, f"{self._prefix}@{command.asked.value}"
        else:
            task = self._plan.tasks[command.task]
            names, path = task.keys, inner_path(f"{self._prefix}{task.name}", command.visit)
        if not names:
            return command
        records = command.asked is not EvaluationKind.WHEN
        context = self._run.with_keys(command.context, path, names, records=records)
        return replace(command, context=context)

    def _is_handled_at(self, at: Evaluate | Evaluated, error: ErrorInfo) -> bool:
        """True if `on-error` lets the workflow continue after this evaluation failed."""
        return is_handled_at(self._plan, at, self._contexts[at.task], error)

    def _is_handled(self, number: int, result: TaskResult) -> bool:
        return is_handled(self._plan.tasks[number], self._contexts[number], result)

    # Visits

    def _start(self, command: StartTask) -> None:
        kept = self._kept(command)
        number = command.task
        if kept is not None:
            self.tell(kept.event)
            return
        self._contexts[number] = command.context
        if number in self._inline and self._inline_step is None and not self._runners:
            self._inline_step = command
            return
        runner = VisitRunner(
            self._plan.tasks[number],
            self._visit(command),
            command.context,
            self._run,
            partial(self._rows.note, number),
            self._look,
            begun=self._rows.take_begun(number),
        )
        if self._stop is not None:  # requested while the start was being recorded
            runner.stop(self._stop)
        self._runners[number] = runner
        self._run.observer.task_started(runner.progress)
        self._spawn(partial(self._run_visit, command, runner))

    def _visit(self, command: StartTask) -> Visit:
        row = self._rows.latest[command.task]
        return Visit(self._run.run_id, self._run.run_no, row.visit_no, row.path, command.visit)

    async def _run_visit(self, command: StartTask, runner: VisitRunner) -> Event:
        end = await runner.run()
        del self._runners[command.task]
        return self._visit_ended(command, end)

    async def _run_inline(self, command: StartTask) -> Event:
        task, resumes = self._plan.tasks[command.task], self._rows.is_begun(command.task)
        visit = self._visit(command)
        end = await run_plain(task, visit, command.context, self._run, resumes=resumes)
        return self._visit_ended(command, end)

    def _visit_ended(self, command: StartTask, end: VisitEnd) -> Event:
        """The event of a visit's end; a visit whose output is too large has failed."""
        number, visit = command.task, command.visit
        if end.result.status in (Status.PAUSED, Status.WAITING):
            self._ends[number] = end
            return TaskPaused(number, visit)
        try:
            self._hold_result(number, end.output)
        except LimitError as error:
            failed = TaskResult(Status.FAILED, error=self._run.describe(error))
            handled = self._is_handled(number, failed)
            end = replace(end, result=failed, output=None, handled=handled)
        self._ends[number] = end
        return TaskEnded(number, visit, end.result, end.handled)

    def _hold_result(self, number: int, output: bytes | None) -> None:
        """Count a task's result. Raises `LimitError`."""
        name = result_name(self._prefix, self._plan, number)
        self._sizes.hold(name, len(output or b""))

    # Replay

    def _replay(
        self,
        outcome_of: OutcomeOf,
        first: Sequence[Event],
        spontaneous: Sequence[KeptOutcome],
        then: Sequence[Event],
    ) -> list[Step]:
        """Bring the state to where kept outcomes lead, and return the steps there."""

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

    def _kept(self, command: StartTask) -> KeptOutcome | None:
        """The recorded outcome of a visit that is to start. Raises `LimitError`."""
        kept = self._recorder.kept(command)
        if kept is not None:
            self._hold_result(command.task, self._rows.latest[command.task].output)
        return kept
