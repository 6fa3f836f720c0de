"""`fanwise retry`: runs the failed part of a run again, and keeps the rest."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_corrections, complete_tasks
from fanwise.cli.text.output import prints_aside, say
from fanwise.errors import UsageError
from fanwise.reports.plain import clean_lines

if TYPE_CHECKING:
    from fanwise.cli.live.run import Start
    from fanwise.client import RemoteStore
    from fanwise.engine import Engine
    from fanwise.model import ChosenKind


def retry(
    run_id: options.RetryableRunId,
    from_task: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TASK",
            help="Start again at this task, also if it had succeeded.",
            autocompletion=complete_tasks,
        ),
    ] = None,
    items_of: Annotated[
        str | None,
        typer.Option(
            "--items-of",
            metavar="TASK",
            help="Of this task run just the failed items of a --kind again.",
            autocompletion=complete_tasks,
        ),
    ] = None,
    kind: Annotated[
        int | None,
        typer.Option(
            "--kind",
            metavar="N",
            min=0,
            help="With --items-of: the kind of their errors, by its number in `show`.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="A repaired workflow to run instead."),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            metavar="NAME=VALUE",
            help="A corrected parameter, or a secret one, which isn't recorded; may be given "
            "several times.",
            autocompletion=complete_corrections,
        ),
    ] = None,
    packs: options.Packs = None,
    force: options.Force = False,
    no_queue: options.NoQueue = False,
    wait: options.Wait = None,
    executor: options.Executor = None,
    processes: options.ProcessCount = None,
    ray: options.RayAddress = None,
    grace: options.Grace = None,
    verbose: options.Verbose = False,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Do again what failed of a run, and what comes after it.

    The rest of the run is kept. Of a task with items, just those are done again that haven't
    succeeded.
    """
    from fanwise.cli.backends import is_server, refuse_own
    from fanwise.cli.commands.parameters import read_secrets
    from fanwise.cli.commands.run import exit_status, report
    from fanwise.cli.live.run import watch
    from fanwise.cli.text.remedies import copyable
    from fanwise.cli.text.summary import store_words
    from fanwise.reports.lookup import find_run
    from fanwise.wiring import changed_files, load_to_retry, open_records, read_settings

    chosen = _chosen(from_task, items_of, kind)
    if is_server(store):
        from fanwise.cli.live.elsewhere import drive_elsewhere

        refuse_own(p=parameter, packs=packs, executor=executor, processes=processes)
        refuse_own(ray=ray, grace=grace, no_queue=no_queue, wait=wait, verbose=verbose)
        definition = None if file is None else _read_text(file)

        def order(server: RemoteStore, name: str) -> None:
            server.retry(
                name,
                from_task=from_task,
                items_of=items_of,
                kind=kind,
                definition=definition,
                force=force,
            )

        raise typer.Exit(drive_elsewhere(store, run_id, order, json=json))
    settings = read_settings(
        store=store, packs=packs or (), executor=executor, processes=processes, ray=ray
    )
    with open_records(settings) as records:
        record = find_run(records, run_id)
    with prints_aside():
        recorded, plan = load_to_retry(record, settings, file)
    values = read_secrets(plan, parameter or ())
    hidden = {name for name, parameter in plan.parameters.items() if parameter.secret}

    def start(engine: Engine) -> Start:
        return partial(
            engine.aretry,
            plan,
            record,
            recorded=recorded,
            from_task=from_task,
            kind_of=chosen,
            parameters={name: value for name, value in values.items() if name not in hidden},
            secrets={name: value for name, value in values.items() if name in hidden},
            force=force,
            wait_s=options.wait_s(no_queue=no_queue, wait=wait),
        )

    done = watch(start, settings, grace_s=grace, store=store, verbose=verbose)
    report(done, settings, store=store, json=json, has_output=plan.output is not None)
    if file is None and (changed := changed_files(record)):
        way = f"fanwise retry {record.id} --file {shlex.quote(record.file)}"
        text = f"{changed[0]} isn't as it was when the run started, and its recorded text has run."
        say(clean_lines(copyable(f"{text} To run the file as it is: {way}", store_words(store))))
    raise typer.Exit(exit_status(done))


def _read_text(file: Path) -> str:
    """The text of a repaired workflow. Raises `UsageError`."""
    from fanwise.packs.workflows import read_file
    from fanwise.wiring import read_limits

    try:
        return read_file(file, read_limits()).decode()
    except UnicodeDecodeError:
        raise UsageError(f"{file}  isn't UTF-8.", hint="Save the file as UTF-8.") from None


def _chosen(from_task: str | None, task: str | None, kind: int | None) -> ChosenKind | None:
    """The items that alone run again of a task, if some are chosen. Raises `UsageError`."""
    from fanwise.model import ChosenKind

    if task is None and kind is None:
        return None
    if task is None or kind is None or from_task is not None:
        raise UsageError(
            "--items-of and --kind go together, without --from.",
            hint="Such as: fanwise retry RUN --items-of check --kind 2",
        )
    return ChosenKind(task, kind)
