"""Runs a workflow as the action of another one's task: once, or once per item.

A child is part of its parent's run: each of its steps is one row, whose path begins with the task
and item above it, and which is committed before what follows it starts. It sees only its input. Its
attempts share the slot of the attempt that it is, and its failure is that attempt's error.

Most children are a few plain steps, run for each of very many items. A step that has nothing to
wait for but its action (no items, delay, timeout or retry) is made right here, in the coroutine of
the item; all others go the way of a run's own tasks.

A child that was interrupted is told anew from the rows of its steps: what they computed is given,
what templates make of it is evaluated again, and what has no row is done. A retry forgets them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from weft.bitmap import Bitmap
from weft.catalog import Runs
from weft.conductor import Command, Event, Kept, RunStarted, SettleTask, StartTask, TaskEnded
from weft.context import WorkflowContext
from weft.engine.attempt import TaskCall, Visit
from weft.engine.conduct import Conducting, Standing, first_state, result_of
from weft.engine.gate import Slots
from weft.engine.parts import RunParts, StepObserver
from weft.engine.recovery import outcome
from weft.engine.tasks import TaskEnd, is_handled
from weft.errors import AttemptError, RunFailedError
from weft.model import Discard, Status, TaskResult, TaskRun
from weft.plan import Plan, PlannedTask
from weft.ports import Ticket
from weft.values import FrozenDict, decode

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
        parent: RunParts,
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
        standing = Standing(self._start, opening=(RunStarted(context),))
        child = _Child(self._plan, standing, context, self._parts, f"{path}.", inline)
        if ticket.attempt > 1:
            await self._parts.journal.commit(Discard(self._visit.run_no, under=path))
        elif self._begun is not None and (ticket.index or 0) in self._begun:
            read = self._parts.parts.records
            rows = await asyncio.to_thread(partial(read.tasks, self._visit.run_no, within=path))
            await asyncio.to_thread(child.restore, rows)
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
        standing: Standing,
        context: WorkflowContext,
        run: RunParts,
        prefix: str,
        inline: frozenset[int],
    ) -> None:
        super().__init__(plan, standing, context, run, prefix)
        self._inline = inline
        self._step: StartTask | None = None  # one that is to be made right here

    def restore(self, rows: Sequence[TaskRun]) -> None:
        """Go to where the rows of recorded steps lead. Reads from the store, which may block."""
        numbers = self._plan.numbers
        named = [(numbers.get(row.path.rpartition(".")[2]), row) for row in rows]
        recorded = {(number, row.visit): row for number, row in named if number is not None}

        def outcome_of(command: StartTask) -> Kept | None:
            row = recorded.get((command.task, command.visit))
            if row is None or not _is_outcome(row):
                return None
            self._rows[command.task] = row
            # With an output it may have failed after its action, by a template, evaluated again.
            status = Status.SUCCEEDED if row.output is not None else row.status
            error = row.error if status is Status.FAILED else None
            result = outcome(row, status, self._run.parts.records, error)
            size = len(row.output or b"")
            self._sizes.hold(result_of(self._prefix, self._plan, command.task), size)
            task = self._plan.tasks[command.task]
            handled = result.error is not None and is_handled(task, command.context, result)
            ended = TaskEnded(command.task, command.visit, result, handled)
            return Kept(row.task_no, ended)

        self._retell(outcome_of)
        self._opening = ()
        for command in self._pending:
            if isinstance(command, StartTask):
                found = recorded.get((command.task, command.visit))
                self._rows[command.task] = found or self._new_row(
                    command.task, command.visit, self._clock.now()
                )
                self._begun.add(command.task)

    async def _record(self, event: Event, commands: tuple[Command, ...]) -> None:
        """One row for each step that has ended, in a transaction of their own.

        A step with items is recorded when it starts as well, since its items refer to its row.
        """
        now = self._clock.now()
        changed = []
        for command in commands:  # in their order: a step on a cycle may end and start again
            if isinstance(command, SettleTask):
                changed.append(self._settled_row(command, now))
            elif isinstance(command, StartTask):
                row = self._new_row(command.task, command.visit, started_at=now)
                if row.has_items:
                    row = replace(row, status=Status.RUNNING)
                    changed.append(row)
                self._rows[command.task] = row
        if changed:
            await self._run.journal.commit(*changed)

    def _settled_row(self, command: SettleTask, now: float) -> TaskRun:
        row = self._rows.get(command.task)
        if row is None or row.visit != max(command.visit, 1):
            row = self._new_row(command.task, command.visit)
        end, result = self._ends.get(command.task), command.result
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
        if command.task in self._inline and self._step is None and not self._runners:
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
            call = TaskCall(task, self._visit(command), command.context, self._run, timeout_s=None)
            with call.open_log() as log:
                try:
                    output = call.result(await call.function(**call.arguments(ticket)), ticket)
                finally:
                    log.keep(ticket, started_at)
            result = TaskResult(Status.SUCCEEDED, output=decode(output))
        except (Exception, SystemExit) as error:
            result = TaskResult(Status.FAILED, error=self._run.describe(error))
        handled = result.error is not None and is_handled(task, command.context, result)
        return self._visit_ended(command, TaskEnd(result, 1, output, handled))


def _is_outcome(row: TaskRun) -> bool:
    """Whether a step's row tells how its action ended.

    That of one with items doesn't if it has no counts: then it failed before its first item, or by
    a template after its last. So it starts again, and its items are found recorded.
    """
    has_ended = row.status in (Status.SUCCEEDED, Status.FAILED)
    return has_ended and (not row.has_items or row.items is not None)


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
