"""`weft resume`: goes on with a run that was paused, or whose process has died."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import typer

from weft.cli import options
from weft.cli.output import prints_aside, say

if TYPE_CHECKING:
    from weft.cli.execute import Start
    from weft.engine import Engine
    from weft.model import Run, RunRecord
    from weft.stores import Store
    from weft.wiring import Settings

_LOOK_S = 0.2


def resume(
    run_id: options.RunId,
    secrets: options.Secrets = None,
    packs: options.Packs = None,
    force: options.Force = False,
    grace: options.Grace = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Go on with a run that was paused, or whose process has died.

    What is recorded is never done again. The workflow and the parameters are those that the run
    started with.
    """
    from weft.cli.recorded import find_run
    from weft.cli.run import exit_status, tell
    from weft.wiring import open_records, read_settings

    settings = read_settings(store=store, packs=packs or ())
    with open_records(settings) as records:
        record = find_run(records, run_id)
        await_pause(records, record)
    done = go_on(record, settings, secrets, force=force, grace_s=grace, store=store)
    tell(done.run, settings, store=store, json=json, has_output=done.has_output)
    raise typer.Exit(exit_status(done.run))


class Done(NamedTuple):
    """A run that has gone on to its end, and whether its workflow has an output."""

    run: Run
    has_output: bool


def go_on(
    record: RunRecord,
    settings: Settings,
    secrets: list[str] | None,
    *,
    force: bool = False,
    cancel: bool = False,
    grace_s: float | None = None,
    store: str | None = None,
) -> Done:
    """Drive a recorded run on to its end, or with `cancel` to its end as cancelled.

    `store` is the one that the command line named, if it did.
    """
    from weft.cli.execute import drive
    from weft.cli.parameters import read_secrets
    from weft.wiring import load_recorded

    with prints_aside():
        plan = load_recorded(record, settings)
    given = read_secrets(plan, secrets or ())

    def start(engine: Engine) -> Start:
        return partial(engine.aresume, plan, record, secrets=given, force=force, cancel=cancel)

    run = drive(start, settings, grace_s=grace_s, store=store)
    return Done(run, has_output=plan.output is not None)


def await_pause(records: Store, record: RunRecord) -> None:
    """If the run is about to pause, wait until whoever drives it has let go of it."""
    from weft.cli.driving import driving_lease
    from weft.model import Request

    has_said = False
    while (lease := driving_lease(records, record)) is not None:
        if lease.request is not Request.PAUSE:
            return
        if not has_said:
            say("The run is being paused; waiting for what is in flight ...")
            has_said = True
        time.sleep(_LOOK_S)
