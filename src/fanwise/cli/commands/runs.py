"""`fanwise runs`: lists runs, and finds them by what is true of them."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_runs, complete_tags, complete_workflows
from fanwise.cli.text.output import as_json, flush_results, has_colours, print_results, say
from fanwise.errors import NoStoreError, UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.cli.backends import Backend
    from fanwise.model import Submission
    from fanwise.reports.questions import ListedRun


class RunStatus(StrEnum):
    """Values of `--status`."""

    PENDING = "pending"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    WAITING = "waiting"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


_Status = Annotated[RunStatus | None, typer.Option("--status", help="Only runs that stand so.")]
_Workflow = Annotated[
    str | None,
    typer.Option(
        "--workflow",
        metavar="NAME",
        help="Only runs of this workflow.",
        autocompletion=complete_workflows,
    ),
]
_Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="WHEN",
        help="Only runs made in the last 2h or 7d, or since 2026-03-05 or 2026-03-05T08:30.",
    ),
]
_Tag = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        metavar="TAG",
        help="Only runs with this tag; of several, with all of them.",
        autocompletion=complete_tags,
    ),
]
_Before = Annotated[
    str | None,
    typer.Option(
        "--before",
        metavar="RUN",
        help="Only runs older than this one.",
        autocompletion=complete_runs,
    ),
]
_Limit = Annotated[
    int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="At most so many.")
]


def runs(
    status: _Status = None,
    workflow: _Workflow = None,
    since: _Since = None,
    tag: _Tag = None,
    before: _Before = None,
    limit: _Limit = 20,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """List runs, the newest first.

    If there are more, the last line says how to see them. With --json each run is a line.
    """
    from fanwise.cli.backends import open_backend
    from fanwise.cli.text.summary import command
    from fanwise.reports.objects import listed_object
    from fanwise.reports.questions import store_place
    from fanwise.units import show_bytes

    created_since = None if since is None else read_since(since, datetime.now().astimezone())
    try:
        with open_backend(store) as backend:
            found = _newest(
                backend,
                status=status,
                workflow=workflow,
                since=created_since,
                tags=tuple(tag or ()),
                before=before,
                limit=limit + 1,  # to know whether there are more
            )
            place = backend.ask(store_place)
    except NoStoreError:
        if store is not None:  # a slip in the path, rather
            raise
        print_results([] if json else ["No runs yet."])
        return
    shown = found[:limit]
    if json:
        print_results(as_json(listed_object(*each)) for each in shown)
        return
    print_results(_lines(shown))
    if len(found) > limit:
        given = {"--status": status, "--workflow": workflow, "--since": since}
        words = [word for name, value in given.items() if value for word in (name, value)]
        words += [word for each in tag or () for word in ("--tag", each)]
        words += ["--limit", str(limit), "--before", shown[-1].run.id]
        print_results([f"More: {command('runs', *words, store=store)}"])
    flush_results()
    if place is not None:
        say(f"\nStore: {clean(place.place)}, {show_bytes(place.total_bytes)}")


def read_since(text: str, now: datetime) -> float:
    """The time that `--since` names: a span before `now`, or a date or time as in ISO 8601.

    One without a time zone is the reader's own. Raises `UsageError`.
    """
    from fanwise.reports.listing import read_moment

    try:
        return read_moment(text, now.timestamp())
    except (ValueError, OverflowError):
        raise UsageError(
            f'"{clean(text)}" is no time for --since.',
            hint="Give a span such as 90m, 2h or 7d, a date such as 2026-03-05, "
            "or a time such as 2026-03-05T08:30.",
        ) from None


def _newest(
    backend: Backend,
    *,
    status: str | None,
    workflow: str | None,
    since: float | None,
    tags: Sequence[str],
    before: str | None,
    limit: int,
) -> list[ListedRun]:
    """The newest runs that all of this is true of, asked for page by page."""
    from fanwise.reports.questions import MOST_LISTED, listed_runs

    found: list[ListedRun] = []
    while (left := limit - len(found)) > 0:
        page = backend.ask(
            listed_runs,
            status=status,
            workflow=workflow,
            since=since,
            tags=tags,
            before=before,
            limit=min(left, MOST_LISTED),
        )
        found += page
        if len(page) < min(left, MOST_LISTED):
            break
        before = page[-1].run.id
    return found


def _lines(found: Sequence[ListedRun]) -> list[str]:
    from fanwise.cli.text.render import show_time, table
    from fanwise.units import show_span

    if not found:
        return ["No runs."]
    has_tags = any(each.run.tags for each in found)
    has_places = any(each.place for each in found)
    rows = [
        (
            run.id,
            clean(run.workflow),
            status,
            show_time(run.started_at),
            show_span(duration_s),
            *(_place_cells(place) if has_places else []),
            *([" ".join(run.tags)] if has_tags else []),
        )
        for run, status, duration_s, place in found
    ]
    headings = ["RUN", "WORKFLOW", "STATUS", "STARTED", "TIME>"]
    headings += ["QUEUE", "PRIORITY>"] if has_places else []
    headings += ["TAGS"] if has_tags else []
    return table(headings, rows, colours=has_colours(sys.stdout))


def _place_cells(place: Submission | None) -> list[str]:
    return ["", ""] if place is None else [place.queue, str(place.priority)]
