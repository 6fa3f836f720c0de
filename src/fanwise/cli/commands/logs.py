"""`fanwise logs`: shows what the actions of a run have printed and logged.

Logs are read page by page, so a run may have any number of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_tasks
from fanwise.cli.text.output import as_json, print_results
from fanwise.reports.plain import clean_lines

if TYPE_CHECKING:
    from fanwise.model import LogEntry, RunRecord
    from fanwise.ports import Records


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
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Show what the actions of a run have printed and logged.

    The tasks come in the order of their starts, items by their indexes. Before each line stand the
    task, the item's index and label, and from the second on the attempt. With --json each attempt
    is a line.
    """
    from fanwise.reports.lookup import find_run
    from fanwise.reports.objects import log_object
    from fanwise.wiring import open_records, read_settings

    with open_records(read_settings(store=store)) as records:
        run = find_run(records, run_id)
        is_empty = True
        for page in _pages(records, run, task):
            is_empty = False
            if json:
                print_results(as_json(log_object(log)) for log in page)
            else:
                print_results(line for log in page for line in _lines(log))
        if is_empty:
            if task is not None:
                _require(records, run, task)
            print_results([] if json else ["No logs."])


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


def _lines(log: LogEntry) -> Iterator[str]:
    from fanwise.cli.text.render import shorten

    place = log.path if log.label is None else f"{log.path} {shorten(log.label, 40)}"
    if log.attempt > 1:
        place += f" attempt {log.attempt}"
    # What overwrites its line on a terminal, as a progress bar does, stands on lines of its own.
    text = clean_lines(log.text.replace("\r\n", "\n").replace("\r", "\n"))
    for line in text.removesuffix("\n").split("\n"):
        yield f"{place}  {line}".rstrip()
