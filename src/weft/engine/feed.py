"""What hands out a task's attempts and takes back their outcomes.

`BaseFeed` retries, stops, and wakes the workers that wait; `SoloFeed` is the feed of a task without
items: one ticket, one outcome. The feed of a task with items is in `fanout.py`. Feeds live on the
event loop's thread and are called by the workers of an executor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from weft.context import WorkflowContext
from weft.engine.gate import Retries
from weft.engine.settings import TaskSettings
from weft.errors import AttemptError
from weft.model import ErrorInfo, Limits, Status, TaskResult
from weft.ports import Chance, Clock, Future, Ticket


class FeedParts(msgspec.Struct, frozen=True):
    """What feeds need of their run: time, chance, and how to describe, mask and tell things."""

    clock: Clock
    chance: Chance
    describe: Callable[[BaseException], ErrorInfo]
    mask: Callable[[str], str]
    limits: Limits
    notice: Callable[[str], None]


class Progress:
    """A running task's counters; implements `ports.TaskProgress`."""

    __slots__ = ("failed", "has_items", "name", "running", "succeeded", "total", "waiting")

    def __init__(self, name: str, *, has_items: bool) -> None:
        self.name = name
        self.has_items = has_items
        self.total: int | None = None if has_items else 1
        self.succeeded = 0
        self.failed = 0
        self.running = 0
        self.waiting = 0


class BaseFeed:
    """What both feeds share: retrying, stopping, and waking the workers that wait."""

    def __init__(
        self,
        settings: TaskSettings,
        progress: Progress,
        parts: FeedParts,
    ) -> None:
        self.width = 1
        self.notice = parts.notice
        self._settings = settings
        self._progress = progress
        self._clock = parts.clock
        self._chance = parts.chance
        self._describe = parts.describe
        self._mask = parts.mask
        self._retries = Retries(parts.clock, self._wake)
        self._is_closed = False
        self._is_paused = False
        self._is_halted = False
        self._changed = asyncio.get_running_loop().create_future()
        self._halt: Callable[[], None] | None = None

    def on_halt(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when attempts that run are to be stopped at once."""
        self._halt = callback

    def stop(self, *, at_once: bool) -> None:
        """Hand out nothing new; with `at_once`, stop what runs as well."""
        self._is_closed = True
        self._is_halted = self._is_halted or at_once
        self._is_paused = not self._is_halted
        for ticket in self._retries.clear():
            self._retry(ticket)
        self._progress.waiting = 0
        if at_once and self._halt is not None:
            self._halt()
        self._wake()

    def succeeded(
        self, ticket: Ticket, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """The attempt gave `output`, JSON text."""
        self._progress.running -= 1
        self._end(ticket, Status.SUCCEEDED, output, None, started_at, duration_s)

    def cancelled(self, ticket: Ticket, started_at: float, duration_s: float) -> None:
        """The attempt was stopped, because the run wants to stop at once."""
        self._progress.running -= 1
        self._end(ticket, Status.CANCELLED, None, None, started_at, duration_s)

    def failed(
        self,
        ticket: Ticket,
        error: BaseException,
        started_at: float,
        duration_s: float,
        busy: Future | None = None,
    ) -> None:
        """The attempt raised `error`: try again later, or record the failure."""
        self._progress.running -= 1
        info = self._describe(error)
        retryable = not isinstance(error, AttemptError) or error.retryable
        if retryable and ticket.attempt <= self._settings.retry.count and not self._is_halted:
            try:
                wanted = self._wants_retry(ticket, info)
            except AttemptError as problem:
                info, wanted = self._describe(problem), False
            if wanted:
                again = Ticket(ticket.context, ticket.index, ticket.attempt + 1)
                if busy is None:
                    self._retry(again)
                else:
                    busy.add_done_callback(lambda _: self._retry(again))
                return
        self._end(ticket, Status.FAILED, None, info, started_at, duration_s)

    def _retry(self, ticket: Ticket) -> None:
        """Queue another attempt, unless the run has been asked to stop."""
        if self._is_halted:
            made = Ticket(ticket.context, ticket.index, ticket.attempt - 1)
            self._end(made, Status.CANCELLED, None, None, self._clock.now(), 0.0)
        elif self._is_paused:
            self._put_back(ticket)
        else:
            wait_s = self._settings.retry.wait_s(ticket.attempt - 1, self._chance.fraction())
            self._retries.add(ticket, wait_s)
            self._progress.waiting = len(self._retries)

    def _wants_retry(self, ticket: Ticket, error: ErrorInfo) -> bool:
        when = self._settings.retry_when
        outcome = TaskResult(Status.FAILED, error=error)
        return when is None or bool(when.evaluate(ticket.context, outcome))

    def _take_retry(self) -> Ticket:
        ticket = self._retries.ready.popleft()
        self._progress.running += 1
        self._progress.waiting = len(self._retries)
        return ticket

    def _wake(self) -> None:
        """Let every worker that waits look again."""
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)

    def _put_back(self, ticket: Ticket) -> None:
        """An item that was started goes back to those that were not: a pause keeps it for later."""
        raise NotImplementedError

    def _end(
        self,
        ticket: Ticket,
        status: Status,
        output: bytes | None,
        error: ErrorInfo | None,
        started_at: float,
        duration_s: float,
    ) -> None:
        raise NotImplementedError


class SoloFeed(BaseFeed):
    """The feed of a task without items. `outcome` is None until it ends, and if it was paused."""

    def __init__(
        self,
        context: WorkflowContext,
        settings: TaskSettings,
        progress: Progress,
        parts: FeedParts,
    ) -> None:
        super().__init__(settings, progress, parts)
        self._next: Ticket | None = Ticket(context, None, 1)
        self.status: Status | None = None
        self.output: bytes | None = None
        self.error: ErrorInfo | None = None
        self.attempts = 0

    def take(self) -> Ticket | None:
        """The first attempt, or a retry that is due."""
        if self._retries.ready:
            return self._take_retry()
        ticket, self._next = self._next, None
        if ticket is None or self._is_closed:
            return None
        self._progress.running += 1
        return ticket

    async def wait(self) -> bool:
        """Whether a retry is still to come; if so, return when it is due."""
        if not self._retries:
            return False
        await self._changed
        return True

    def _put_back(self, ticket: Ticket) -> None:
        self._next = ticket

    def _end(
        self,
        ticket: Ticket,
        status: Status,
        output: bytes | None,
        error: ErrorInfo | None,
        started_at: float,
        duration_s: float,
    ) -> None:
        self.status, self.output, self.error = status, output, error
        self.attempts = ticket.attempt
