"""Clocks for tests: one that moves when it is told to, and one that jumps so that nobody waits."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from fanwise.ports import Timer

_TURNS = 3


class ManualClock:
    """A clock that stands still until `advance` moves it. Implements `ports.Clock`."""

    def __init__(self, start_at: float = 1_000_000_000.0) -> None:
        self._start_at = start_at
        self._elapsed_s = 0.0  # kept by itself: added to the epoch it would lose its last digits
        self._timers: list[tuple[float, int, _Timer]] = []
        self._count = 0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._start_at + self._elapsed_s

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` when the clock has moved `delay_s` seconds on."""
        timer = _Timer(callback)
        self._count += 1
        heapq.heappush(self._timers, (self._elapsed_s + delay_s, self._count, timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on, and make the calls that come due on the way, each at its time."""
        until = self._elapsed_s + seconds
        while self._timers and self._timers[0][0] <= until:
            self._strike()
        self._elapsed_s = until

    def _strike(self) -> None:
        due, _, timer = heapq.heappop(self._timers)
        if not timer.is_cancelled:
            self._elapsed_s = max(self._elapsed_s, due)
            timer.callback()


class JumpingClock(ManualClock):
    """A clock that jumps to its next timer a few turns of the event loop after that was set.

    So every wait takes exactly as long as it says, and no time at all. Work in threads, such as a
    commit, is not seen: a timer may strike before a thread answers. Where that matters, use a
    `ManualClock`.
    """

    def __init__(self, start_at: float = 1_000_000_000.0) -> None:
        super().__init__(start_at)
        self._is_turning = False

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` when the clock has jumped `delay_s` seconds on."""
        timer = super().call_later(delay_s, callback)
        if not self._is_turning:
            self._is_turning = True
            self._turn(_TURNS)
        return timer

    def _turn(self, left: int) -> None:
        loop = asyncio.get_running_loop()
        if left:
            loop.call_soon(self._turn, left - 1)
        elif self._timers:
            self._strike()
            loop.call_soon(self._turn, _TURNS)
        else:
            self._is_turning = False


class _Timer:
    __slots__ = ("callback", "is_cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True
