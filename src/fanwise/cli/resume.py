"""`fanwise resume`: goes on with a run that was paused, or whose process has died."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import typer

from fanwise.cli import options
from fanwise.cli.output import prints_aside, say

if TYPE_CHECKING:
    from fanwise.cli.execute import Start
    from fanwise.engine import Engine
    from fanwise.model import Run, RunRecord
    from fanwise.stores import Store
    from fanwise.wiring import Settings

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
    from fanwise.cli.recorded import find_run
    from fanwise.cli.run import exit_status, tell
    from fanwise.wiring import open_records, read_settings

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
    from fanwise.cli.execute import drive
    from fanwise.cli.parameters import read_secrets
    from fanwise.wiring import load_recorded

    with prints_aside():
        plan = load_recorded(record, settings)
    given = read_secrets(plan, secrets or ())

    def start(engine: Engine) -> Start:
        return partial(engine.aresume, plan, record, secrets=given, force=force, cancel=cancel)

    run = drive(start, settings, grace_s=grace_s, store=store)
    return Done(run, has_output=plan.output is not None)


def await_pause(records: Store, record: RunRecord) -> None:
    """If the run is about to pause, wait until whoever drives it has let go of it."""
    from fanwise.control import driving_lease
    from fanwise.model import RequestKind

    has_said = False
    while driving_lease(records, record) is not None:
        if {each.kind for each in records.requests(record.run_no)} != {RequestKind.PAUSE}:
            return
        if not has_said:
            say("The run is being paused; waiting for what is in flight ...")
            has_said = True
        time.sleep(_LOOK_S)
