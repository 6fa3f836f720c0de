"""Engines that are gone: known by watching them, never by comparing clocks.

An engine is gone if its process is known to be, on this machine. If it is elsewhere or stopped, it
is gone once its count of beats has stood still for as long as its leases hold, by the watcher's own
clock and while the watcher could read the store all along. So an outage, a suspended machine or a
clock that is set takes nobody for dead. A process that is alive here is never gone: it is busy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fanwise.model import EngineRecord
from fanwise.ports import Processes, ProcessState


class _Seen(NamedTuple):
    """A count of beats, and when it was first read."""

    beats: int
    at: float


class EngineWatch:
    """The beats of engines as they were read, look by look.

    Looks that lie more than `most_gap_s` seconds apart have nothing to do with each other.
    """

    def __init__(self, processes: Processes, most_gap_s: float) -> None:
        self._processes = processes
        self._most_gap_s = most_gap_s
        self._seen: dict[int, _Seen] = {}
        self._looked_at: float | None = None

    def forget(self) -> None:
        """Begin again, since the store was out of reach."""
        self._seen = {}

    def gone(self, engines: Sequence[EngineRecord], now: float) -> list[EngineRecord]:
        """Return the engines that are gone, by all looks until now; `now` is monotonic."""
        if self._looked_at is not None and now - self._looked_at > self._most_gap_s:
            self.forget()
        self._looked_at = now
        before, self._seen = self._seen, {}
        found = []
        for engine in engines:
            state = self._processes.state(engine.owner)
            seen = before.get(engine.engine_no)
            if seen is None or seen.beats != engine.beats:
                seen = _Seen(engine.beats, now)
            self._seen[engine.engine_no] = seen
            is_silent = now - seen.at >= engine.owner.lease_s and state is not ProcessState.ALIVE
            if state is ProcessState.GONE or is_silent:
                found.append(engine)
        return found
