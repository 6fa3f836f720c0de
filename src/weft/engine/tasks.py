"""Runs one visit of a task, from its settings to its result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from weft.context import WorkflowContext
from weft.engine.attempt import TaskCall, Visit
from weft.engine.fanout import ItemFeed
from weft.engine.feed import BaseFeed, FeedParts, Progress, SoloFeed
from weft.engine.pages import PagedOutput
from weft.engine.parts import RunParts
from weft.engine.settings import TaskSettings, resolve_settings
from weft.errors import AttemptError, TemplateError
from weft.model import Status, TaskResult
from weft.plan import PlannedItems, PlannedTask, Value
from weft.ports import Source
from weft.values import decode


class TaskEnd(msgspec.Struct, frozen=True):
    """How a visit ended; `output` is its result's output as JSON text, if it had no items."""

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
        self.progress = Progress(task.name, has_items=task.items is not None)

    def stop(self, *, at_once: bool) -> None:
        """Start nothing more; with `at_once`, stop what runs as well."""
        self._stop = at_once
        self._stopped.set()
        if self._feed is not None:
            self._feed.stop(at_once=at_once)

    async def run(self) -> TaskEnd | None:
        """How the task ended, or None if it was paused before its end. Raises `StoreError`."""
        try:
            end = await self._visited()
        except AttemptError as error:
            end = TaskEnd(TaskResult(Status.FAILED, error=self._run.describe(error)))
        if end is not None and end.result.status is Status.FAILED:
            return msgspec.structs.replace(
                end, handled=is_handled(self._task, self._context, end.result)
            )
        return end

    async def _visited(self) -> TaskEnd | None:
        settings = resolve_settings(self._task, self._context)
        if settings.delay_s and not await self._delay(settings.delay_s):
            return TaskEnd(TaskResult(Status.CANCELLED)) if self._stop else None
        call = TaskCall(
            self._task, self._visit, self._context, self._run, timeout_s=settings.timeout_s
        )
        run = self._run
        parts = FeedParts(
            clock=run.parts.clock,
            chance=run.parts.chance,
            describe=run.describe,
            mask=run.masker.text,
            limits=run.parts.limits,
            notice=run.observer.notice,
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

    async def _solo(
        self, call: TaskCall, settings: TaskSettings, parts: FeedParts
    ) -> TaskEnd | None:
        feed = SoloFeed(self._context, settings, self.progress, parts)
        await self._execute(feed, call)
        if feed.status is None:
            return TaskEnd(TaskResult(Status.CANCELLED)) if self._stop else None
        output = None if feed.output is None else decode(feed.output)
        result = TaskResult(feed.status, output=output, error=feed.error)
        return TaskEnd(result, feed.attempts, feed.output)

    async def _fan_out(
        self, call: TaskCall, items: PlannedItems, settings: TaskSettings, parts: FeedParts
    ) -> TaskEnd | None:
        run, visit = self._run, self._visit
        source = self._open(items)
        feed = ItemFeed(self._context, visit, source, run.journal, settings, self.progress, parts)
        try:
            await self._execute(feed, call)
            result = await feed.finish()
        finally:
            source.close()
        if result is None:
            return None
        length = result.items.total if result.items else 0
        pages = PagedOutput(run.parts.records, visit.run_no, visit.task_no, length)
        return TaskEnd(msgspec.structs.replace(result, output=pages), feed.attempts)

    def _open(self, items: PlannedItems) -> Source:
        """The source that `with-items` means. Raises `AttemptError`."""
        sources, limits = self._run.parts.sources, self._run.parts.limits
        try:
            if items.kind == "list":
                return sources.open_list(self._stream(items.parts[""]))
            if items.kind == "zip":
                parts = {name: self._stream(part) for name, part in items.parts.items()}
                return sources.open_source(parts, limits)
            bound = items.parts[""].evaluate(self._context, None)
            if items.kind != "range" and isinstance(bound, str):
                bound = self._run.locate(bound, items.parts[""])
            return sources.open_source({items.kind: bound}, limits)
        except TemplateError:
            raise  # it names its place itself
        except AttemptError as error:
            raise _at(items, error) from None

    def _stream(self, value: Value) -> Any:
        """A list, or an iterator where filters go through a list that isn't in memory."""
        if isinstance(value.raw, str) and value.templates:
            return value.templates[0].stream(self._context)
        return value.evaluate(self._context, None)


def is_handled(task: PlannedTask, context: WorkflowContext, result: TaskResult) -> bool:
    """Whether the task's `on-error` lets the run go on after this failure."""
    try:
        return bool(task.settings["on-error"].resolve(context, result) == "continue")
    except AttemptError:
        return False


def _at(items: PlannedItems, error: AttemptError) -> AttemptError:
    """The same error, with the place of `with-items` in its message."""
    placed = AttemptError(f"{items.place}  {error.message}", hint=error.hint)
    placed.type, placed.data, placed.retryable = error.type, error.data, error.retryable
    return placed
