"""Items that wait for their next attempt. They hold no slot while they wait."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator

from weft.ports import Clock, Ticket, Timer


class Retries:
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
        """How many wait, whether they are due or not."""
        return len(self._heap) + len(self.ready)

    def add(self, ticket: Ticket, wait_s: float) -> None:
        """Make `ticket` ready in `wait_s` seconds."""
        self._count += 1  # the tie-breaker: of those due at once, the first to fail goes first
        due = self._clock.monotonic() + wait_s
        heapq.heappush(self._heap, (due, self._count, ticket))
        self._arm()

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
