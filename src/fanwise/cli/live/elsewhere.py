"""Runs that a server has driven by one of its engines, watched from here to their end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fanwise.cli.text.output import say
from fanwise.errors import UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from fanwise.cli.backends import Backend
    from fanwise.client import RemoteStore
    from fanwise.model import RunRecord

_LOOK_S: Final = 0.5


def drive_elsewhere(
    url: str, run_id: str, order: Callable[[RemoteStore, str], None], *, json: bool
) -> int:
    """Give an order for a run to the server at a URL, watch the run, and report its end.

    Ctrl-C ends the watching alone. Returns the exit status. Raises `UsageError` if the engine that
    has taken the run refuses the order.
    """
    from fanwise.cli.backends import open_server
    from fanwise.cli.commands.run import exit_status, report_seen
    from fanwise.cli.live.follow import follow
    from fanwise.reports.lookup import recorded_definition
    from fanwise.reports.questions import followed_run, log_page, shown_run
    from fanwise.wiring import read_limits

    server = open_server(url)
    record = server.ask(followed_run, run_id).record
    order(server.runs, record.id)
    _await_engine(server, record)
    definition = recorded_definition(record, read_limits())
    follow(server, record, definition)
    shown = server.ask(shown_run, record.id)
    has_logs = bool(server.ask(log_page, record.id))
    report_seen(
        shown.seen,
        shown.failures,
        store=url,
        json=json,
        has_logs=has_logs,
        has_output=definition is not None and definition.output is not None,
    )
    return exit_status(shown.seen.run)


def _await_engine(backend: Backend, run: RunRecord) -> None:
    """Wait until an engine has taken a run from its queue, and has begun with it.

    Raises `UsageError` if it gives the run back as it was.
    """
    from fanwise.reports.questions import run_state

    has_said = False
    with backend.changes(run.id) as await_change:
        while True:
            state = backend.ask(run_state, run.id)
            if not state.is_queued and not (state.is_driven and state.recorded.is_final):
                break
            await_change(_LOOK_S)
            if state.is_queued and not has_said:
                say(f"Run {run.id} waits for an engine of the server ... (Ctrl-C leaves it there)")
                has_said = True
    why = "" if state.place is None else state.place.why
    if why and not state.is_driven and state.recorded is run.status:
        raise UsageError(f"an engine has taken run {run.id}, and given it back: {clean(why)}")
