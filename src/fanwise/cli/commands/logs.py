"""`fanwise logs`: shows what the actions of a run have printed and logged, also while it runs.

Logs are read page by page, so a run may have any number of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_tasks
from fanwise.cli.text.output import as_json, flush_results, print_results, say
from fanwise.errors import RunNotFoundError

if TYPE_CHECKING:
    from fanwise.cli.backends import Backend
    from fanwise.model import LogEntry
    from fanwise.reports.questions import RunState

_LOOK_S = 0.5
_OPEN = ("pending", "running")

_Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Show lines as they are written, to the run's end.")
]


def logs(
    run_id: options.RunId,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK[INDEX]",
            help="Only this task, or this item of it.",
            autocompletion=complete_tasks,
        ),
    ] = None,
    follow: _Follow = False,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Show what the actions of a run print, also while it runs.

    The tasks come in the order of their starts, items by their indexes; with --follow lines come as
    they are written, until the run ends or Ctrl-C ends the following. Before each line stand the
    time, the task, the item's index and label, and from the second on the attempt. With --json each
    part of an attempt's log, of a second or so, is a line.
    """
    from fanwise.cli.backends import open_backend
    from fanwise.reports.questions import run_state

    with open_backend(store) as backend:
        run = backend.ask(run_state, run_id)
        if follow:
            _follow_run(backend, run, task, json=json)
            return
        is_empty = True
        for page in _pages(backend, run.run_id, task):
            is_empty = False
            _print(page, json=json)
    if is_empty:
        print_results([] if json else ["No logs."])


def _print(logs: Iterable[LogEntry], *, json: bool) -> None:
    from fanwise.cli.text.log_lines import log_lines
    from fanwise.reports.objects import log_object

    if json:
        print_results(as_json(log_object(log)) for log in logs)
    else:
        print_results(line for log in logs for line in log_lines(log))


def _follow_run(backend: Backend, run: RunState, under: str | None, *, json: bool) -> None:
    """Print the logs of a run in the order in which they come, until no process drives it.

    Raises `TaskNotFoundError` at the end if there is no task or item `under` which they could be.
    """
    from fanwise.cli.text.render import show_status
    from fanwise.reports.questions import log_page, new_log_page, run_state

    last, status, is_empty = 0, "deleted", True
    with suppress(RunNotFoundError), backend.changes(run.run_id) as await_change:
        while True:
            run = backend.ask(run_state, run.run_id)
            while page := backend.ask(new_log_page, run.run_id, last):
                found = [log for log in page if under is None or log.is_under(under)]
                _print(found, json=json)
                last, is_empty = page[-1].log_no, is_empty and not found
            flush_results()
            if run.recorded not in _OPEN or run.status != run.recorded:
                status = run.status
                if is_empty:
                    backend.ask(log_page, run.run_id, under)  # refuses a task that there isn't
                break
            await_change(_LOOK_S)
    say(f"Run {run.run_id} {show_status(status)}.")


def _pages(backend: Backend, run_id: str, under: str | None) -> Iterator[Sequence[LogEntry]]:
    from msgspec.structs import replace

    from fanwise.reports.questions import log_page

    last = None
    while page := backend.ask(log_page, run_id, under, last):
        yield page
        last = replace(page[-1], text="")  # only its place counts
