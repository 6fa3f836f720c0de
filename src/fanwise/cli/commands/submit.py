"""`fanwise submit`: records a run for an engine to take."""

from __future__ import annotations

from typing import Annotated

import typer

from fanwise.cli import options
from fanwise.cli.errors import warning_lines
from fanwise.cli.text.output import as_json, print_results, prints_aside, say

_Queue = Annotated[
    str | None,
    typer.Option("--queue", metavar="NAME", help="The queue in which the run waits, else default."),
]
_Priority = Annotated[
    int | None,
    typer.Option(
        "--priority",
        metavar="N",
        help="Runs with a higher one are taken first: -100 to 100. Default: that of the workflow.",
    ),
]
_Once = Annotated[
    str | None,
    typer.Option("--once", metavar="KEY", help="Make no run if one has this key already."),
]


def submit(
    file: options.WorkflowFile,
    parameter: options.Parameter = None,
    params: options.Params = None,
    packs: options.Packs = None,
    store: options.StoreUrl = None,
    run_id: options.NewId = None,
    tag: options.Tag = None,
    queue: _Queue = None,
    priority: _Priority = None,
    once: _Once = None,
    json: options.JsonFlag = False,
) -> None:
    """Record a run for `fanwise work` to take, and print its id.

    With --once the id is that of the run that has the key, which is made only if there is none. So
    it is with the workflow's dedupe.
    """
    from fanwise.cli.commands.parameters import read_parameters
    from fanwise.model import DEFAULT_QUEUE
    from fanwise.plan import require_recordable
    from fanwise.wiring import load_plan, read_settings, submit_run

    settings = read_settings(store=store, packs=packs or (), workflow=file)
    with prints_aside():
        plan = load_plan(file, settings)
    require_recordable(plan, [each.partition("=")[0] for each in parameter or ()])
    given = read_parameters(plan, parameter or (), params, settings.limits)
    for line in warning_lines(plan.warnings):
        say(line)
    done = submit_run(
        plan,
        given,
        settings,
        queue=queue or DEFAULT_QUEUE,
        priority=priority,
        once=once,
        run_id=run_id,
        tags=tag or (),
    )
    if json:
        print_results([as_json(done._asdict())])
        return
    print_results([done.run_id])
    if not done.is_new:
        say("A run has this key already, so none was made.")
    if done.skipped:
        say(f"It isn't run: {done.skipped}")
