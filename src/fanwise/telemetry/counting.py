"""Counts what happens to the runs that a process takes, and hands it on, by way of observers."""

from __future__ import annotations

import time
from collections.abc import Sequence

from fanwise.engine.taking import Takings
from fanwise.errors import StoreError
from fanwise.model import Claim, EngineRecord, ErrorInfo, Run, Status
from fanwise.ports import Observer, TaskProgress, together
from fanwise.telemetry.counts import Counts, Report


class RunCounts:
    """The counts and gauges of the runs of one process, which any thread may read."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._driven: set[_CountingObserver] = set()

    def observer(self) -> Observer:
        """Return an observer that counts what happens to one run."""
        return _CountingObserver(self.counts, self._driven)

    def levels(self) -> dict[str, float]:
        """Return the gauges at this moment."""
        tasks = [progress for each in list(self._driven) for progress in list(each.tasks.values())]
        return {
            "fanwise_runs_driven": len(self._driven),
            "fanwise_items_running": sum(task.running for task in tasks),
            "fanwise_items_waiting_retry": sum(task.waiting for task in tasks),
        }

    def count_items(self) -> None:
        """Count the items of runs in progress up to now."""
        for each in self._driven:
            each.count_items()

    def report(self) -> Report:
        """Return all that has been counted since the last report."""
        return Report(self.counts.take(), self.levels())


def counting(runs: RunCounts, watched: Takings) -> Takings:
    """Return takings that count the runs that are taken, and pass all on to others."""
    return _CountingTakings(runs, watched)


class _CountingTakings(Takings):
    """Counts the runs that are taken, and passes all on to other takings."""

    def __init__(self, runs: RunCounts, watched: Takings) -> None:
        self._runs = runs
        self._watched = watched

    def observe(self, claim: Claim) -> Observer:
        delay_s = max(0.0, time.time() - claim.submission.since)
        self._runs.counts.observe("fanwise_start_delay_seconds", value=delay_s)
        return together([self._runs.observer(), self._watched.observe(claim)])

    def run_broke_off(self, run_id: str, why: str) -> None:
        self._runs.counts.add("fanwise_runs_broken_off")
        self._watched.run_broke_off(run_id, why)

    def engine_gone(self, engine: EngineRecord, run_ids: Sequence[str]) -> None:
        self._runs.counts.add("fanwise_engines_gone")
        self._watched.engine_gone(engine, run_ids)

    def store_failed(self, error: StoreError) -> None:
        self._runs.counts.add("fanwise_store_errors")
        self._watched.store_failed(error)


class _CountingObserver(Observer):
    """Counts what happens to one run."""

    def __init__(self, counts: Counts, driven: set[_CountingObserver]) -> None:
        self.tasks: dict[str, TaskProgress] = {}
        """The tasks with items that are running."""
        self._counts = counts
        self._driven = driven
        self._counted: dict[str, tuple[int, int]] = {}
        self._workflow = ""

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self._workflow = workflow
        self._driven.add(self)
        self._counts.add("fanwise_runs_taken", workflow)

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self.run_started(run_id, workflow, tasks)

    def task_started(self, progress: TaskProgress) -> None:
        if progress.has_items:
            self.tasks[progress.name] = progress
            self._counted[progress.name] = progress.succeeded, progress.failed

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        self._counts.add("fanwise_tasks_ended", status)
        self._count_items_of(name)
        self.tasks.pop(name, None)

    def run_ended(self, run: Run) -> None:
        self.count_items()
        self._driven.discard(self)
        self._counts.add("fanwise_runs_ended", self._workflow, run.status)
        if run.status.is_final and run.duration_s is not None:
            self._counts.observe("fanwise_run_seconds", self._workflow, value=run.duration_s)

    def count_items(self) -> None:
        """Count the items whose outcome has been recorded since they were last counted."""
        for name in self.tasks:
            self._count_items_of(name)

    def _count_items_of(self, name: str) -> None:
        if (progress := self.tasks.get(name)) is None:
            return
        now = progress.succeeded, progress.failed
        for status, count, before in zip(
            (Status.SUCCEEDED, Status.FAILED), now, self._counted[name], strict=True
        ):
            if count > before:
                self._counts.add("fanwise_items_ended", status, by=count - before)
        self._counted[name] = now
