"""`fanwise pause` and `fanwise cancel`: requests to the process that drives a run."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import as_json, print_results, say
from fanwise.errors import RunDrivenError, RunNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanwise.cli.backends import Backend
    from fanwise.model import RequestKind, RunRecord
    from fanwise.reports.ownership import Runs
    from fanwise.reports.questions import RunState

_LOOK_S = 0.1

NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Send the request, and don't wait for its effect.")
]


def pause(
    run_id: options.DrivenRunId,
    no_wait: NoWait = False,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Pause a run: nothing new starts, what is in flight finishes.

    What isn't finished after the run's --grace is cut off, and done again when the run is resumed.
    """
    from fanwise.cli.backends import open_control
    from fanwise.reports.questions import run_state

    with open_control(store) as backend:
        state = backend.ask(run_state, run_id)
        backend.pause(state.run_id)
        if not no_wait:
            state = await_state(backend, state, lambda each: not each.is_driven)
    _report(state.run_id, state.status, json=json)


def cancel(
    run_id: options.OpenRunId,
    no_wait: NoWait = False,
    secrets: options.SecretOptions = None,
    packs: options.Packs = None,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Cancel a run: all is cut off, but `finally` runs.

    A run that no process drives, since it waits or was stopped, is brought to its end here.

    Exit
    status: 0 the run was cancelled, or had just ended; 130 that was interrupted.
    """
    from fanwise.cli.backends import is_server, refuse_own
    from fanwise.cli.commands.resume import resume_recorded
    from fanwise.cli.commands.run import exit_status, report
    from fanwise.model import RequestKind, Status
    from fanwise.reports.lookup import find_run, require_open
    from fanwise.wiring import open_existing, read_settings, runs_of

    if is_server(store):
        refuse_own(p=secrets, packs=packs)
        _cancel_there(store, run_id, no_wait=no_wait, json=json)
        return
    settings = read_settings(store=store, packs=packs or ())
    while True:
        with open_existing(settings) as opened:
            runs = runs_of(opened)
            record = find_run(opened, run_id)
            require_open(record)
            if runs.owner(record) is not None:
                record = _send(runs, record, RequestKind.CANCEL, waits=not no_wait)
                if no_wait or record.status.is_final:
                    _report(record.id, record.status, json=json)
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


def _cancel_there(url: str, run_id: str, *, no_wait: bool, json: bool) -> None:
    """Have the server at a URL cancel a run; an engine brings it to its end."""
    from fanwise.cli.backends import open_server
    from fanwise.reports.questions import run_state

    server = open_server(url)
    state = server.ask(run_state, run_id)
    server.runs.cancel(state.run_id)
    if not no_wait:
        state = await_state(server, state, lambda each: each.recorded.is_final)
    _report(state.run_id, state.status, json=json)


def _send(runs: Runs, record: RunRecord, kind: RequestKind, *, waits: bool) -> RunRecord:
    """Send a request, and wait until the process that drives the run has let go of it."""
    runs.send(record, kind)
    waiting = _Waiting()
    while waits and runs.owner(record) is not None:
        waiting.wait()
    return runs.records.run(record.id) or record


def await_state(
    backend: Backend, state: RunState, is_reached: Callable[[RunState], bool]
) -> RunState:
    """Wait until a run stands so, or is deleted, and return its last state."""
    from fanwise.reports.questions import run_state

    waiting = _Waiting()
    with suppress(RunNotFoundError):
        while not is_reached(state := backend.ask(run_state, state.run_id)):
            waiting.wait()
    return state


class _Waiting:
    """Waits between looks, and says so once it takes long."""

    def __init__(self) -> None:
        self._until = time.monotonic() + 1
        self._has_said = False

    def wait(self) -> None:
        """Wait until the next look."""
        time.sleep(_LOOK_S)
        if not self._has_said and time.monotonic() > self._until:
            say("Asked; waiting for what is in flight ... (Ctrl-C leaves, and takes nothing back)")
            self._has_said = True


def _report(run_id: str, status: str, *, json: bool) -> None:
    from fanwise.cli.text.render import show_status

    if json:
        print_results([as_json({"run_id": run_id, "status": status})])
    else:
        print_results([f"Run {run_id} {show_status(status)}."])
