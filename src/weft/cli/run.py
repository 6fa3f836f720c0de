"""`weft run`: runs a workflow to its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weft.cli import options
from weft.cli.output import as_json, has_colours, print_results, prints_aside, say

if TYPE_CHECKING:
    from weft.model import Run
    from weft.wiring import Settings

FAILED = 1
"""The exit status if the run failed."""


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The workflow.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="NAME=VALUE", help="A parameter; may be given several times."),
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option("--params", metavar="FILE", help="A map of parameters in YAML or JSON."),
    ] = None,
    packs: options.Packs = None,
    store: options.Store = None,
    run_id: Annotated[
        str | None, typer.Option("--run-id", metavar="ID", help="The run's id; else one is made.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Run a workflow to its end.

    The output is printed to standard output as JSON, progress and the summary to standard error.
    Exit status: 0 the run succeeded, 1 it failed, 2 it couldn't be made, 130 it was interrupted.
    """
    from weft.cli.parameters import read_parameters
    from weft.wiring import load_plan, read_settings

    settings = read_settings(store=store, packs=packs or ())
    with prints_aside():
        plan = load_plan(file, settings)
    parameters = read_parameters(plan, parameter or (), params, settings.limits)

    from weft.cli.execute import execute

    done = execute(plan, parameters, settings, run_id=run_id)
    tell(done, settings, store=store, json=json, has_output=plan.output is not None)
    raise typer.Exit(exit_status(done))


def tell(done: Run, settings: Settings, *, store: str | None, json: bool, has_output: bool) -> None:
    """Print what came of a run: the summary, and its output or the whole as JSON."""
    from weft.cli.summary import command, failure_lines, output_text, run_lines, run_object
    from weft.model import Status
    from weft.wiring import open_records

    say("")
    for line in run_lines(done, colours=has_colours(sys.stderr)):
        say(line)
    with open_records(settings) as records:
        record = records.run(done.id)
        tasks = records.tasks(record.run_no) if record else ()
        for line in failure_lines(records, done.id, tasks, store):
            say(line)
    look = command("show", done.id, store=store)
    if done.status is Status.FAILED:
        say(f"\nMore: {look}")
    if done.status is Status.PAUSED:
        say(f"\nThe run is paused; what it has recorded is kept. Look at it with: {look}")
    if json:
        print_results([as_json(run_object(done))])
    elif has_output and done.status is not Status.PAUSED:
        print_results([output_text(done)])


def exit_status(done: Run) -> int:
    """The exit status that says how a run ended."""
    from weft.cli.interruption import INTERRUPTED
    from weft.model import Status

    return {Status.SUCCEEDED: 0, Status.PAUSED: INTERRUPTED}.get(done.status, FAILED)
