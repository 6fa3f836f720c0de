"""`fanwise pause` and `fanwise cancel`: ask something of the process that drives a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.output import as_json, print_results, say
from fanwise.errors import RunNotDrivenError

if TYPE_CHECKING:
    from fanwise.model import RequestKind, RunRecord
    from fanwise.stores import Store

_WORDS = {
    "pending": "hasn't begun yet",
    "running": "is still running",
    "interrupted": "was interrupted",
    "paused": "is paused",
    "succeeded": "has succeeded",
    "failed": "has failed",
    "cancelled": "was cancelled",
}
"""How a run's status is told in a sentence."""

NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Ask, and don't wait until it has happened.")
]


def pause(
    run_id: options.RunId,
    no_wait: NoWait = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Pause a run: nothing new starts, what is in flight finishes.

    What isn't finished after the run's --grace is cut off, and done again when it goes on.
    """
    from fanwise.cli.driving import shown_status
    from fanwise.cli.recorded import find_run
    from fanwise.cli.summary import command
    from fanwise.control import driving_lease, require_open
    from fanwise.model import RequestKind
    from fanwise.stores import open_store
    from fanwise.wiring import read_settings

    settings = read_settings(store=store)
    with open_store(settings.store, create=False) as opened:
        record = find_run(opened, run_id)
        require_open(record)
        if driving_lease(opened, record) is None:
            way_on = command("resume", record.id, store=store)
            was = "is paused already" if record.status == "paused" else "was interrupted"
            raise RunNotDrivenError(
                f"run {record.id} {was}.", run_id=record.id, hint=f"Go on with: {way_on}"
            )
        record = _ask(opened, record, RequestKind.PAUSE, waits=not no_wait)
        _tell(record, shown_status(opened, record), json=json)


def cancel(
    run_id: options.RunId,
    no_wait: NoWait = False,
    secrets: options.Secrets = None,
    packs: options.Packs = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Cancel a run: all is cut off, but `finally` runs.

    A run that nobody drives, since it was paused or interrupted, is brought to its end here. Exit
    status: 0 the run was cancelled, or had just ended; 130 that was interrupted.
    """
    from fanwise.cli.recorded import find_run
    from fanwise.cli.resume import go_on
    from fanwise.cli.run import exit_status, tell
    from fanwise.control import driving_lease, require_open
    from fanwise.model import RequestKind, Status
    from fanwise.stores import open_store
    from fanwise.wiring import read_settings

    settings = read_settings(store=store, packs=packs or ())
    with open_store(settings.store, create=False) as opened:
        record = find_run(opened, run_id)
        require_open(record)
        if driving_lease(opened, record) is not None:
            record = _ask(opened, record, RequestKind.CANCEL, waits=not no_wait)
            if no_wait or record.status.is_final:
                _tell(record, record.status, json=json)
                return
    # Nobody drives it, or whoever did has left it without having heard.
    done = go_on(record, settings, secrets, cancel=True, store=store)
    tell(done.run, settings, store=store, json=json, has_output=False)
    if done.run.status is not Status.CANCELLED:
        raise typer.Exit(exit_status(done.run))


def _ask(store: Store, record: RunRecord, kind: RequestKind, *, waits: bool) -> RunRecord:
    """Ask, and wait until whoever drives the run has let go of it."""
    from fanwise.control import LOOK_S, ask, driving_lease

    ask(store, record, kind)
    if not waits:
        return record
    asked_at = time.monotonic()
    has_said = False
    while driving_lease(store, record) is not None:
        time.sleep(LOOK_S)
        if not has_said and time.monotonic() > asked_at + 1:
            say("Asked; waiting for what is in flight ... (Ctrl-C leaves, and takes nothing back)")
            has_said = True
    return store.run(record.id) or record


def _tell(record: RunRecord, status: str, *, json: bool) -> None:
    if json:
        print_results([as_json({"run_id": record.id, "status": status})])
    else:
        print_results([f"Run {record.id} {_WORDS[status]}."])
