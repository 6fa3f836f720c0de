"""Runs a workflow as the action of another one's task: once, or once per item.

A child is part of its parent's run: each of its steps is one row, whose path begins with the task
and item above it, and which is committed before what follows it starts. It sees only its input. Its
attempts share the slot of the attempt that it is, and its failure is that attempt's error.

Most children are a few plain steps, run for each of very many items. A step that has nothing to
wait for but its action (no items, delay, timeout or retry) is made right here, in the coroutine of
the item; all others go the way of a run's own tasks.

A child that was interrupted is told anew from the rows of its steps: what they computed is given,
in the order in which they ended, what templates make of it is evaluated again, and what has no row
is done. A retry forgets them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fanwise.bitmap import Bitmap
from fanwise.catalog import Runs
from fanwise.conductor import (
    Command,
    Event,
    KeptOutcome,
    RunStarted,
    RunTimedOut,
    SettleTask,
    StartTask,
    TaskEnded,
)
from fanwise.context import WorkflowContext
from fanwise.engine.attempt import Visit
from fanwise.engine.calls import make_call
from fanwise.engine.conduct import Conducting, StartingPoint, first_state, result_of
from fanwise.engine.gate import Slots
from fanwise.engine.parts import RunServices, StepObserver
from fanwise.engine.recovery import outcome
from fanwise.engine.tasks import VisitEnd, is_handled
from fanwise.errors import AttemptError, RunFailedError
from fanwise.model import Discard, Status, TaskResult, VisitRecord
from fanwise.plan import Plan, PlannedTask
from fanwise.ports import Ticket
from fanwise.values import FrozenDict, decode

MAX_DEPTH = 16
"""Workflows that may stand within each other, the run's own included."""

_UNBOUNDED = 1 << 60


class ChildWorkflow:
    """A workflow as the action of one visit of a task. `run` is what its attempts call."""

    def __init__(
        self,
        plan: Plan,
        visit: Visit,
        context: WorkflowContext,
        parent: RunServices,
        begun: Bitmap | None = None,
    ) -> None:
        self._begun = begun  # the items, 0 if there are none, of which steps may be recorded
        self._plan = plan
        self._visit = visit
        self._depth = parent.depth + 1
        self._defaults = {name: each.default for name, each in plan.parameters.items()}
        self._parts = replace(
            parent,
            observer=StepObserver(parent.observer.notice),
            slots=Slots(_UNBOUNDED),
            workflow_folder=Path(plan.file).absolute().parent,
            given=frozenset(),
            depth=self._depth,
        )
        self._start = first_state(plan)
        self._inline = frozenset(task.number for task in plan.tasks if _is_plain(task))
        self._first = WorkflowContext(run=context.run, secrets=context.secrets)

    async def run(self, ticket: Ticket, given: dict[str, Any]) -> Any:
        """The child's output. Raises `RunFailedError`, and `AttemptError` if it can't start."""
        if self._depth >= MAX_DEPTH:
            error = AttemptError(f"more than {MAX_DEPTH} workflows stand within each other")
            error.type, error.retryable = "TooDeep", False
            raise error
        context = self._first.with_parameters(FrozenDict({**self._defaults, **given}))
        path = self._visit.item(ticket.index)
        timeout_s = None if self._plan.timeout is None else self._plan.timeout.resolve(context)
        inline = self._inline if timeout_s is None else frozenset[int]()
        standing = StartingPoint(self._start, opening=(RunStarted(context),))
        child = _Child(self._plan, standing, context, self._parts, f"{path}.", inline)
        rows: Sequence[VisitRecord] | None = None
        if ticket.attempt == 1 and self._begun is not None and (ticket.index or 0) in self._begun:
            read = self._parts.parts.records
            rows = await asyncio.to_thread(partial(read.tasks, self._visit.run_no, within=path))
        if ticket.attempt > 1:
            await self._parts.journal.commit(Discard(self._visit.run_no, under=path))
        elif rows is not None:
            await child.restore(rows, timeout_s)
        ended = await child.conduct(timeout_s)
        if ended.error is not None:
            raise RunFailedError(
                f"{path}: {ended.error.message}",
                path=path,
                cause=ended.error.type,
                data=ended.error.data,
            )
        return ended.output


