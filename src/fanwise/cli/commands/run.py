"""`fanwise run`: runs a workflow to its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.errors import warning_lines
from fanwise.cli.text.output import (
    as_json,
    has_colours,
    print_results,
    prints_aside,
    say,
    width_of,
)
from fanwise.errors import RunRepeatedError

if TYPE_CHECKING:
    from fanwise.cli.live.run import Start
    from fanwise.engine import Engine
    from fanwise.model import Run, RunRecord
    from fanwise.plan import Plan
    from fanwise.reports.overview import Overview
    from fanwise.reports.questions import FailedItems
    from fanwise.values import Json
    from fanwise.wiring import Settings

FAILED = 1
"""The exit status if the run failed."""

WAITING = 3
"""The exit status if the run waits for an answer, a signal or a time."""


_MOST_ITEMS = 10**18  # as the largest index
_Items = Annotated[
    int | None,
    typer.Option(
        "--items", min=1, max=_MOST_ITEMS, metavar="N", help="Run only the first N of each fan-out."
    ),
]
_DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Show what would run with which input, and run nothing."),
]


_NoInput = Annotated[
    bool,
    typer.Option("--no-input", help="Ask nothing at this terminal: leave questions open."),
]


def run(
    file: options.WorkflowFile,
    parameter: options.Parameter = None,
    params: options.Params = None,
    packs: options.Packs = None,
    store: options.StoreUrl = None,
    run_id: options.NewId = None,
    tag: options.Tag = None,
    items: _Items = None,
    no_queue: options.NoQueue = False,
    wait: options.Wait = None,
    executor: options.Executor = None,
    processes: options.ProcessCount = None,
    ray: options.RayAddress = None,
    grace: options.Grace = None,
    dry_run: _DryRun = False,
    no_input: _NoInput = False,
    verbose: options.Verbose = False,
    json: options.JsonFlag = False,
) -> None:
    """Run a workflow to its end.

    The output is printed to standard output as JSON, progress and the summary to standard error.
    If the workflow's concurrency has no slot for the run, it waits for one. What the run asks is
    asked here, if this is a terminal.

    Exit status: 0 the run succeeded, 1 it failed, 2 it couldn't be made, 3 it waits for an answer
    or a signal, 130 it was interrupted.
    """
    from fanwise.cli.commands.parameters import read_parameters
    from fanwise.wiring import load_plan, read_settings

    settings = read_settings(
        store=store,
        packs=packs or (),
        executor=executor,
        processes=processes,
        ray=ray,
        workflow=file,
    )
    with prints_aside():
        plan = load_plan(file, settings)
    parameters = read_parameters(plan, parameter or (), params, settings.limits)
    for line in warning_lines(plan.warnings):
        say(line)

    if dry_run:
        print_preview(plan, parameters, settings, items=items, json=json)
        return

    from fanwise.cli.live.run import execute

    try:
        done = execute(
            plan,
            parameters,
            settings,
            run_id=run_id,
            tags=tag or (),
            items=items,
            wait_s=options.wait_s(no_queue=no_queue, wait=wait),
            grace_s=grace,
            store=store,
            verbose=verbose,
        )
    except RunRepeatedError as repeated:
        report_repeated(repeated.run_id, settings, json=json)
        return
    if not no_input:
        done = _answered_here(done, plan, settings, store=store, verbose=verbose)
    report(done, settings, store=store, json=json, has_output=plan.output is not None)
    raise typer.Exit(exit_status(done))


def _answered_here(
    done: Run, plan: Plan, settings: Settings, *, store: str | None, verbose: bool
) -> Run:
    """Ask what the run waits for at this terminal, and resume it, until it waits no more."""
    from fanwise.cli.live.asking import ask_here, has_person
    from fanwise.cli.live.run import watch
    from fanwise.model import Status
    from fanwise.reports.lookup import run_by_id
    from fanwise.wiring import open_existing, this_user

    while done.status is Status.WAITING and has_person():
        with open_existing(settings) as opened:
            record = run_by_id(opened, done.id)
            if not ask_here(opened, record, this_user()):
                break
        go_on = partial(_resumption, plan, record)
        done = watch(go_on, settings, store=store, verbose=verbose)
    return done


def _resumption(plan: Plan, record: RunRecord, engine: Engine) -> Start:
    return partial(engine.aresume, plan, record)


def report_repeated(run_id: str, settings: Settings, *, json: bool) -> None:
    """Say that the run would repeat another one, and which."""
    from fanwise.reports.lookup import run_by_id
    from fanwise.reports.objects import run_object
    from fanwise.reports.overview import overview
    from fanwise.wiring import open_records, runs_of

    say(f"Run {run_id} has the same key of dedupe, so none was made.")
    if json:
        with open_records(settings) as records:
            record = run_by_id(records, run_id)
            print_results(
                [as_json(run_object(overview(runs_of(records), record, (), time.time())))]
            )
    else:
        say(f"Look at it with: fanwise show {run_id}")


def print_preview(
    plan: Plan, parameters: Mapping[str, Json], settings: Settings, *, items: int | None, json: bool
) -> None:
    """Print a preview of a run, as lines or as one object."""
    from fanwise.cli.text.dry_run import dry_run_lines
    from fanwise.wiring import preview_run

    with prints_aside():  # what an action makes of its input is checked
        preview = preview_run(plan, parameters, settings, items=items)
    print_results([as_json(preview)] if json else dry_run_lines(preview))


def report(
    done: Run,
    settings: Settings,
    *,
    store: str | None,
    json: bool,
    has_output: bool,
    is_resumable: bool = True,
) -> None:
    """Print a run's summary, and its output or the whole as JSON.

    Without `is_resumable` the input of a paused run is about to go, and no resume is advised.
    """
    from fanwise.reports.lookup import run_by_id
    from fanwise.reports.overview import overview
    from fanwise.reports.questions import failed_items
    from fanwise.wiring import open_records, runs_of

    with open_records(settings) as records:
        record = run_by_id(records, done.id)
        seen = overview(runs_of(records), record, tuple(done.tasks), time.time())
        failures = failed_items(records, seen.progress, seen.last)
        has_logs = bool(records.logs(record.run_no, limit=1))
    report_seen(
        seen,
        failures,
        store=store,
        json=json,
        has_logs=has_logs,
        has_output=has_output,
        is_resumable=is_resumable,
    )


def report_seen(
    seen: Overview,
    failures: Sequence[FailedItems],
    *,
    store: str | None,
    json: bool,
    has_logs: bool,
    has_output: bool,
    is_resumable: bool = True,
) -> None:
    """Print the summary of a run that stands so; see `report`."""
    from fanwise.cli.text.summary import command, failure_lines, output_text, run_lines
    from fanwise.model import Status
    from fanwise.reports.objects import run_object

    say("")
    run, width = seen.run, width_of(sys.stderr)
    lines = run_lines(seen, colours=has_colours(sys.stderr), width=width)
    for line in (*lines, *failure_lines(run.id, failures, seen.last, store, width)):
        say(line)
    if has_logs:
        say(f"\nLogs: {command('logs', run.id, store=store)}")
    if run.status is Status.FAILED:
        say(f"\nMore: {command('show', run.id, store=store)}")
    if run.status is Status.PAUSED:
        way_on = f" Resume with: {command('resume', run.id, store=store)}" if is_resumable else ""
        say(f"\nThe run is paused; what it has recorded is kept.{way_on}")
    if run.status is Status.WAITING:
        asks, way_on = command("asks", store=store), command("resume", run.id, store=store)
        say(f"\nThe run waits; {asks} says for what. Once that has come: {way_on}")
    if json:
        print_results([as_json(run_object(seen))])
    elif has_output and run.status not in (Status.PAUSED, Status.WAITING):
        print_results([output_text(run)])


def exit_status(done: Run) -> int:
    """The exit status for the end of a run."""
    from fanwise.cli.leaving import INTERRUPTED
    from fanwise.model import Status

    ends = {Status.SUCCEEDED: 0, Status.PAUSED: INTERRUPTED, Status.WAITING: WAITING}
    return ends.get(done.status, FAILED)
