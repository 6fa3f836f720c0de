"""`fanwise pause` and `fanwise cancel`: requests to the process that drives a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import as_json, print_results, say
from fanwise.errors import RunDrivenError, RunNotDrivenError

if TYPE_CHECKING:
    from fanwise.model import RequestKind, RunRecord
    from fanwise.reports.ownership import Runs

_LOOK_S = 0.1
_STANDING = {
    "paused": "is paused already",
    "waiting": "waits, and no process drives it, so there is nothing to pause",
}

NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Send the request, and don't wait for its effect.")
]


def pause(
    run_id: options.DrivenRunId,
    no_wait: NoWait = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Pause a run: nothing new starts, what is in flight finishes.

    What isn't finished after the run's --grace is cut off, and done again when the run is resumed.
    """
    from fanwise.cli.text.summary import command
    from fanwise.model import RequestKind
    from fanwise.reports.lookup import find_run, require_open
    from fanwise.wiring import open_existing, read_settings, runs_of

    with open_existing(read_settings(store=store)) as opened:
        runs = runs_of(opened)
        record = find_run(opened, run_id)
        require_open(record)
        if runs.owner(record) is None:
            runs.require_taken(record, command("cancel", record.id, store=store))
            way_on = command("resume", record.id, store=store)
            was = _STANDING.get(record.status, "was interrupted")
            raise RunNotDrivenError(
                f"run {record.id} {was}.", run_id=record.id, hint=f"Resume with: {way_on}"
            )
        record = _send(runs, record, RequestKind.PAUSE, waits=not no_wait)
        _report(record, runs.status(record), json=json)


def cancel(
    run_id: options.OpenRunId,
    no_wait: NoWait = False,
    secrets: options.SecretOptions = None,
    packs: options.Packs = None,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Cancel a run: all is cut off, but `finally` runs.

    A run that no process drives, since it waits or was stopped, is brought to its end here.

    Exit
    status: 0 the run was cancelled, or had just ended; 130 that was interrupted.
    """
    from fanwise.cli.commands.resume import resume_recorded
    from fanwise.cli.commands.run import exit_status, report
    from fanwise.model import RequestKind, Status
    from fanwise.reports.lookup import find_run, require_open
    from fanwise.wiring import open_existing, read_settings, runs_of

    settings = read_settings(store=store, packs=packs or ())
    while True:
        with open_existing(settings) as opened:
            runs = runs_of(opened)
            record = find_run(opened, run_id)
            require_open(record)
            if runs.owner(record) is not None:
                record = _send(runs, record, RequestKind.CANCEL, waits=not no_wait)
                if no_wait or record.status.is_final:
                    _report(record, record.status, json=json)
                    return
        # No process drives it, or its owner has left it without having read the request.
        try:
            done = resume_recorded(record, settings, secrets, cancel=True, store=store)
            break
        except RunDrivenError:  # an engine has just taken it from its queue, and hears the request
            continue
    report(done.run, settings, store=store, json=json, has_output=False)
    if done.run.status is not Status.CANCELLED:
        raise typer.Exit(exit_status(done.run))


def _send(runs: Runs, record: RunRecord, kind: RequestKind, *, waits: bool) -> RunRecord:
    """Send a request, and wait until the process that drives the run has let go of it."""
    runs.send(record, kind)
    if not waits:
        return record
    sent_at = time.monotonic()
    has_said = False
    while runs.owner(record) is not None:
        time.sleep(_LOOK_S)
        if not has_said and time.monotonic() > sent_at + 1:
            say("Asked; waiting for what is in flight ... (Ctrl-C leaves, and takes nothing back)")
            has_said = True
    return runs.records.run(record.id) or record


def _report(record: RunRecord, status: str, *, json: bool) -> None:
    from fanwise.cli.text.render import show_status

    if json:
        print_results([as_json({"run_id": record.id, "status": status})])
    else:
        print_results([f"Run {record.id} {show_status(status)}."])
