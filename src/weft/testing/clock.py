"""A clock for tests that jumps: nobody waits, and every wait takes exactly as long as it says."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from weft.ports import Timer

_IDLE_TURNS = 3


class JumpingClock:
    """A clock that moves to its next timer as soon as the event loop has nothing else to do.

    Implements `ports.Clock`. Time starts at `start_at` and stands still between timers. A turn of
    the loop counts as idle if nothing but the clock ran in it; work in threads is not seen, so a
    timer may strike before a thread answers.
    """

    def __init__(self, start_at: float = 1_000_000_000.0) -> None:
        self._now = start_at
        self._start_at = start_at
        self._timers: list[tuple[float, int, _JumpingTimer]] = []
        self._count = 0
        self._is_turning = False

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._now - self._start_at

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` when the clock has jumped `delay_s` seconds on."""
        timer = _JumpingTimer(callback)
        self._count += 1
        heapq.heappush(self._timers, (self._now + delay_s, self._count, timer))
        if not self._is_turning:
            self._is_turning = True
            self._turn(_IDLE_TURNS)
        return timer

    def _turn(self, left: int) -> None:
        loop = asyncio.get_running_loop()
        if left:
            loop.call_soon(self._turn, left - 1)
            return
        while self._timers and self._timers[0][2].is_cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            self._is_turning = False
            return
        due, _, timer = heapq.heappop(self._timers)
        self._now = max(self._now, due)
        timer.callback()
        loop.call_soon(self._turn, _IDLE_TURNS)


class _JumpingTimer:
    __slots__ = ("callback", "is_cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True
