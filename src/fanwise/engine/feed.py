"""What hands out a task's attempts and takes back their outcomes.

`AttemptQueue` retries, stops, and wakes the workers that wait; `SingleAttempt` is the feed of a
task without items: one ticket, one outcome. The feed of a task with items is in `fanout.py`. Feeds
live on the event loop's thread and are called by the workers of an executor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntEnum

import msgspec

from fanwise.context import WorkflowContext
from fanwise.engine.gate import RetryQueue, Slots
from fanwise.engine.settings import TaskSettings
from fanwise.errors import AttemptError
from fanwise.model import ErrorInfo, Status, TaskResult
from fanwise.plan import Value
from fanwise.ports import Clock, Future, Randomness, Ticket
from fanwise.values import decode


class Stop(IntEnum):
    """How a task is brought to its end early; one that asks for more goes before the others."""

    PAUSE = 0
    """what is in flight finishes"""
    HOLD = 1
    """what is in flight is cut off, to be done again when the run goes on"""
    CANCEL = 2
    """what is in flight is cut off for good"""


class FeedParts(msgspec.Struct, frozen=True):
    """What feeds need of their run: time, chance, and how to describe, mask and tell things."""

    clock: Clock
    chance: Randomness
    describe: Callable[[BaseException], ErrorInfo]
    present: Callable[[ErrorInfo], ErrorInfo]
    mask: Callable[[str], str]
    slots: Slots
    notice: Callable[[str], None]


class Progress:
    """A running task's counters; implements `ports.TaskProgress`."""

    __slots__ = (
        "failed",
        "has_items",
        "name",
        "restored",
        "running",
        "succeeded",
        "total",
        "visit",
        "waiting",
    )

    def __init__(self, name: str, *, has_items: bool, visit: int = 1) -> None:
        self.name = name
        self.visit = visit
        self.has_items = has_items
        self.total: int | None = None if has_items else 1
        self.succeeded = 0
        self.failed = 0
        self.running = 0
        self.waiting = 0
        self.restored = 0


class AttemptQueue:
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
        self._present = parts.present
        self._mask = parts.mask
        self._slots = parts.slots
        self._retries = RetryQueue(parts.clock, self._wake)
        self._held: dict[Future, Ticket] = {}  # retries that wait for a thread to return
        self._is_closed = False
        self._is_paused = False
        self._is_halted = False
        self._changed = asyncio.get_running_loop().create_future()
        self._halt: Callable[[], None] | None = None

    def on_halt(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when attempts that run are to be stopped at once."""
        self._halt = callback

    def stop(self, how: Stop) -> None:
        """Hand out nothing new, and stop what runs as well unless it is to finish."""
        self._is_closed = True
        self._is_halted = self._is_halted or how is Stop.CANCEL
        self._is_paused = not self._is_halted
        held, self._held = self._held, {}
        for ticket in [*self._retries.clear(), *held.values()]:
            self._retry(ticket)
        self._progress.waiting = 0
        if how is not Stop.PAUSE and self._halt is not None:
            self._halt()
        self._wake()

    def succeeded(
        self, ticket: Ticket, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """The attempt gave `output`, JSON text."""
        self._progress.running -= 1
        self._slots.give_back()
        if self._settings.retry_until is None:
            self._end(ticket, Status.SUCCEEDED, output, None, started_at, duration_s)
        else:
            self._poll(ticket, self._settings.retry_until, output, started_at, duration_s)

    def _poll(
        self, ticket: Ticket, until: Value, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """Record a success that `until` accepts; after any other try again, or fail."""
        try:
            outcome = TaskResult(Status.SUCCEEDED, output=decode(output))
            is_met = bool(until.evaluate(ticket.context, outcome))
        except AttemptError as problem:
            error = self._describe(problem)
            self._end(ticket, Status.FAILED, None, error, started_at, duration_s)
            return
        if is_met:
            self._end(ticket, Status.SUCCEEDED, output, None, started_at, duration_s)
        elif ticket.attempt <= self._settings.retry.count:
            self._retry(Ticket(ticket.context, ticket.index, ticket.attempt + 1))
        else:
            error = ErrorInfo(
                "UntilNotMet",
                f"{until.place}  retry.until is not true after attempt {ticket.attempt}, the last "
                "one. Raise retry.count or retry.delay if it takes longer.",
            )
            self._end(ticket, Status.FAILED, None, error, started_at, duration_s)

    def cancelled(self, ticket: Ticket, started_at: float, duration_s: float) -> None:
        """The attempt was stopped, because the run wants to stop at once."""
        self._release()
        if self._is_halted:
            self._end(ticket, Status.CANCELLED, None, None, started_at, duration_s)
        else:
            self._put_back(ticket)

    def failed(
        self,
        ticket: Ticket,
        error: BaseException,
        started_at: float,
        duration_s: float,
        busy: Future | None = None,
    ) -> None:
        """The attempt raised `error`: try again later, or record the failure."""
        if busy is None:
            self._release()
        else:  # a thread still works at it, so it keeps its slot until that returns
            busy.add_done_callback(lambda _: self._release())
        info = self._describe(error)
        if (
            _is_retryable(error)
            and ticket.attempt <= self._settings.retry.count
            and not self._is_halted
        ):
            try:
                wanted = self._wants_retry(ticket, info)
            except AttemptError as problem:
                wanted = False
                message = f"{info.message} (and retry.when: {self._describe(problem).message})"
                info = msgspec.structs.replace(info, message=message)
            if wanted:
                again = Ticket(ticket.context, ticket.index, ticket.attempt + 1)
                if busy is None:
                    self._retry(again)
                else:
                    self._held[busy] = again
                    busy.add_done_callback(self._retry_held)
                return
        self._end(ticket, Status.FAILED, None, info, started_at, duration_s)

    def _retry_held(self, busy: Future) -> None:
        """A thread has returned: the item that it overran may be tried again."""
        ticket = self._held.pop(busy, None)
        if ticket is not None:
            self._retry(ticket)

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

    def _occupy(self) -> None:
        self._slots.free -= 1
        self._progress.running += 1

    def _release(self) -> None:
        self._progress.running -= 1
        self._slots.give_back()

    def _has_slot(self) -> bool:
        """Whether the process may run one more attempt; if not, look again when it may."""
        if self._slots.free > 0:
            return True
        self._slots.when_free(self._wake)
        return False

    def _take_retry(self) -> Ticket:
        ticket = self._retries.ready.popleft()
        self._occupy()
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


class SingleAttempt(AttemptQueue):
    """The feed of a task without items. `status` is None until it ends, and if it was paused."""

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
        has_first = self._next is not None and not self._is_closed
        if not (has_first or self._retries.ready) or not self._has_slot():
            return None
        if self._retries.ready:
            return self._take_retry()
        ticket, self._next = self._next, None
        self._occupy()
        return ticket

    async def wait(self) -> bool:
        """Whether an attempt is still to come; if so, return when it may be its time."""
        has_first = self._next is not None and not self._is_closed
        if not (has_first or self._retries):
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
        self._progress.succeeded += status is Status.SUCCEEDED
        self._progress.failed += status is Status.FAILED
        self.attempts = ticket.attempt


def _is_retryable(error: BaseException) -> bool:
    """Whether the error lets its item be tried again. The error's class is the author's own."""
    if not issubclass(type(error), AttemptError):
        return True
    try:
        return bool(getattr(error, "retryable", True))
    except Exception:
        return False
