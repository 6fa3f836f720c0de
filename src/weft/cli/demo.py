"""`weft demo`: runs a demo on real input, and says what came of it.

The monitoring demo starts a server process that answers for a thousand servers, and runs the
workflow in `weft/demos/monitor` against it. The run is recorded in the store as any other is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weft.cli import options
from weft.cli.output import as_json, print_results, prints_aside, say
from weft.errors import UsageError

if TYPE_CHECKING:
    from weft.cli.monitor_figures import MonitorFigures

MONITOR = Path(__file__).parent.parent / "demos" / "monitor" / "workflow.yaml"
"""The workflow of the monitoring demo."""

_NAMES = ("monitor",)


def demo(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Which demo.", autocompletion=lambda: list(_NAMES)),
    ] = "monitor",
    servers: Annotated[
        int, typer.Option("--servers", min=1, max=100_000, metavar="N", help="So many servers.")
    ] = 1_000,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Run a demo on real input.

    `monitor` checks the health of a thousand servers over HTTP. It takes a few seconds, needs no
    network, and records its run in the store.
    """
    if name not in _NAMES:
        raise UsageError(f'there is no demo "{name}".', hint=f"The demos: {', '.join(_NAMES)}.")
    _monitor(servers, store, json=json)


def _monitor(servers: int, store: str | None, *, json: bool) -> None:
    from tempfile import TemporaryDirectory

    from weft.cli.execute import execute
    from weft.cli.monitor_figures import MemoryWatch, measure
    from weft.cli.run import exit_status, tell
    from weft.demos.monitor.fleet import make_fleet
    from weft.demos.monitor.inventory import write_inventory
    from weft.demos.monitor.process import serving
    from weft.model import Status
    from weft.wiring import load_plan, open_records, read_settings

    seed = 7
    settings = read_settings(store=store)
    with prints_aside():
        plan = load_plan(MONITOR, settings)
    say(f"Starting {servers:,} servers ...")
    with (
        TemporaryDirectory(prefix="weft-demo-") as folder,
        serving(servers=servers, seed=seed) as url,
    ):
        inventory = Path(folder) / "servers.json"
        write_inventory(inventory, url, make_fleet(servers, seed))
        memory = MemoryWatch("check_health")
        done = execute(plan, {"inventory": str(inventory)}, settings, observer=memory)
        tell(done, settings, store=store, json=False, has_output=False)
        if done.status is Status.SUCCEEDED:
            with open_records(settings) as records:
                figures = measure(records, done, memory, url)
            if json:
                print_results([as_json(figures)])
            else:
                print_results(["", *_figure_lines(figures), "", *_further_lines(done.id, store)])
    raise typer.Exit(exit_status(done))


def _figure_lines(figures: MonitorFigures) -> list[str]:
    from weft.bench.measure import show_bytes
    from weft.cli.render import show_span, table

    rows = [
        (
            "checks",
            f"{figures.servers:,} servers in {show_span(figures.fan_out_s)}, "
            f"{figures.servers / figures.fan_out_s:,.0f}/s, "
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
    return table(("MEASURED", ""), rows)


def _further_lines(run_id: str, store: str | None) -> list[str]:
    from weft.cli.render import table
    from weft.cli.summary import command

    failed = command("items", run_id, "check_health", "--status", "failed", store=store)
    rows = [
        ("the workflow", str(MONITOR)),
        ("its actions", str(MONITOR.with_name("actions.py"))),
        ("the run", command("show", run_id, store=store)),
        ("what failed", failed),
    ]
    return table(("LOOK FURTHER", ""), rows)
