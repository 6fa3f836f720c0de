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
from contextlib import AsyncExitStack
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fanwise.bitmap import Bitmap
from fanwise.conductor import RunStarted
from fanwise.context import WorkflowContext
from fanwise.engine.driver import WorkflowDriver
from fanwise.engine.inline import is_plain
from fanwise.engine.parking import ParkedChild
from fanwise.engine.recorders.steps import StepRecorder
from fanwise.engine.recovery.steps import RecordedSteps
from fanwise.engine.run_rules import limit_of_child
from fanwise.engine.services import RunServices
from fanwise.engine.starting_point import StartingPoint, first_state
from fanwise.engine.straight_line import StraightLine, is_straight
from fanwise.engine.visit import Visit
from fanwise.errors import RunFailedError, TooDeepError
from fanwise.model import Discard, Status, VisitRecord
from fanwise.plan import Plan
from fanwise.ports import Observer, Ticket
from fanwise.values import FrozenDict, Json


class _Top:
    """The attempt at the top of a tree of children: a workflow that the run's own one calls."""

    __slots__ = ("error", "task")

    def __init__(self, task: asyncio.Task[object]) -> None:
        self.task = task
        self.error: TooDeepError | None = None

    def end(self, error: TooDeepError) -> None:
        """Cut the whole tree off, unless all of it runs in the task that has the error."""
        if self.error is None and self.task is not asyncio.current_task():
            self.error = error
            self.task.cancel()


_top: ContextVar[_Top] = ContextVar("fanwise-top-child")


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
        self._parked: set[int | None] = set()  # the items whose child waits
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
        executor = parent.services.executor
        self._line = StraightLine(plan, self._run, visit) if is_straight(plan, executor) else None
        self._plain = frozenset(task.number for task in plan.tasks if is_plain(task, executor))
        self._first_context = WorkflowContext(
            run=context.run, trigger=context.trigger, secrets=context.secrets
        )

    async def run(self, ticket: Ticket, given: dict[str, Any]) -> Any:
        """The child's output. Raises `RunFailedError`, and `TooDeepError` if it can't start.

        A tree of children in which one stands too deep ends as a whole: the others may each be the
        top of as large a tree, and are as many as the fan-outs of all levels multiplied.
        """
        with self._run.activity.staying(counts=ticket.attempt > 1):
            return await self._run_at_depth(ticket, given)

    async def _run_at_depth(self, ticket: Ticket, given: dict[str, Json]) -> object:
        if self._depth > 1:
            return await self._drive(ticket, given)
        task = asyncio.current_task()
        assert task is not None
        top = _Top(task)
        token = _top.set(top)
        try:
            return await self._drive(ticket, given)
        except BaseException:
            if top.error is None:
                raise
            task.uncancel()
            raise top.error from None
        finally:
            _top.reset(token)

    async def _drive(self, ticket: Ticket, given: dict[str, Json]) -> object:
        most = self._run.services.limits.depth
        if self._depth >= most:
            error = TooDeepError(
                f"{self._visit.path}: more than {most} workflows stand within each other.",
                hint="Check the condition that ends the recursion; limits.depth is the bound.",
            )
            _top.get().end(error)
            raise error
        context = self._first_context.with_parameters(FrozenDict({**self._defaults, **given}))
        path = self._visit.item(ticket.index)
        timeout_s = None if self._plan.timeout is None else self._plan.timeout.resolve(context)
        has_waited = ticket.index in self._parked
        self._parked.discard(ticket.index)
        limit = limit_of_child(self._plan, context)
        async with AsyncExitStack() as stack:
            if limit is not None:
                with self._run.activity.staying(counts=True):
                    entered = self._run.child_slots.entered(limit, path)
                    await stack.enter_async_context(entered)
            return await self._drive_at(ticket, context, path, timeout_s, has_waited=has_waited)

    async def _drive_at(
        self,
        ticket: Ticket,
        context: WorkflowContext,
        path: str,
        timeout_s: float | None,
        *,
        has_waited: bool,
    ) -> object:
        recorded = await self._recorded_steps(ticket, path, has_waited=has_waited)
        if ticket.attempt > 1 and not has_waited:
            await self._run.journal.commit(Discard(self._visit.run_no, under=path))
        prefix = f"{path}."
        if self._line is not None and recorded is None:
            followed = await self._line.follow(context, prefix)
            if followed.departed is None:
                return followed.output
            recorded = followed.departed
        records = self._run.services.records
        steps = None if recorded is None else RecordedSteps(self._plan, recorded, records)
        driver = WorkflowDriver(
            self._plan,
            StartingPoint(self._first_state, opening_events=(RunStarted(context),)),
            context,
            self._run,
            StepRecorder(self._plan, self._run, prefix, steps),
            prefix=prefix,
            inline=self._plain if timeout_s is None else frozenset(),
        )
        if steps is not None:
            await driver.restore(spontaneous=steps.timeout(timeout_s))
        with self._run.activity.staying(counts=timeout_s is not None):
            ended = await driver.drive(timeout_s)
        if ended.status is Status.WAITING:
            self._parked.add(ticket.index)
            raise ParkedChild(driver.parked_places)
        if ended.error is not None:
            raise RunFailedError(
                f"{path}: {ended.error.message}",
                path=path,
                cause=ended.error.type,
                data=ended.error.data,
            )
        return ended.output

    async def _recorded_steps(
        self, ticket: Ticket, path: str, *, has_waited: bool
    ) -> Sequence[VisitRecord] | None:
        """The rows of the child's steps, if it has waited, or an earlier process began it."""
        is_new = self._begun is None or (ticket.index or 0) not in self._begun
        if not has_waited and (ticket.attempt > 1 or is_new):
            return None
        records = self._run.services.records
        return await asyncio.to_thread(partial(records.tasks, self._visit.run_no, within=path))


class _StepObserver(Observer):
    """Passes a child's notices on; its steps are too many to be observed one by one."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice

    def notice(self, text: str) -> None:
        self._notice(text)
