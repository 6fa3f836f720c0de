"""Runs a workflow as the action of another one's task: once, or once per item.

A child is part of its parent's run: each of its steps is one row, whose path begins with the task
and item above it, and which is committed before the steps after it start. It sees only its input.
Its failure is the error of the attempt that it is.

A child that was interrupted is restored from the rows of its steps: recorded results are kept, in
the order in which they ended, templates are evaluated again, and steps without a row run. A retry
of the child's attempt discards the rows first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fanwise.bitmap import Bitmap
from fanwise.conductor import RunStarted
from fanwise.context import WorkflowContext
from fanwise.engine.driver import WorkflowDriver
from fanwise.engine.inline import is_plain
from fanwise.engine.recorders.steps import StepRecorder, recorded_timeout
from fanwise.engine.services import RunServices
from fanwise.engine.starting_point import StartingPoint, first_state
from fanwise.engine.visit import Visit
from fanwise.errors import RunFailedError, TooDeepError
from fanwise.model import Discard, VisitRecord
from fanwise.plan import Plan
from fanwise.ports import Observer, Ticket
from fanwise.values import FrozenDict

MAX_DEPTH = 16
"""Workflows that may call each other in a row, the run's own included."""


def run_child(
    plan: Plan,
    visit: Visit,
    context: WorkflowContext,
    parent: RunServices,
    begun: Bitmap | None,
) -> Callable[..., Awaitable[Any]]:
    """The workflow as an action; implements `services.Child`."""
    return ChildWorkflow(plan, visit, context, parent, begun).run


class ChildWorkflow:
    """A workflow as the action of one visit of a task. Its attempts call `run`."""

    def __init__(
        self,
        plan: Plan,
        visit: Visit,
        context: WorkflowContext,
        parent: RunServices,
        begun: Bitmap | None = None,
    ) -> None:
        self._begun = begun  # the items, 0 if there are none, with steps that may be recorded
        self._plan = plan
        self._visit = visit
        self._depth = parent.depth + 1
        self._defaults = {name: each.default for name, each in plan.parameters.items()}
        self._run = replace(
            parent,
            observer=_StepObserver(parent.observer.notice),
            workflow_folder=Path(plan.file).absolute().parent,
            given=frozenset(),
            depth=self._depth,
        )
        self._first_state = first_state(plan)
        self._plain = frozenset(task.number for task in plan.tasks if is_plain(task))
        self._first_context = WorkflowContext(run=context.run, secrets=context.secrets)

    async def run(self, ticket: Ticket, given: dict[str, Any]) -> Any:
        """The child's output. Raises `RunFailedError`, and `TooDeepError` if it can't start."""
        if self._depth >= MAX_DEPTH:
            raise TooDeepError(f"more than {MAX_DEPTH} workflows stand within each other")
        context = self._first_context.with_parameters(FrozenDict({**self._defaults, **given}))
        path = self._visit.item(ticket.index)
        timeout_s = None if self._plan.timeout is None else self._plan.timeout.resolve(context)
        recorded = await self._recorded_steps(ticket, path)
        if ticket.attempt > 1:
            await self._run.journal.commit(Discard(self._visit.run_no, under=path))
        prefix = f"{path}."
        driver = WorkflowDriver(
            self._plan,
            StartingPoint(self._first_state, opening_events=(RunStarted(context),)),
            context,
            self._run,
            StepRecorder(self._plan, self._run, prefix, recorded),
            prefix=prefix,
            inline=self._plain if timeout_s is None else frozenset(),
        )
        if recorded is not None:
            await driver.restore(spontaneous=recorded_timeout(recorded, timeout_s))
        ended = await driver.drive(timeout_s)
        if ended.error is not None:
            raise RunFailedError(
                f"{path}: {ended.error.message}",
                path=path,
                cause=ended.error.type,
                data=ended.error.data,
            )
        return ended.output

    async def _recorded_steps(self, ticket: Ticket, path: str) -> Sequence[VisitRecord] | None:
        """The rows of the child's steps, if an earlier process may have begun this attempt."""
        if self._begun is None or ticket.attempt > 1 or (ticket.index or 0) not in self._begun:
            return None
        records = self._run.services.records
        return await asyncio.to_thread(partial(records.tasks, self._visit.run_no, within=path))


class _StepObserver(Observer):
    """Passes a child's notices on; its steps are too many to be observed one by one."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice

    def notice(self, text: str) -> None:
        self._notice(text)
