"""The durations of a task's items as a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from fanwise.model import ItemTimes

_BARS: Final = 40
_MOST: Final = 0.99
_LEAST_WIDTH_S: Final = 1e-9


class Histogram(NamedTuple):
    """Numbers of items by their durations, in steps of `width_s` from `least_s`.

    The last step has all that took longer as well.
    """

    least_s: float
    width_s: float
    counts: Sequence[int]

    def start_s(self, step: int) -> float:
        """The duration at which a step begins."""
        return self.least_s + step * self.width_s


def histogram(times: ItemTimes) -> Histogram:
    """Return the histogram of items' durations, of which there has to be some."""
    least, most = times.durations[0], times.quantile(_MOST) or times.durations[-1]
    width = (most - least) / _BARS or _LEAST_WIDTH_S
    counts = [0] * _BARS
    for each in times.durations:
        counts[min(_BARS - 1, int((each - least) / width))] += 1
    return Histogram(least, width, counts)
