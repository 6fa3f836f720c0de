"""Sessions of a run: the times in which a process drove it, from its records. Asks no clock.

Between two sessions lies a pause, a crash or an end, and nothing of the run is at work.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from fanwise.model import RunRecord
from fanwise.ports import Records
from fanwise.values import decode

Part = tuple[float, float]
"""A time span from its start to its end, in seconds since the epoch."""


class Sessions(NamedTuple):
    """The sessions of a run in their order. `is_rerun` if one of them began with a retry.

    A retry replaces the times of tasks that it runs again.
    """

    parts: Sequence[Part]
    is_rerun: bool = False

    @property
    def driven_s(self) -> float:
        """Seconds of all sessions together."""
        return sum(end - start for start, end in self.parts)

    def covering(self, parts: Iterable[Part]) -> Sessions:
        """The same, with sessions lengthened to the ends of the parts that began in them."""
        begins = [begin for begin, _ in self.parts]
        ends = [end for _, end in self.parts]
        for start, end in parts:
            place = max(0, bisect_right(begins, start) - 1)
            latest = begins[place + 1] if place + 1 < len(begins) else math.inf
            ends[place] = max(ends[place], min(end, latest))
        return Sessions(list(zip(begins, ends, strict=True)), self.is_rerun)

    def before(self, at: float) -> float:
        """Seconds for which the run had been driven at a time: a clock without the pauses."""
        return sum(max(0.0, min(at, stop) - begin) for begin, stop in self.parts)


def sessions_of(records: Records, run: RunRecord, driven_s: float | None, until: float) -> Sessions:
    """The sessions of a run that has started, up to `until`, of `driven_s` in all.

    A run of an earlier version counts as one session, since it has recorded no times of them.
    """
    found = records.driving_events(run.run_no)
    begun = [decode(event.data) for event in found]
    is_rerun = sum(event.kind == "RunStarted" for event in found) > 1
    starts = [(data["at"], data["since_s"]) for data in begun if "at" in data]
    first = run.started_at or until
    if len(starts) < len(begun) or not starts or not _is_rising(at for at, _ in starts):
        return Sessions([(first, max(first, until))], is_rerun)
    starts[0] = (min(first, starts[0][0]), 0.0)
    parts = []
    for (at, since_s), (next_at, next_since_s) in pairwise(starts):
        parts.append((at, min(next_at, at + max(0.0, next_since_s - since_s))))
    last, since_s = starts[-1]
    if run.ended_at is None and driven_s is not None:
        until = min(until, last + max(0.0, driven_s - since_s))
    return Sessions([*parts, (last, max(last, until))], is_rerun)


def _is_rising(times: Iterable[float]) -> bool:
    return all(earlier < later for earlier, later in pairwise(times))
