"""`fanwise resume`: drives a run on that was paused, or whose process has died."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import typer

from fanwise.cli import options
from fanwise.cli.text.output import prints_aside, say

if TYPE_CHECKING:
    from fanwise.cli.live.run import Start
    from fanwise.engine import Engine
    from fanwise.model import Run, RunRecord
    from fanwise.reports.ownership import Runs
    from fanwise.wiring import Settings

_LOOK_S = 0.2


def resume(
    run_id: options.ResumableRunId,
    secrets: options.SecretOptions = None,
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
    """Resume a run that was paused, or whose process has died.

    What is recorded is never done again. The workflow and the parameters are those that the run
    started with.
    """
    from fanwise.cli.backends import is_server, refuse_own
    from fanwise.cli.commands.run import exit_status, report
    from fanwise.reports.lookup import find_run
    from fanwise.wiring import open_records, read_settings, runs_of

    if is_server(store):
        from fanwise.cli.live.elsewhere import drive_elsewhere

        refuse_own(p=secrets, packs=packs, executor=executor, processes=processes, ray=ray)
        refuse_own(grace=grace, no_queue=no_queue, wait=wait, verbose=verbose)
        raise typer.Exit(
            drive_elsewhere(
                store, run_id, lambda server, name: server.resume(name, force=force), json=json
            )
        )
    settings = read_settings(
        store=store, packs=packs or (), executor=executor, processes=processes, ray=ray
    )
    with open_records(settings) as records:
        record = find_run(records, run_id)
        await_pause(runs_of(records), record)
    done = resume_recorded(
        record,
        settings,
        secrets,
        force=force,
        wait_s=options.wait_s(no_queue=no_queue, wait=wait),
        grace_s=grace,
        store=store,
        verbose=verbose,
    )
    report(done.run, settings, store=store, json=json, has_output=done.has_output)
    raise typer.Exit(exit_status(done.run))


class Done(NamedTuple):
    """A resumed run at its end; `has_output` if its workflow has one."""

    run: Run
    has_output: bool


def resume_recorded(
    record: RunRecord,
    settings: Settings,
    secrets: list[str] | None,
    *,
    force: bool = False,
    cancel: bool = False,
    wait_s: float | None = None,
    grace_s: float | None = None,
    store: str | None = None,
    verbose: bool = False,
) -> Done:
    """Drive a recorded run on to its end, or with `cancel` to its end as cancelled.

    `wait_s` bounds the wait for a slot; `store` is the one that the command line named; if
    `verbose`, what actions print is shown.
    """
    from fanwise.cli.commands.parameters import read_secrets
    from fanwise.cli.live.run import watch
    from fanwise.wiring import load_recorded

    with prints_aside():
        plan = load_recorded(record, settings)
    given = read_secrets(plan, secrets or ())

    def start(engine: Engine) -> Start:
        return partial(
            engine.aresume,
            plan,
            record,
            secrets=given,
            force=force,
            cancel=cancel,
            wait_s=wait_s,
        )

    run = watch(start, settings, grace_s=grace_s, store=store, verbose=verbose)
    return Done(run, has_output=plan.output is not None)


def await_pause(runs: Runs, record: RunRecord) -> None:
    """Wait for a pause that has been requested, until the run is let go of."""
    from fanwise.model import RequestKind

    has_said = False
    while (driver := runs.driver(record)) is not None:
        if driver.requests != (RequestKind.PAUSE,):
            return
        if not has_said:
            say("The run is being paused; waiting for what is in flight ...")
            has_said = True
        time.sleep(_LOOK_S)
