"""Plays the monitoring demo: a workflow checks the servers that a server process answers for."""

from __future__ import annotations

import sys

import aiohttp  # noqa: F401 - loaded now, so that its size isn't taken for that of the checks
import msgspec

from fanwise.context import ItemContext, WorkflowContext
from fanwise.demos.measures import MemoryWatch, read_spans
from fanwise.demos.monitor.fleet import Behaviour, make_fleet, write_inventory
from fanwise.demos.monitor.process import ask_stats, serving
from fanwise.demos.stage import DemoStage, Played, demo_folder
from fanwise.model import Run, Status
from fanwise.ports import Records
from fanwise.units import show_bytes, show_span


class MonitorFigures(msgspec.Struct, frozen=True):
    """The measurements; `failing`, `requests` and `most_at_once` are the server's own counts.

    `growth_bytes` is the most that the process's memory can have grown during the checks.
    """

    servers: int
    succeeded: int
    failed: int
    failing: int
    recovered: int
    attempts: int
    requests: int
    most_at_once: int
    run_s: float
    fan_out_s: float
    median_s: float
    p95_s: float
    item_context_bytes: int
    growth_bytes: int


def measure(records: Records, run: Run, memory: MemoryWatch, url: str) -> MonitorFigures:
    """The figures of a run that succeeded; `url` is where its server still answers."""
    task = run.tasks[memory.task]
    assert task.items is not None  # it succeeded, and has items
    assert task.started_at is not None
    assert task.ended_at is not None
    spans = read_spans(records, run.id, memory.task)
    stats = ask_stats(url)
    return MonitorFigures(
        servers=task.items.total,
        succeeded=task.items.succeeded,
        failed=task.items.failed,
        failing=stats.servers.get(Behaviour.FAILING, 0),
        recovered=spans.recovered,
        attempts=task.attempts,
        requests=stats.requests,
        most_at_once=stats.most_at_once,
        run_s=run.duration_s or 0.0,
        fan_out_s=task.ended_at - task.started_at,
        median_s=spans.median_s,
        p95_s=spans.p95_s,
        item_context_bytes=sys.getsizeof(ItemContext(WorkflowContext(), None, 0)),
        growth_bytes=memory.growth_bytes,
    )


_SEED = 7
_TASK = "check_health"


def play(stage: DemoStage) -> Played:
    """Check the health of `stage.size` servers, and compare with what the server has counted."""
    stage.say(f"Starting {stage.size:,} servers ...")
    with serving(servers=stage.size, seed=_SEED) as url:
        inventory = stage.folder / "servers.json"
        write_inventory(inventory, url, make_fleet(stage.size, _SEED))
        memory = MemoryWatch(_TASK)
        workflow = demo_folder("monitor") / "workflow.yaml"
        done = stage.run(workflow, {"inventory": str(inventory)}, observer=memory)
        if done.status is not Status.SUCCEEDED:
            return Played(done)
        with stage.records() as records:
            figures = measure(records, done, memory, url)
    failed = stage.command("items", done.id, _TASK, "--status", "failed")
    return Played(
        done,
        headline=f"{figures.servers:,} servers checked, {_rate(figures)}",
        rows=_rows(figures),
        figures=figures,
        failed=_difference(figures),
        further=[("what failed", failed)],
    )


def _difference(figures: MonitorFigures) -> str | None:
    if figures.failed == figures.failing:
        return None
    return f"{figures.failed:,} checks failed, but the server made {figures.failing:,} of them fail"


def _rate(figures: MonitorFigures) -> str:
    return f"{figures.servers / figures.fan_out_s:,.0f}/s"


def _rows(figures: MonitorFigures) -> list[tuple[str, str]]:
    return [
        (
            "checks",
            f"{figures.servers:,} servers in {show_span(figures.fan_out_s)}, {_rate(figures)}, "
            f"at most {figures.most_at_once:,} at once",
        ),
        ("healthy", f"{figures.succeeded:,}, of which {figures.recovered:,} after a retry"),
        ("failed", f"{figures.failed:,}; the server made {figures.failing:,} of its servers fail"),
        (
            "attempts",
            f"{figures.attempts:,} recorded; the server counted {figures.requests:,} requests, "
            "repeats after a closed connection included",
        ),
        (
            "a check's time",
            f"median {show_span(figures.median_s)}, 95 % within {show_span(figures.p95_s)}",
        ),
        (
            "memory",
            f"{figures.item_context_bytes} bytes of context an item; the process grew by at most "
            f"{show_bytes(figures.growth_bytes)} during the checks, "
            f"{show_bytes(figures.growth_bytes / figures.servers)} an item with all else",
        ),
        ("the whole run", show_span(figures.run_s)),
    ]
