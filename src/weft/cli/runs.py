"""`weft runs`: lists the newest runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weft.cli import options
from weft.cli.output import as_json, clean, flush_results, has_colours, print_results, say

if TYPE_CHECKING:
    from weft.model import RunRecord


def runs(
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")
    ] = 20,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """List runs, the newest first. With --json each run is a line."""
    from weft.cli.render import show_size, show_span, show_time, table
    from weft.wiring import open_records, read_settings

    with open_records(read_settings(store=store)) as records:
        found = records.runs(limit=limit)
        place, size = records.place, records.size()
    if json:
        print_results(as_json(_run_object(run)) for run in found)
        return
    rows = [
        (
            run.id,
            clean(run.workflow),
            run.status,
            show_time(run.started_at),
            show_span(_duration_s(run)),
        )
        for run in found
    ]
    headings = ("RUN", "WORKFLOW", "STATUS", "STARTED", "TIME>")
    print_results(table(headings, rows, colours=has_colours(sys.stdout)))
    flush_results()
    say(f"\nStore: {clean(place)}, {show_size(size.total_bytes)}")


def _run_object(run: RunRecord) -> dict[str, Any]:
    from weft.cli.render import iso_time

    return {
        "run_id": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "started_at": iso_time(run.started_at),
        "ended_at": iso_time(run.ended_at),
        "duration_s": _duration_s(run),
    }


def _duration_s(run: RunRecord) -> float | None:
    if run.started_at is None or run.ended_at is None:
        return None
    return run.ended_at - run.started_at