class _Child(Conducting):
    """One child in progress."""

    def __init__(
        self,
        plan: Plan,
        standing: StartingPoint,
        context: WorkflowContext,
        run: RunServices,
        prefix: str,
        inline: frozenset[int],
    ) -> None:
        super().__init__(plan, standing, context, run, prefix)
        self._inline = inline
        self._step: StartTask | None = None  # one that is to be made right here
        self._is_restored = False
        self._recorded: Mapping[tuple[int, int], VisitRecord] = {}  # before it was restored
        self._settled_at = 0.0

    async def restore(self, rows: Sequence[VisitRecord], timeout_s: float | None) -> None:
        """Go to where the rows of recorded steps lead; the child's own timeout is `timeout_s`."""
        numbers = self._plan.numbers
        named = [(numbers.get(row.path.rpartition(".")[2]), row) for row in rows]
        self._recorded = {(number, row.visit): row for number, row in named if number is not None}
        self._settled_at = max((row.ended_at or 0.0 for row in rows), default=0.0)
        self._is_restored = True
        spontaneous = []
        cut_off = [row.ended_at or 0.0 for row in rows if row.status is Status.CANCELLED]
        if cut_off and timeout_s is not None:  # nothing else cuts off steps and leaves them be
            spontaneous.append(
                KeptOutcome(math.nextafter(min(cut_off), 0.0), RunTimedOut(timeout_s))
            )
        steps = await asyncio.to_thread(self._retell, self._kept, spontaneous=spontaneous)
        self._opening = ()
        # Steps that were passed over may have no row yet, nor those that are to start.
        told = [command for _, commands in steps for command in commands]
        passed = [command for command in told if isinstance(command, SettleTask)]
        await self._commit([*passed, *self._pending])

    def _kept(self, command: StartTask) -> KeptOutcome | None:
        """What is recorded of how a step's action ended, if its row tells.

        That of a step with items doesn't if it has no counts: then it failed before its first
        item, or by a template after its last. So it starts again, and its items are found recorded.
        """
        row = self._recorded.get((command.task, command.visit))
        if row is None or row.ended_at is None or (row.has_items and row.items is None):
            return None
        self._rows[command.task] = row
        self._sizes.hold(result_of(self._prefix, self._plan, command.task), len(row.output or b""))
        status, error = row.status, row.error
        if error is not None and row.output is not None:
            # It failed after its action, by a template that is evaluated again.
            status, error = Status.SUCCEEDED, None
        result = outcome(row, status, self._run.parts.records, error)
        task = self._plan.tasks[command.task]
        handled = status is Status.FAILED and is_handled(task, command.context, result)
        return KeptOutcome(row.ended_at, TaskEnded(command.task, command.visit, result, handled))

    async def _record(self, event: Event, commands: tuple[Command, ...]) -> None:
        """One row for each step that has ended, in a transaction of their own."""
        await self._commit(commands)

    async def _commit(self, commands: Iterable[Command]) -> None:
        """Record what steps' starts and ends change."""
        changed: list[VisitRecord] = []
        for command in commands:  # in their order: a step on a cycle may end and start again
            row = None
            if isinstance(command, SettleTask):
                row = self._settled_row(command)
            elif isinstance(command, StartTask):
                row = self._open_row(command)
            if row is not None:
                changed.append(row)
        if changed:
            await self._run.journal.commit(*changed)

    def _open_row(self, command: StartTask) -> VisitRecord | None:
        """What to record of a step that starts: its row, if it has items, which refer to that."""
        number, visit = command.task, command.visit
        if self._is_restored:
            self._begun.add(number)  # what runs inside it may be recorded, though it isn't itself
            found = self._recorded.get((number, visit))
            if found is not None:
                self._rows[number] = found
                return None
        row = self._new_row(number, visit, started_at=self._clock.now())
        if row.has_items:
            row = replace(row, status=Status.RUNNING)
        self._rows[number] = row
        return row if row.has_items else None

    def _settled_row(self, command: SettleTask) -> VisitRecord | None:
        """What to record of a step that has ended: its row, unless that is recorded already."""
        number, visit = command.task, max(command.visit, 1)
        if self._is_restored:
            found = self._recorded.get((number, visit))
            if found is not None and found.ended_at is not None:
                return None
        row = self._rows.get(number)
        if row is None or row.visit != visit:
            row = self._new_row(number, visit)
        end, result, now = self._ends.get(number), command.result, self._clock.now()
        if now <= self._settled_at:  # times tell in which order steps have ended
            now = math.nextafter(self._settled_at, math.inf)
        self._settled_at = now
        return replace(
            row,
            status=result.status,
            ended_at=now,
            attempts=end.attempts if end else 0,
            output=end.output if end else None,
            error=result.error,
            items=result.items,
        )

    def _settled(self, command: SettleTask) -> None:
        """Steps are too many to be told one by one."""

    def _start(self, command: StartTask) -> None:
        kept = self._kept(command) if self._is_restored else None
        if kept is not None:
            self.tell(kept.event)
        elif command.task in self._inline and self._step is None and not self._runners:
            self._contexts[command.task] = command.context
            self._step = command
        else:
            super()._start(command)

    async def _next_event(self) -> Event | BaseException:
        step, self._step = self._step, None
        return await (super()._next_event() if step is None else self._make(step))

    async def _make(self, command: StartTask) -> Event:
        """Make a plain step's one attempt."""
        task, ticket = self._plan.tasks[command.task], Ticket(command.context, None, 1)
        output, started_at = None, self._clock.now()
        try:
            resumes = command.task in self._begun
            call = make_call(
                task,
                self._visit(command),
                command.context,
                self._run,
                timeout_s=None,
                resumes=resumes,
                begun_children=Bitmap([0]) if resumes else None,
            )
            with call.open_log() as log:
                try:
                    output = call.result(await call.function(**call.arguments(ticket)), ticket)
                finally:
                    log.keep(ticket, started_at)
            result = TaskResult(Status.SUCCEEDED, output=decode(output))
        except (Exception, SystemExit) as error:
            result = TaskResult(Status.FAILED, error=self._run.describe(error))
        handled = result.error is not None and is_handled(task, command.context, result)
        return self._visit_ended(command, VisitEnd(result, 1, output, handled))


def _is_plain(task: PlannedTask) -> bool:
    """Whether a visit of the task is nothing but one call of an `async def`."""
    settings = task.settings
    waits = ("timeout", "delay", "retry.count")
    literal = {key: settings[key].literal for key in waits if key in settings}
    return (
        task.items is None
        and task.spec.runs is Runs.ASYNC
        and all(setting.value is None for setting in settings.values())
        and not any(literal.values())
        and task.retry_until is None
    )
