"""`fanwise recover`: resumes all runs whose process has died, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from fanwise.cli import options
from fanwise.cli.text.output import as_json, print_results, prints_aside, say
from fanwise.errors import FanwiseError

if TYPE_CHECKING:
    from fanwise.model import RunRecord
    from fanwise.plan import Plan

_REFUSED = 2


def recover(
    packs: options.Packs = None,
    executor: options.Executor = None,
    processes: options.ProcessCount = None,
    ray: options.RayAddress = None,
    grace: options.Grace = None,
    verbose: options.Verbose = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Resume all runs whose process has died, side by side. Paused runs stay paused.

    Submitted runs are left alone: `fanwise work` takes them over.

    Exit status: 0 all of them have succeeded, 1 one hasn't, 2 one can't be resumed, 3 some wait
    for an answer or a signal, 130 interrupted.
    """
    from fanwise import model
    from fanwise.cli.commands.run import WAITING
    from fanwise.cli.leaving import INTERRUPTED
    from fanwise.cli.live.runs import resume_all
    from fanwise.cli.text.summary import command
    from fanwise.wiring import load_recorded, open_engine, open_records, read_settings, runs_of

    settings = read_settings(
        store=store, packs=packs or (), executor=executor, processes=processes, ray=ray
    )
    refused: dict[str, FanwiseError] = {}
    plans: list[tuple[Plan, RunRecord]] = []
    with open_records(settings) as records:
        runs = runs_of(records)
        unfinished = records.unfinished()
        # Submitted runs are the engines' own to take over.
        submitted = records.submissions([each.run_no for each in unfinished])
        own = [each for each in unfinished if each.run_no not in submitted]
        left = [each for each in own if runs.owner(each) is None]
    with prints_aside():
        for record in left:
            try:
                plans.append((load_recorded(record, settings), record))
            except FanwiseError as error:
                refused[record.id] = error
    say(f"{len(left):,} interrupted {'run' if len(left) == 1 else 'runs'}.")
    with open_engine(settings=settings, create=False, grace_s=grace) as engine, prints_aside():
        done = resume_all(engine, plans, refused, verbose=verbose)
    for run_id, refusal in refused.items():
        alone = command("resume", run_id, store=store)
        say(f"Run {run_id} can't be resumed: {refusal} To resume it alone: {alone}")
    if json:
        ended = [(run.id, run.status.value, None) for run in done]
        left_alone = [
            (run_id, model.INTERRUPTED, str(refusal)) for run_id, refusal in refused.items()
        ]
        for run_id, status, why in [*ended, *left_alone]:
            print_results([as_json({"run_id": run_id, "status": status, "error": why})])
    statuses = {run.status for run in done}
    if refused:
        raise typer.Exit(_REFUSED)
    if model.Status.PAUSED in statuses:
        raise typer.Exit(INTERRUPTED)
    if model.Status.WAITING in statuses and not statuses - {
        model.Status.SUCCEEDED,
        model.Status.WAITING,
    }:
        raise typer.Exit(WAITING)
    raise typer.Exit(int(bool(statuses - {model.Status.SUCCEEDED})))
