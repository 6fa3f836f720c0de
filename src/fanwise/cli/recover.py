"""`fanwise recover`: goes on with all runs whose process has died."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from fanwise.cli import options
from fanwise.cli.output import as_json, print_results, prints_aside, say
from fanwise.errors import FanwiseError

if TYPE_CHECKING:
    from fanwise.model import RunRecord
    from fanwise.plan import Plan

_REFUSED = 2


def recover(
    packs: options.Packs = None,
    grace: options.Grace = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Go on with all runs whose process has died, side by side. Paused runs stay paused.

    Exit status: 0 all of them have succeeded, 1 one hasn't, 2 one can't go on, 130 interrupted.
    """
    from fanwise.cli import driving
    from fanwise.cli.interruption import INTERRUPTED
    from fanwise.cli.recovering import go_on_with
    from fanwise.cli.summary import command
    from fanwise.control import driving_lease
    from fanwise.model import Status
    from fanwise.wiring import load_recorded, open_engine, open_records, read_settings

    settings = read_settings(store=store, packs=packs or ())
    refused: dict[str, FanwiseError] = {}
    plans: list[tuple[Plan, RunRecord]] = []
    with open_records(settings) as records:
        unfinished = records.unfinished()
        left = [each for each in unfinished if driving_lease(records, each) is None]
    with prints_aside():
        for record in left:
            try:
                plans.append((load_recorded(record, settings), record))
            except FanwiseError as error:
                refused[record.id] = error
    say(f"{len(left):,} interrupted {'run' if len(left) == 1 else 'runs'}.")
    with open_engine(settings=settings, create=False, grace_s=grace) as engine, prints_aside():
        done = go_on_with(engine, plans, refused)
    for run_id, refusal in refused.items():
        alone = command("resume", run_id, store=store)
        say(f"Run {run_id} can't go on: {refusal} To go on with it alone: {alone}")
    if json:
        ended = [(run.id, run.status.value, None) for run in done]
        left_alone = [
            (run_id, driving.INTERRUPTED, str(refusal)) for run_id, refusal in refused.items()
        ]
        for run_id, status, why in [*ended, *left_alone]:
            print_results([as_json({"run_id": run_id, "status": status, "error": why})])
    statuses = {run.status for run in done}
    if refused:
        raise typer.Exit(_REFUSED)
    if Status.PAUSED in statuses:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(int(bool(statuses - {Status.SUCCEEDED})))
