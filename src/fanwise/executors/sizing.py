"""Chunk sizes: how many attempts a worker has at hand, from the durations of those that ended.

A chunk is to take some tens of milliseconds: long enough to hide the way to the worker and back,
short enough for progress, pauses and a fair share of the workers. Pure: it reads no clock. Spans
are seconds.
"""

from __future__ import annotations

from typing import Final

MOST_ITEMS: Final = 4_000
"""The largest chunk."""

MOST_BYTES: Final = 1_000_000
"""The items of a chunk as JSON, unless it is a single one."""

_MOST_AT_FIRST: Final = 200
_FIRST_SHARE: Final = 50
_GROWTH: Final = 8
_WEIGHT: Final = 0.3  # of the latest durations in the average


class ChunkSize:
    """The size of a visit's chunks for a slot, which grows eightfold with each of them at most.

    All `workers` together run as many attempts at once as they have `slots`. It begins with a
    fiftieth of a slot's share of the `rest`, or with 1 if that isn't known: the ways of many small
    chunks take longer than taking back a large one that is slow. What a slot gets is to take
    `target_s`. Of a known rest a worker gets half of its even share at most, so that all end at
    about the same time, but not less than `least_s` of work.
    """

    def __init__(
        self, workers: int, slots: int, *, target_s: float, least_s: float, rest: int | None = None
    ) -> None:
        self._workers = workers
        self._target_s = target_s
        self._least_s = least_s
        self._mean_s: float | None = None
        self._grown = 0  # attempts that ended since the size has grown
        self._size = max(1, min(_MOST_AT_FIRST, (rest or 0) // (_FIRST_SHARE * slots)))
        self._least = 1

    def ended(self, attempts: int, total_s: float) -> None:
        """Take in the durations of attempts that ended."""
        mean_s = total_s / attempts
        was = mean_s if self._mean_s is None else self._mean_s
        self._mean_s = was + _WEIGHT * (mean_s - was)
        fitting = _fitting(self._target_s, self._mean_s)
        self._least = _fitting(self._least_s, self._mean_s)
        self._grown += attempts
        if self._grown >= self._size:
            self._grown = 0
            self._size *= _GROWTH
        self._size = max(1, min(self._size, fitting))

    def was_slow(self) -> None:
        """Begin with 1 again: a chunk has taken far longer than it was to."""
        self._mean_s = None
        self._grown = 0
        self._size = self._least = 1

    def of(self, rest: int | None, slots: int) -> int:
        """The size of a chunk for so many slots, with a `rest` of items that no worker has."""
        size = self._size * slots
        if rest is None:
            return size
        return min(size, max(self._least, rest // (2 * self._workers)))


def _fitting(seconds: float, mean_s: float) -> int:
    """The number of attempts that take so long together: 1 at least, and `MOST_ITEMS` at most."""
    return max(1, int(seconds / max(mean_s, seconds / MOST_ITEMS)))
