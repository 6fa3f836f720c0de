"""Runs one visit of a task, from its settings to its result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from weft.context import WorkflowContext
from weft.engine.attempt import TaskCall, Visit
from weft.engine.capture import unheard
from weft.engine.fanout import ItemFeed
from weft.engine.feed import BaseFeed, FeedParts, Progress, SoloFeed
from weft.engine.items import open_items
from weft.engine.pages import PagedOutput
from weft.engine.parts import RunParts
from weft.engine.settings import TaskSettings, resolve_settings
from weft.errors import AttemptError
from weft.model import Status, TaskResult
from weft.plan import PlannedItems, PlannedTask
from weft.values import decode


class TaskEnd(msgspec.Struct, frozen=True, gc=False):
    """How a visit ended, or where it was paused: then its result's status is `paused`.

    `output` is its result's output as JSON text, if it had no items. `handled` says of a failure
    that the task's `on-error` lets the run go on.
    """

    result: TaskResult
    attempts: int = 0
    output: bytes | None = None
    handled: bool = False


class TaskRunner:
    """One visit of a task. `on_delay` is awaited with the time at which a delayed task is due."""

    def __init__(
        self,
        task: PlannedTask,
        visit: Visit,
        context: WorkflowContext,
        run: RunParts,
        on_delay: Callable[[float], Awaitable[None]],
    ) -> None:
        self._task = task
        self._visit = visit
        self._context = context
        self._run = run
        self._on_delay = on_delay
        self._feed: BaseFeed | None = None
        self._stop: bool | None = None  # whether at once, as soon as someone has asked
        self._stopped = asyncio.Event()
        self.progress = Progress(task.name, has_items=task.items is not None, visit=visit.number)

    def stop(self, *, at_once: bool) -> None:
        """Start nothing more; with `at_once`, stop what runs as well."""
        self._stop = at_once
        self._stopped.set()
        if self._feed is not None:
            self._feed.stop(at_once=at_once)

    async def run(self) -> TaskEnd:
        """How the task ended, or where it was paused. Raises `StoreError`."""
        try:
            end = await self._visited()
        except AttemptError as error:
            end = TaskEnd(TaskResult(Status.FAILED, error=self._run.describe(error)))
        if end.result.status is Status.FAILED:
            return msgspec.structs.replace(
                end, handled=is_handled(self._task, self._context, end.result)
            )
        return end

    async def _visited(self) -> TaskEnd:
        settings = resolve_settings(self._task, self._context)
        if settings.delay_s and not await self._delay(settings.delay_s):
            return self._stopped_early()
        run, timeout_s = self._run, settings.timeout_s
        make_call = partial(
            TaskCall, self._task, self._visit, self._context, run, timeout_s=timeout_s
        )
        # Paged outputs are read from the store, which may block: not on the loop.
        reads_pages = any(entry.reads_pages for entry in self._task.inputs)
        call = await asyncio.to_thread(make_call) if reads_pages else make_call()
        parts = FeedParts(
            clock=run.parts.clock,
            chance=run.parts.chance,
            describe=run.describe,
            present=run.present,
            mask=run.masker.text,
            slots=run.slots,
            notice=unheard(run.observer.notice),
        )
        if self._task.items is None:
            return await self._solo(call, settings, parts)
        return await self._fan_out(call, self._task.items, settings, parts)

    async def _delay(self, delay_s: float) -> bool:
        """Wait out the task's `delay`; False if the run was asked to stop meanwhile."""
        clock = self._run.parts.clock
        await self._on_delay(clock.now() + delay_s)
        due = asyncio.Event()
        timer = clock.call_later(delay_s, due.set)
        waits = [asyncio.ensure_future(due.wait()), asyncio.ensure_future(self._stopped.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            for wait in waits:
                wait.cancel()
        return self._stop is None

    async def _execute(self, feed: BaseFeed, call: TaskCall) -> None:
        self._feed = feed
        if self._stop is not None:  # asked while the settings were evaluated
            feed.stop(at_once=self._stop)
        await self._run.parts.executor.execute(feed, call)  # type: ignore[arg-type]

    async def _solo(self, call: TaskCall, settings: TaskSettings, parts: FeedParts) -> TaskEnd:
        feed = SoloFeed(self._context, settings, self.progress, parts)
        await self._execute(feed, call)
        if feed.status is None:
            return self._stopped_early()
        output = None if feed.output is None else decode(feed.output)
        result = TaskResult(feed.status, output=output, error=feed.error)
        return TaskEnd(result, feed.attempts, feed.output)

    async def _fan_out(
        self, call: TaskCall, items: PlannedItems, settings: TaskSettings, parts: FeedParts
    ) -> TaskEnd:
        run, visit = self._run, self._visit
        source = open_items(
            items,
            self._context,
            run.parts.sources,
            run.parts.limits,
            run.locate,
            batch_size=settings.batch_size,
            most=run.most_items,
        )
        feed = ItemFeed(self._context, visit, source, run.journal, settings, self.progress, parts)
        try:
            await self._execute(feed, call)
            result = await feed.finish()
        finally:
            feed.close()
        if result.status in (Status.SUCCEEDED, Status.FAILED) and result.items is not None:
            total = result.items.total
            pages = PagedOutput(run.parts.records, visit.run_no, visit.task_no, total)
            result = msgspec.structs.replace(result, output=pages)
        return TaskEnd(result, feed.attempts)

    def _stopped_early(self) -> TaskEnd:
        """The end of a visit that was stopped before it had made an attempt to its end."""
        return TaskEnd(TaskResult(Status.CANCELLED if self._stop else Status.PAUSED))


def is_handled(task: PlannedTask, context: WorkflowContext, result: TaskResult) -> bool:
    """Whether the task's `on-error` lets the run go on after this failure."""
    try:
        return bool(task.settings["on-error"].resolve(context, result) == "continue")
    except AttemptError:
        return False
