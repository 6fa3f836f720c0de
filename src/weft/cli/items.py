"""`weft items`: lists the items of a task, and where the failed ones failed.

Items are read page by page, so a task may have any number of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weft.cli import options
from weft.cli.output import as_json, has_colours, print_results

if TYPE_CHECKING:
    from weft.model import ErrorInfo, ItemOutcome, Status
    from weft.ports import Records

_PAGE = 1_000
_SHOWN = 100


class ItemStatus(StrEnum):
    """What `--status` takes."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


def items(
    run_id: options.RunId,
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task with items.")],
    status: Annotated[
        ItemStatus | None, typer.Option("--status", help="Only items that ended so.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            metavar="N",
            help=f"At most so many; default {_SHOWN}, with --json all.",
        ),
    ] = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """List the items of a task in the order of their indexes.

    Below the table stand the tracebacks of failed items. With --json each item is a line.
    """
    from weft.cli.recorded import find_run, find_task
    from weft.model import Status
    from weft.wiring import open_records, read_settings

    wanted = None if status is None else Status(status.value)
    with open_records(read_settings(store=store)) as records:
        run = find_run(records, run_id)
        found = find_task(records, run, task)
        numbers = run.run_no, found.task_no
        if json:
            for page in _pages(records, numbers, wanted, limit):
                print_results(as_json(_item_object(item)) for item in page)
        else:
            _print_table(records, numbers, wanted, limit or _SHOWN)


def _pages(
    records: Records, numbers: tuple[int, int], status: Status | None, limit: int | None
) -> Iterator[list[ItemOutcome]]:
    """The task's items in pages, at most `limit` of them."""
    after, left = -1, sys.maxsize if limit is None else limit
    while left and (
        page := records.items(*numbers, status=status, after=after, limit=min(_PAGE, left))
    ):
        yield list(page)
        after = page[-1].index
        left -= len(page)


def _item_object(item: ItemOutcome) -> dict[str, Any]:
    import msgspec

    from weft.cli.render import iso_time

    return {
        "index": item.index,
        "status": item.status,
        "attempts": item.attempts,
        "output": None if item.output is None else msgspec.Raw(item.output),
        "error": None if item.error is None else _error_object(item.error),
        "started_at": iso_time(item.started_at),
        "duration_s": item.duration_s,
        "label": item.label,
    }


def _error_object(recorded: bytes) -> dict[str, Any]:
    error = _read_error(recorded)
    return {
        "type": error.type,
        "message": error.message,
        "data": error.data,
        "traceback": error.traceback,
    }


def _read_error(recorded: bytes) -> ErrorInfo:
    import msgspec

    from weft.model import ErrorInfo

    return msgspec.json.decode(recorded, type=ErrorInfo)


def _print_table(
    records: Records, numbers: tuple[int, int], status: Status | None, limit: int
) -> None:
    from weft.cli.digest import show_item
    from weft.cli.render import table
    from weft.cli.tracebacks import Tracebacks

    colours = has_colours(sys.stdout)
    headings = ("INDEX>", "LABEL", "STATUS", "ATTEMPTS>", "TIME>", "OUTPUT OR ERROR")
    tracebacks = Tracebacks()
    last = None
    for page in _pages(records, numbers, status, limit):
        print_results(table(headings, [_row(item) for item in page], colours=colours))
        last = page[-1].index
        for item in page:
            if item.error:
                tracebacks.add(show_item(item.index, item.label), _read_error(item.error))
    if last is None:
        print_results(["No items."])
    elif records.items(*numbers, status=status, after=last, limit=1):
        print_results([f"There are more; --limit {10 * limit} shows more of them."])
    print_results(tracebacks.lines())


def _row(item: ItemOutcome) -> tuple[str | Status, ...]:
    from weft.cli.render import shorten, show_error, show_span

    if item.error is not None:
        outcome = show_error(_read_error(item.error))
    else:
        # Only what can be shown is decoded: an output may be megabytes.
        outcome = shorten((item.output or b"")[:1_000].decode(errors="ignore"))
    return (
        f"{item.index}",
        shorten(item.label or "", 40),
        item.status,
        f"{item.attempts}",
        show_span(item.duration_s),
        outcome,
    )
