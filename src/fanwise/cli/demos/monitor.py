"""Plays the monitoring demo: a workflow checks the servers that a server process answers for."""

from __future__ import annotations

from fanwise.bench.measure import show_bytes
from fanwise.cli.demos.memory import MemoryWatch
from fanwise.cli.demos.monitor_figures import MonitorFigures, measure
from fanwise.cli.demos.stage import Played, Stage, demo_folder
from fanwise.cli.output import say
from fanwise.cli.render import show_span
from fanwise.cli.summary import command
from fanwise.demos.monitor.fleet import make_fleet
from fanwise.demos.monitor.inventory import write_inventory
from fanwise.demos.monitor.process import serving
from fanwise.model import Status
from fanwise.wiring import open_records

_SEED = 7
_TASK = "check_health"


def play(stage: Stage) -> Played:
    """Check the health of `stage.size` servers, and compare with what the server has counted."""
    say(f"Starting {stage.size:,} servers ...")
    with serving(servers=stage.size, seed=_SEED) as url:
        inventory = stage.folder / "servers.json"
        write_inventory(inventory, url, make_fleet(stage.size, _SEED))
        memory = MemoryWatch(_TASK)
        workflow = demo_folder("monitor") / "workflow.yaml"
        done = stage.run(workflow, {"inventory": str(inventory)}, observer=memory)
        if done.status is not Status.SUCCEEDED:
            return Played(done)
        with open_records(stage.settings) as records:
            figures = measure(records, done, memory, url)
    failed = command("items", done.id, _TASK, "--status", "failed", store=stage.store)
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
