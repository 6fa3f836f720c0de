"""`fanwise submit`: records a run for an engine to take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_submitted
from fanwise.cli.errors import warning_lines
from fanwise.cli.text.output import as_json, print_results, prints_aside, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanwise.wiring import Submitted

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
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The workflow.", autocompletion=complete_submitted),
    ],
    parameter: options.Parameter = None,
    params: options.Params = None,
    packs: options.Packs = None,
    store: options.Backend = None,
    run_id: options.NewId = None,
    tag: options.Tag = None,
    queue: _Queue = None,
    priority: _Priority = None,
    once: _Once = None,
    json: options.JsonFlag = False,
) -> None:
    """Record a run for `fanwise work` to take, and print its id.

    With --once the id is that of the run that has the key, which is made only if there is none. So
    it is with the workflow's dedupe. On a server FILE is the name of a workflow of its project.
    """
    from fanwise.cli.backends import is_server
    from fanwise.cli.commands.parameters import read_parameters
    from fanwise.model import DEFAULT_QUEUE
    from fanwise.plan import require_recordable
    from fanwise.wiring import load_plan, read_settings, submit_run

    if is_server(store):
        body = {
            "workflow": str(file),
            "run_id": run_id,
            "tags": tag or (),
            "queue": DEFAULT_QUEUE if queue is None else queue,
            "priority": priority,
        }
        _report(_submit_there(store, body, parameter, params, packs, once), json=json)
        return
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
        once=once,
        run_id=run_id,
        tags=tag or (),
        queue=DEFAULT_QUEUE if queue is None else queue,
        priority=priority,
    )
    _report(done, json=json)


def _submit_there(
    url: str,
    body: Mapping[str, object],
    parameter: Sequence[str] | None,
    params: Path | None,
    packs: Sequence[Path] | None,
    once: str | None,
) -> Submitted:
    """Have the server at a URL record a run of a workflow of its project."""
    from fanwise.cli.backends import open_server, refuse_own
    from fanwise.cli.commands.parameters import read_file, read_texts
    from fanwise.wiring import Submitted, read_limits

    refuse_own(packs=packs)
    given = {} if params is None else read_file(params, read_limits())
    texts = read_texts(parameter or ())
    sent = open_server(url).submit({**body, "parameters": given, "texts": texts}, once)
    return Submitted(sent.run_id, sent.is_new, sent.skipped)


def _report(done: Submitted, *, json: bool) -> None:
    if json:
        print_results([as_json(done._asdict())])
        return
    print_results([done.run_id])
    if not done.is_new:
        say("A run has this key already, so none was made.")
    if done.skipped:
        say(f"It isn't run: {done.skipped}")
