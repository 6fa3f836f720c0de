"""The feed of a visit in a worker: attempts come from the engine, and outcomes go back in parts.

`LinkFeed` implements `ports.Feed` as far as workers need it. Outcomes are sent 10 ms after the
first that waits, at 256 KB, and at once when nothing is left to do. All methods are called on the
event loop's thread, but for those that a `BlockingThread` calls in its own: `take`, `succeeded`,
`failed` and `log`. They share deques alone, whose ends are safe to use in several threads.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from fanwise.catalog import StopFlag
from fanwise.context import WorkflowContext
from fanwise.executors.frames import (
    Ended,
    FromWorker,
    Logged,
    Outcome,
    Returned,
    SentAttempt,
)
from fanwise.executors.marks import Marks
from fanwise.model import Limits
from fanwise.ports import Future, Ticket
from fanwise.values import decode
from fanwise.worker.failures import failure_of

_PART_S: Final = 0.010
_PART_BYTES: Final = 2**18
_MOST_UNSENT_BYTES: Final = 2**23
"""Bytes that the engine may leave unread; beyond it no attempt begins."""

_LOOK_S: Final = 0.010

_T = TypeVar("_T")


class LinkTicket(Ticket, frozen=True, gc=False):
    """A ticket with the number that the engine knows it by."""

    number: int


class LinkFeed:
    """The attempts of one visit, and their outcomes. `stop` is set when the visit is to stop.

    `unsent_bytes` says how much the engine hasn't read yet.
    """

    def __init__(
        self,
        visit: int,
        width: int,
        limits: Limits,
        send: Callable[[FromWorker], None],
        marks: Marks,
        unsent_bytes: Callable[[], int],
    ) -> None:
        self.width = width
        self.is_halted = False
        self.is_closed = False
        self.stop = StopFlag()
        self._unsent_bytes = unsent_bytes
        self._is_full = False  # whether the engine has left much unread
        self._has_some = threading.Event()
        self._visit = visit
        self._limits = limits
        self._send = send
        self._marks = marks
        self._context: WorkflowContext | None = None
        self._loop = asyncio.get_running_loop()
        self._loops_thread = threading.get_ident()
        self._waiting: deque[SentAttempt] = deque()
        self._outcomes: deque[Outcome] = deque()
        self._logged: deque[Logged] = deque()
        self._bytes = 0
        self._is_due = False
        self._changed = self._loop.create_future()
        self._halt: Callable[[], None] = _nothing

    # From the engine

    def opens(self, context: WorkflowContext) -> None:
        """Begin to hand out attempts, in this context."""
        self._context = context
        self._wake()

    def add(self, attempts: Sequence[SentAttempt]) -> None:
        """Take attempts in; those that come after a halt go back."""
        self._waiting.extend(attempts)
        if self.is_halted:
            self.recall()
        else:
            self._wake()

    def recall(self) -> None:
        """Give back the attempts that haven't begun."""
        numbers = []
        try:
            while True:
                numbers.append(self._waiting.pop().number)
        except IndexError:
            pass
        self.flush()
        self._send(Returned(self._visit, numbers))

    def halt(self) -> None:
        """Give back what hasn't begun, and cut off what runs."""
        self.is_halted = True
        self.stop.set()
        self.recall()
        self._halt()

    def close(self) -> None:
        """Hand out nothing any more."""
        self.is_closed = True
        self._waiting.clear()
        self.stop.set()
        self._halt()
        self._wake()

    def _wake(self) -> None:
        self._has_some.set()
        changed, self._changed = self._changed, self._loop.create_future()
        changed.set_result(None)

    # To those who make attempts

    def take(self) -> LinkTicket | None:
        """The next attempt, or None if there is none at the moment."""
        context = self._context
        if context is None or self._is_full:
            return None
        try:
            sent = self._waiting.popleft()
        except IndexError:
            return None
        self._marks.begin(sent.number)
        index = sent.index
        if index is None:
            return LinkTicket(context, None, sent.attempt, sent.number)
        item = context.for_item(decode(sent.item), index)
        return LinkTicket(item, index, sent.attempt, sent.number)

    async def wait(self) -> bool:
        """Return True when `take` may have an attempt, False when the visit is closed."""
        while not self.is_closed:
            if self._waiting and self._context is not None:
                self._look()
                if not self._is_full:
                    return True
                await asyncio.sleep(_LOOK_S)
            else:
                await asyncio.shield(self._changed)
        return False

    def wait_in_thread(self) -> None:
        """Return when `take` may have an attempt, or the visit is closed."""
        self._has_some.clear()
        if self._waiting and self._context is not None:
            self._look()
            if self._is_full:
                time.sleep(_LOOK_S)
        elif not self.is_closed:
            self._has_some.wait()

    async def drained(self) -> None:
        """Return when the visit is closed."""
        while not self.is_closed:
            await asyncio.shield(self._changed)

    def succeeded(
        self, ticket: Ticket, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """Send the attempt's `output`."""
        self._bytes += len(output)
        self._add(Outcome(_number(ticket), started_at, duration_s, output))

    def failed(
        self,
        ticket: Ticket,
        error: BaseException,
        started_at: float,
        duration_s: float,
        busy: Future | None = None,
    ) -> None:
        """Send the attempt's error."""
        failure = failure_of(error, self._limits)
        self._bytes += len(failure.error)
        self._add(Outcome(_number(ticket), started_at, duration_s, failure=failure))

    def cancelled(self, ticket: Ticket, started_at: float, duration_s: float) -> None:
        """Send that the attempt was cut off."""
        self._add(Outcome(_number(ticket), started_at, duration_s))

    def log(self, ticket: Ticket, text: str, left_out: int) -> None:
        """Send a text that an attempt has printed, before the attempt's outcome."""
        self._bytes += len(text)
        self._logged.append(Logged(self._visit, _number(ticket), text, left_out))
        self._plan()

    def on_halt(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when what runs is to be cut off."""
        self._halt = callback

    def _add(self, outcome: Outcome) -> None:
        self._marks.end(outcome.number)
        self._outcomes.append(outcome)
        if not self._is_due or not self._waiting or self._bytes > _PART_BYTES:
            self._plan()

    # In parts

    def _plan(self) -> None:
        """Have what waits sent soon, or now if there is much of it or nothing else to do."""
        is_urgent = self._bytes > _PART_BYTES or not self._waiting
        if is_urgent:
            self._bytes = 0
        elif self._is_due:
            return
        self._is_due = True
        call = self.flush if is_urgent else self._flush_later
        if threading.get_ident() == self._loops_thread:
            self._loop.call_soon(call)
        else:
            self._loop.call_soon_threadsafe(call)

    def _flush_later(self) -> None:
        self._loop.call_later(_PART_S, self.flush)

    def flush(self) -> None:
        """Send what waits: logs first, since a log belongs to an attempt that hasn't ended."""
        self._is_due = False
        outcomes = _taken(self._outcomes)  # before the logs: each was added after its own
        for message in _taken(self._logged):
            self._send(message)
        if outcomes:
            self._send(Ended(self._visit, outcomes))
        self._look()

    def _look(self) -> None:
        """Find out whether the engine has left so much unread that nothing more may begin."""
        self._is_full = self._unsent_bytes() > _MOST_UNSENT_BYTES

    def left_behind(self, call: Future) -> None:
        """A call that can't be stopped ends with this process."""

    def notice(self, text: str) -> None:
        """Only the engine has an observer."""


def _nothing() -> None:
    pass


def _number(ticket: Ticket) -> int:
    assert isinstance(ticket, LinkTicket)
    return ticket.number


def _taken(waiting: deque[_T]) -> list[_T]:
    """All that waits. Another thread may add to it meanwhile."""
    taken = []
    try:
        while True:
            taken.append(waiting.popleft())
    except IndexError:
        return taken
