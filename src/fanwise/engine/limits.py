"""Limits on attempts: the process's slots, a task's rate, the wait before a retry."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from fanwise.ports import Clock, Future, Ticket, Timer

_COARSE_S: Final = 0.010
"""The delay of timers on an event loop that has work to do."""

_LEAST_AT_A_DEPTH: Final = 16
"""Workflows that may run at once at any depth."""


class Slots:
    """Places for attempts that run at once.

    A feed takes a slot with `free -= 1` when it hands out a ticket, and gives it back at its end.
    A slot that comes free is offered to those that wait one after the other, until one takes it:
    thousands that wait cost as little as one. Calls that were left behind by their attempts have
    none, but as many at most may be left.
    """

    __slots__ = ("_is_closed", "_is_offering", "_left_behind", "_limit", "free", "waiting")

    def __init__(self, limit: int) -> None:
        self.free = self._limit = limit
        self._left_behind = 0
        self._is_closed = False
        self.waiting: dict[Callable[[], None], None] = {}
        self._is_offering = False

    def give_back(self) -> None:
        """Free a slot, and have the first that waits for one look again."""
        self.free += 1
        if self.waiting:
            self._offer()

    def close(self, closed: bool) -> None:
        """Have no slot free until it is called with False."""
        if closed is self._is_closed:
            return
        self._is_closed = closed
        self.free += -self._limit if closed else self._limit
        if self.free > 0 and self.waiting:
            self._offer()

    def leave(self, call: Future) -> bool:
        """Count a call that was left behind until it returns; False if too many are left by now."""
        self._left_behind += 1
        call.add_done_callback(self._returned)
        return self._left_behind <= self._limit

    def _returned(self, _: Future) -> None:
        self._left_behind -= 1

    def when_free(self, look_again: Callable[[], None]) -> None:
        """Have `look_again` called once, when a slot is free."""
        self.waiting[look_again] = None

    async def take(self) -> None:
        """Take a slot, once one is free."""
        while self.free <= 0:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.when_free(partial(_end_turn, turn))
            await turn
        self.free -= 1

    def _offer(self) -> None:
        look_again = next(iter(self.waiting))
        del self.waiting[look_again]
        look_again()
        if self.waiting and not self._is_offering:
            self._is_offering = True
            # After the tasks that have just been woken: they may not want the slot any more.
            asyncio.get_running_loop().call_soon(self._offer_again)

    def _offer_again(self) -> None:
        self._is_offering = False
        if self.free > 0 and self.waiting:
            self._offer()


def _end_turn(turn: asyncio.Future[None]) -> None:
    if not turn.done():  # the task that waited may have been cancelled
        turn.set_result(None)


class ProcessSlots:
    """The slots of a process, over all tasks and runs of an engine: `limits.running`.

    Actions share them, at whatever depth they run. A workflow that runs as an action of another one
    does nothing itself, so it has no slot of these, which its steps need; there are as many for the
    workflows that a run calls, and half as many at each depth below, so that fan-outs within each
    other don't multiply. An attempt that holds a slot waits for slots further down only, so never
    in a ring.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._actions = Slots(limit)
        self._workflows: list[Slots] = []

    def fence(self, closed: bool) -> None:
        """Let no action start until it is called with False; those that run go on."""
        self._actions.close(closed)

    def of(self, depth: int, *, is_workflow: bool) -> Slots:
        """Return the slots for attempts of a task that `depth` workflows stand around."""
        if not is_workflow:
            return self._actions
        while len(self._workflows) <= depth:
            share = self._limit >> len(self._workflows)
            self._workflows.append(Slots(max(share, min(self._limit, _LEAST_AT_A_DEPTH))))
        return self._workflows[depth]


class RateLimiter:
    """Spaces the starts of a task's attempts evenly: `per_s` of them a second, and no bursts.

    A start that is late by up to one interval, or by 10 ms where intervals are shorter than that,
    doesn't delay those after it; one that is later does, so nothing piles up while slots or items
    are wanting. Of any n + 1 starts in a row the last one comes n intervals after the first, less
    that bound, or later. Those who may not start wait in line, and each start lets only the next of
    them look again, so that a thousand idle workers cost as little as one.
    """

    def __init__(self, clock: Clock, per_s: float) -> None:
        self._clock = clock
        self._interval_s = 1 / per_s
        self._catch_up_s = max(self._interval_s, _COARSE_S)
        self._due = clock.monotonic()
        self._line: deque[asyncio.Future[None]] = deque()
        self._timer: Timer | None = None

    def may_start(self) -> bool:
        """True if an attempt may start now; then the caller starts one."""
        now = self._clock.monotonic()
        if now < self._due:
            return False
        is_late = now > self._due + self._catch_up_s
        self._due = (now if is_late else self._due) + self._interval_s
        self._arm()
        return True

    async def turn(self) -> None:
        """Wait in line until the next attempt may start, or `wake` is called."""
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        self._arm()
        await turn

    def wake(self) -> None:
        """Let all who wait look again."""
        line, self._line = self._line, deque()
        for turn in line:
            if not turn.done():
                turn.set_result(None)

    def close(self) -> None:
        """Let nobody look again."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._line and self._timer is None:
            wait_s = max(0.0, self._due - self._clock.monotonic())
            self._timer = self._clock.call_later(wait_s, self._strike)

    def _strike(self) -> None:
        self._timer = None
        while self._line:
            turn = self._line.popleft()
            if not turn.done():  # a worker that was cancelled has left the line
                turn.set_result(None)
                return


class RetryQueue:
    """Tickets by the time at which they are due; `on_due` is called whenever some have come due."""

    def __init__(self, clock: Clock, on_due: Callable[[], None]) -> None:
        self._clock = clock
        self._on_due = on_due
        self._heap: list[tuple[float, int, Ticket]] = []
        self._count = 0
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self.ready: deque[Ticket] = deque()

    def __len__(self) -> int:
        """The number of tickets that wait, due or not."""
        return len(self._heap) + len(self.ready)

    def add(self, ticket: Ticket, wait_s: float) -> None:
        """Make `ticket` ready in `wait_s` seconds."""
        self._count += 1  # the tie-breaker: of those due at once, the first to fail goes first
        due = self._clock.monotonic() + wait_s
        heapq.heappush(self._heap, (due, self._count, ticket))
        self._arm()

    @property
    def due_in_s(self) -> float | None:
        """The seconds until the first ticket is due, or None if none waits."""
        if self.ready:
            return 0.0
        return self._heap[0][0] - self._clock.monotonic() if self._heap else None

    def waiting(self) -> Iterator[tuple[float, Ticket]]:
        """Yield the tickets that aren't due yet, each with its time by the monotonic clock."""
        return ((due, ticket) for due, _, ticket in self._heap)

    def clear(self) -> Iterator[Ticket]:
        """Forget all tickets, and yield them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        forgotten = [*self.ready, *(ticket for _, _, ticket in self._heap)]
        self.ready.clear()
        self._heap.clear()
        return iter(forgotten)

    def _arm(self) -> None:
        due = self._heap[0][0]
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._clock.call_later(max(0.0, due - self._clock.monotonic()), self._release)

    def _release(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            self.ready.append(heapq.heappop(self._heap)[2])
        if self._heap:
            self._arm()
        if self.ready:
            self._on_due()
