"""The counts and gauges of a server: of its own work, and of the processes that it has started."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from fanwise.model import FireStatus, NewFire
from fanwise.service.watcher import ServiceWatcher
from fanwise.telemetry.counts import Counts, Report

_TURN_S: Final = 1.0

_read_report = msgspec.json.Decoder(Report).decode


class ServerCounts:
    """Counts that may be added to by any thread, and the gauges that are known without a store."""

    def __init__(self, *, needs_workers: bool = False) -> None:
        self.counts = Counts()
        self.needs_workers = needs_workers
        """Says that the server is to have processes that take runs."""
        self._lag_s = 0.0
        self._workers: dict[int, Mapping[str, float]] = {}

    @property
    def workers(self) -> int:
        """The number of processes that take runs."""
        return len(self._workers)

    def levels(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """Return the gauges; those of processes are added up."""
        found: dict[tuple[str, tuple[str, ...]], float] = {
            ("fanwise_loop_lag_seconds", ()): self._lag_s,
            ("fanwise_workers", ()): self.workers,
        }
        for levels in list(self._workers.values()):
            for name, level in levels.items():
                found[name, ()] = found.get((name, ()), 0.0) + level
        return found

    async def watch_loop(self) -> None:
        """Measure how late the event loop is, as long as this runs."""
        clock = asyncio.get_running_loop()
        while True:
            due = clock.time() + _TURN_S
            await asyncio.sleep(_TURN_S)
            self._lag_s = max(0.0, clock.time() - due)

    def watcher(self, watched: ServiceWatcher) -> ServiceWatcher:
        """Return a watcher of the service that counts, and passes all on to another one."""
        return _CountingWatcher(self.counts, self._workers, watched)


class _CountingWatcher(ServiceWatcher):
    def __init__(
        self,
        counts: Counts,
        workers: dict[int, Mapping[str, float]],
        watched: ServiceWatcher,
    ) -> None:
        self._counts = counts
        self._workers = workers
        self._watched = watched

    def fired(
        self, workflow: str, name: str, fires: Sequence[NewFire], runs: Sequence[str]
    ) -> None:
        for fire in fires:
            self._counts.add("fanwise_fires", fire.status.value, by=fire.n)
            if fire.status is FireStatus.RAN and fire.n == 1:
                delay_s = max(0.0, time.time() - fire.at)
                self._counts.observe("fanwise_fire_delay_seconds", value=delay_s)
        self._watched.fired(workflow, name, fires, runs)

    def problem(self, text: str) -> None:
        self._watched.problem(text)

    def is_well(self) -> None:
        self._watched.is_well()

    def failed(self, text: str) -> None:
        self._watched.failed(text)

    def worker_started(self, pid: int) -> None:
        self._workers[pid] = {}
        self._watched.worker_started(pid)

    def worker_reported(self, pid: int, report: bytes) -> None:
        read = _read_report(report)
        self._counts.merge(read.counts)
        if pid in self._workers:
            self._workers[pid] = read.levels
        self._watched.worker_reported(pid, report)

    def worker_ended(self, pid: int, status: int) -> None:
        self._workers.pop(pid, None)
        self._counts.add("fanwise_workers_ended")
        self._watched.worker_ended(pid, status)
