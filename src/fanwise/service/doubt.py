"""Doubts about a clock that has jumped ahead, as that of a machine with an empty battery does.

Years would be caught up, or fire too early. So nothing is decided for a while, in which such a
clock is usually set right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

AHEAD_S: Final = 86_400.0
HELD_S: Final = 60.0


class ClockDoubt:
    """Compares the store's clock with the time that has passed since the last look."""

    def __init__(self) -> None:
        self._known: tuple[float, float] | None = None
        """The store's time and the monotonic one at the last look that was believed."""
        self._since: float | None = None

    def ahead_s(self, now: float, monotonic: float, newest: Callable[[], float | None]) -> float:
        """The seconds by which the clock has jumped ahead, 0 once it is believed.

        Before the first look it can only be compared with the `newest` record of the store.
        """
        ahead_s = now - self._expected(now, monotonic, newest)
        if ahead_s > AHEAD_S:
            self._since = monotonic if self._since is None else self._since
            if monotonic - self._since < HELD_S:
                return ahead_s
        self._known, self._since = (now, monotonic), None
        return 0.0

    def _expected(self, now: float, monotonic: float, newest: Callable[[], float | None]) -> float:
        if self._known is None:
            found = newest()
            if found is None:
                return now
            self._known = found, monotonic
        known_now, known_monotonic = self._known
        return known_now + (monotonic - known_monotonic)
