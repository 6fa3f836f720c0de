"""`fanwise items`: lists the items of a task, and where the failed ones failed.

Items are read page by page, so a task may have any number of them.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_fan_outs
from fanwise.cli.text.output import as_json, has_colours, print_results, width_of
from fanwise.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.cli.backends import Backend
    from fanwise.cli.text.cause_lines import ItemCauses
    from fanwise.model import ItemOutcome
    from fanwise.reports.items import ItemFilters, ItemPages, ReadItems
    from fanwise.reports.questions import FoundTask

_SHOWN = 100
_MOST_ATTEMPTS = 30
_MAX_INDEX = 10**18


class ItemStatus(StrEnum):
    """Values of `--status`."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


_Task = Annotated[
    str,
    typer.Argument(metavar="TASK", help="A task with items.", autocompletion=complete_fan_outs),
]
_Indexes = Annotated[
    list[str] | None,
    typer.Argument(metavar="INDEX", help="Only these items: 17, or 18-30, or 100-."),
]
_Status = Annotated[ItemStatus | None, typer.Option("--status", help="Only items that ended so.")]
_Error = Annotated[
    str | None,
    typer.Option("--error", metavar="TYPE", help="Only items with an error of this type."),
]
_Label = Annotated[
    str | None,
    typer.Option("--label", metavar="TEXT", help="Only items whose label holds this text."),
]
_Slower = Annotated[
    str | None,
    typer.Option(
        "--slower",
        metavar="TIME",
        help="Only items whose last attempt took longer than this, such as 2s.",
    ),
]
_Kind = Annotated[
    int | None,
    typer.Option(
        "--kind",
        min=0,
        max=_MAX_INDEX,
        metavar="N",
        help="Only failed items of this kind of error, by its number in `show`.",
    ),
]
_Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        metavar="N",
        help=f"At most so many; default {_SHOWN}, with --csv or --json all.",
    ),
]
_After = Annotated[
    int | None,
    typer.Option(
        "--after", min=0, max=_MAX_INDEX, metavar="INDEX", help="Only items behind this one."
    ),
]
_Csv = Annotated[bool, typer.Option("--csv", help="Print CSV with a heading, for spreadsheets.")]


def items(
    run_id: options.RunId,
    task: _Task,
    index: _Indexes = None,
    status: _Status = None,
    error: _Error = None,
    label: _Label = None,
    slower: _Slower = None,
    kind: _Kind = None,
    limit: _Limit = None,
    after: _After = None,
    csv: _Csv = False,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """List the items of a task in the order of their indexes.

    Below the table stand the tracebacks of failed items and, if there are more items, how to see
    them. With --json each item is a line.
    """
    from fanwise.cli.backends import open_backend
    from fanwise.cli.commands.item_filters import read_filters
    from fanwise.cli.text.cause_lines import ItemCauses
    from fanwise.cli.text.summary import command
    from fanwise.reports.item_csv import csv_lines
    from fanwise.reports.items import ItemPages, read_spans
    from fanwise.reports.objects import item_object
    from fanwise.reports.questions import found_task

    if csv and json:
        raise UsageError("--csv and --json exclude each other.", hint="Give one of them.")
    wanted = read_filters(status and status.value, error, label, slower, kind)
    spans = read_spans(index or (), after=-1 if after is None else after)
    with open_backend(store) as backend:
        found = backend.ask(found_task, run_id, task)
        chosen = ItemPages(_reader(backend, found, wanted), spans)
        if json:
            for page in chosen.pages(limit):
                print_results(as_json(item_object(item)) for item in page)
        elif csv:
            for lines in csv_lines(chosen.pages(limit)):
                print_results(lines)
        else:
            causes = ItemCauses(backend, found)
            last = _print_table(chosen, limit or _SHOWN, causes, store)
            if last is not None:
                more = {"--status": status, "--error": error, "--label": label}
                more |= {"--slower": slower, "--kind": None if kind is None else str(kind)}
                more |= {"--limit": str(limit or ""), "--after": str(last)}
                words = [word for name, value in more.items() if value for word in (name, value)]
                line = command("items", found.run_id, task, *(index or ()), *words, store=store)
                print_results(["", f"More: {line}"])


def _reader(backend: Backend, task: FoundTask, wanted: ItemFilters) -> ReadItems:
    from fanwise.reports.questions import item_page

    def read(
        after: int, until: int | None, limit: int, beginning: int | None
    ) -> Sequence[ItemOutcome]:
        return backend.ask(
            item_page, task.run_id, task.visit_no, wanted, after, until, limit, beginning
        )

    return read


def _print_table(
    chosen: ItemPages, limit: int, causes: ItemCauses, store: str | None
) -> int | None:
    """Print so many items; return the index of the last one if there are more, else None."""
    from fanwise.cli.text.item_lines import BEGINNING, table_lines
    from fanwise.cli.text.kinds import show_item
    from fanwise.cli.text.summary import attempt_lines
    from fanwise.cli.text.tracebacks import Tracebacks
    from fanwise.reports.objects import read_attempts, read_error

    colours = has_colours(sys.stdout)
    tracebacks = Tracebacks()
    attempts: list[str] = []
    last = None
    for page in chosen.pages(limit, beginning=BEGINNING):
        print_results(table_lines(page, colours=colours, width=width_of(sys.stdout)))
        last = page[-1].index
        for item in page:
            name = show_item(item.index, item.label)
            if item.earlier and len(attempts) < _MOST_ATTEMPTS:
                attempts += attempt_lines(name, read_attempts(item.earlier))
            if item.error:
                cause = causes.add(item, read_error(item.error))
                tracebacks.add(
                    cause.path if cause else name, cause.error if cause else read_error(item.error)
                )
    if last is None:
        print_results(["No items."])
        return None
    print_results(["", *attempts] if attempts else [])
    print_results(causes.lines(store))
    print_results(tracebacks.lines())
    return last if chosen.has_more(last) else None
