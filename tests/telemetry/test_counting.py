"""Counts of what processes do: of runs while they are driven, and reports to their server."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import fanwise
from fanwise.ports import Observer
from fanwise.service.watcher import ServiceWatcher
from fanwise.service.workers import WorkerProcesses
from fanwise.telemetry.counting import RunCounts
from fanwise.telemetry.serving import ServerCounts

FLOW = {
    "name": "counted",
    "tasks": [
        {
            "name": "each",
            "action": "counts.odd",
            "with-items": {"range": 5},
            "input": {"n": "{{ item }}"},
            "tolerate": 2,
        },
        {"name": "last", "action": "core.noop"},
    ],
}


def counts_of(runs: RunCounts) -> dict[str, float]:
    return {
        " ".join([name, *labels]): amounts[0]
        for (name, labels), amounts in runs.counts.read().items()
        if name != "fanwise_run_seconds"
    }


def test_a_run_is_counted_once(tmp_path: Path) -> None:
    """Its tasks, its items by their outcome, and itself; nothing is left that runs."""

    @fanwise.action("counts.odd")
    async def odd(n: int) -> None:
        if n % 2:
            raise ValueError("counts.odd")
        during.append(runs.levels()["fanwise_runs_driven"])
        runs.count_items()

    runs, during = RunCounts(), list[float]()
    fanwise.run(FLOW, store=str(tmp_path / "s.db"), actions=[odd], observer=runs.observer())
    assert during == [1, 1, 1]
    assert counts_of(runs) == {
        "fanwise_runs_taken counted": 1,
        "fanwise_items_ended succeeded": 3,
        "fanwise_items_ended failed": 2,
        "fanwise_tasks_ended succeeded": 2,
        "fanwise_runs_ended counted succeeded": 1,
    }
    assert set(runs.levels().values()) == {0}


def test_a_server_adds_up_what_its_processes_report() -> None:
    """Its sums outlast them, and their gauges don't."""
    report = {
        "counts": [["fanwise_items_ended", ["failed"], [7]]],
        "levels": {"fanwise_runs_driven": 2},
    }
    code = "import os, sys; os.write(int(sys.argv[-1]), sys.argv[1].encode() + b'\\n'); input()"
    seen: list[float] = []

    class Watcher(ServiceWatcher):
        def worker_reported(self, pid: int, report: bytes) -> None:
            seen.append(server.levels()["fanwise_runs_driven", ()])
            processes.stop()

        def worker_ended(self, pid: int, status: int) -> None:
            raise AssertionError("the process was to be stopped")

    server = ServerCounts(needs_workers=True)
    processes = WorkerProcesses(
        [sys.executable, "-S", "-c", code, json.dumps(report)], {}, 1, server.watcher(Watcher())
    )
    asyncio.run(processes.run())
    assert seen == [2]
    assert server.counts.read() == {("fanwise_items_ended", ("failed",)): (7,)}


def test_an_observer_that_was_told_nothing_counts_nothing() -> None:
    """Such as that of a run that was taken and could not be started."""
    runs = RunCounts()
    assert isinstance(runs.observer(), Observer)
    assert runs.report().counts == []
