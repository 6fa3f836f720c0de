"""`fanwise logs`: shows what the actions of a run have printed and logged, also while it runs.

Logs are read page by page, so a run may have any number of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_tasks
from fanwise.cli.text.output import as_json, flush_results, print_results, say

if TYPE_CHECKING:
    from fanwise.model import LogEntry, RunRecord
    from fanwise.ports import Records
    from fanwise.reports.ownership import Runs

_LOOK_S = 0.5

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
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Show what the actions of a run print, also while it runs.

    The tasks come in the order of their starts, items by their indexes; with --follow lines come as
    they are written, until the run ends or Ctrl-C ends the following. Before each line stand the
    time, the task, the item's index and label, and from the second on the attempt. With --json each
    part of an attempt's log, of a second or so, is a line.
    """
    from fanwise.reports.lookup import find_run
    from fanwise.wiring import open_records, read_settings, runs_of

    with open_records(read_settings(store=store)) as records:
        run = find_run(records, run_id)
        if follow:
            _follow_run(runs_of(records), run, task, json=json)
            return
        is_empty = True
        for page in _pages(records, run, task):
            is_empty = False
            _print(page, json=json)
        if is_empty:
            if task is not None:
                _require(records, run, task)
            print_results([] if json else ["No logs."])


def _print(logs: Iterable[LogEntry], *, json: bool) -> None:
    from fanwise.cli.text.log_lines import log_lines
    from fanwise.reports.objects import log_object

    if json:
        print_results(as_json(log_object(log)) for log in logs)
    else:
        print_results(line for log in logs for line in log_lines(log))


def _follow_run(runs: Runs, run: RunRecord, under: str | None, *, json: bool) -> None:
    """Print the logs of a run in the order in which they come, until no process drives it."""
    from fanwise.cli.text.render import show_status

    records, last = runs.records, 0
    while True:
        found = records.run(run.id)
        status = None if found is None else runs.status(found)
        while page := records.new_logs(run.run_no, after=last):
            _print([log for log in page if under is None or log.is_under(under)], json=json)
            last = page[-1].log_no
        flush_results()
        if found is None or not runs.is_open(found) or status != found.status:
            break
        time.sleep(_LOOK_S)
    say(f"Run {run.id} {show_status(status or 'deleted')}.")


def _pages(records: Records, run: RunRecord, under: str | None) -> Iterator[Sequence[LogEntry]]:
    last = None
    while page := records.logs(run.run_no, under=under, after=last):
        yield page
        last = page[-1]


def _require(records: Records, run: RunRecord, path: str) -> None:
    """Raise `UsageError` unless the run has recorded the task that `path` names, or its items."""
    from fanwise.reports.lookup import find_task, find_visit

    name, bracket, index = path.removesuffix("]").rpartition("[")
    if path.endswith("]") and bracket and index.isdecimal():
        find_task(records, run, name)
    else:
        find_visit(records, run, path)
