"""`fanwise prune`: deletes runs that are over, and gives their space back.

It may be broken off at any time: what has been deleted is no run any more, and the next `fanwise
prune` sweeps up what is left of it.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_ended_runs
from fanwise.cli.text.output import as_json, has_colours, print_results
from fanwise.errors import UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from fanwise.model import EndedRun, StoreSize
    from fanwise.ports import Maintenance
    from fanwise.values import JsonObject


class PrunedStatus(StrEnum):
    """Values of `--status`. Runs that are pending or running are never deleted."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"


_OVER = (PrunedStatus.SUCCEEDED, PrunedStatus.FAILED, PrunedStatus.CANCELLED)


def prune(
    run_ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="These runs, whatever their age; also paused ones.",
            autocompletion=complete_ended_runs,
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="Those that ended so long ago: 30d, 12h."
        ),
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", min=0, metavar="N", help="All but the newest N of them.")
    ] = None,
    status: Annotated[
        list[PrunedStatus] | None,
        typer.Option(
            "--status",
            help="Those with this status; may be given several times. Default: all but paused.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be deleted, and delete nothing.")
    ] = False,
    vacuum: Annotated[
        bool,
        typer.Option(
            "--vacuum",
            help="Rewrite the file, to give all free space back; other runs wait meanwhile.",
        ),
    ] = False,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Delete runs that are over, with all that is recorded of them.

    Takes RUN, or --older-than, --keep, or both: then a run has to be old and not among the newest.
    Runs that are running are never deleted.
    """
    from fanwise.cli.backends import StoreBackend, is_server
    from fanwise.reports.questions import ended_runs
    from fanwise.wiring import open_existing, open_records, read_settings, runs_of

    has_rule = older_than is not None or keep is not None
    if bool(run_ids) == has_rule or (run_ids and status):
        raise UsageError(
            "`fanwise prune` takes RUN, or --older-than TIME or --keep N or both of these.",
            hint="See what it would delete: fanwise prune --older-than 30d --dry-run",
        )
    if is_server(store) and run_ids and not vacuum:
        _prune_there(store, run_ids, dry_run=dry_run, json=json)
        return
    ended_before = time.time() - _seconds(older_than)
    settings = read_settings(store=store)
    with open_records(settings) if dry_run else open_existing(settings) as opened:
        if run_ids:
            backend = StoreBackend(opened, runs_of(opened), settings)
            runs = backend.ask(ended_runs, run_ids)
        else:
            runs = choose(opened.ended_runs(), status or _OVER, ended_before, keep or 0)
        if dry_run:
            pruned = _Pruned(runs, 0, 0, opened.size())
        else:
            pruned = _delete(opened, runs, vacuum=vacuum)
    if json:
        print_results([as_json(_as_object(pruned, dry_run=dry_run))])
    else:
        print_results(_preview_lines(runs) if dry_run else _lines(pruned))


class _Pruned(NamedTuple):
    """The deleted runs, or in a dry run the runs to delete, and the store's size after that."""

    runs: Sequence[EndedRun]
    rows: int
    freed_bytes: int
    size: StoreSize


def choose(
    runs: Iterable[EndedRun], statuses: Collection[str], ended_before: float, keep: int
) -> list[EndedRun]:
    """Choose the runs to delete, the oldest first, from `runs`, the newest first."""
    found = [run for run in runs if run.status in statuses]
    return [run for run in reversed(found[keep:]) if run.ended_at < ended_before]


def _prune_there(url: str, run_ids: Sequence[str], *, dry_run: bool, json: bool) -> None:
    """Have the server at a URL delete runs; it sweeps up after them by itself."""
    from fanwise.cli.backends import open_server
    from fanwise.reports.questions import ended_runs

    server = open_server(url)
    runs = server.ask(ended_runs, run_ids)
    for run in () if dry_run else runs:
        server.runs.delete(run.id)
    if json:
        print_results([as_json({"dry_run": dry_run, "runs": [run.id for run in runs]})])
    else:
        print_results(_preview_lines(runs) if dry_run else [f"Deleted {_count_runs(runs)}."])


def _delete(store: Maintenance, runs: Sequence[EndedRun], *, vacuum: bool) -> _Pruned:
    before = store.size()
    deleted = [run for run in runs if store.delete_run(run)]
    rows = sum(store.delete_orphans())
    store.vacuum(rewrite=vacuum)
    after = store.size()
    return _Pruned(deleted, rows, max(before.total_bytes - after.total_bytes, 0), after)


def _seconds(older_than: str | None) -> float:
    if older_than is None:
        return 0.0
    try:
        return options.read_seconds(older_than)
    except ValueError as error:
        raise UsageError(f"--older-than {error}.") from None


def _as_object(pruned: _Pruned, *, dry_run: bool) -> JsonObject:
    return {
        "dry_run": dry_run,
        "runs": [run.id for run in pruned.runs],
        "rows": pruned.rows,
        "freed_bytes": pruned.freed_bytes,
        "size_bytes": pruned.size.total_bytes,
        "free_bytes": pruned.size.free_bytes,
    }


def _preview_lines(runs: Sequence[EndedRun]) -> list[str]:
    from fanwise.cli.text.render import show_time, table

    if not runs:
        return ["Nothing would be deleted."]
    rows = [(run.id, clean(run.workflow), run.status, show_time(run.ended_at)) for run in runs]
    lines = table(("RUN", "WORKFLOW", "STATUS", "ENDED"), rows, colours=has_colours(sys.stdout))
    return [*lines, "", f"Would delete {_count_runs(runs)}."]


def _lines(pruned: _Pruned) -> list[str]:
    from fanwise.cli.text.render import count
    from fanwise.units import show_bytes

    rows, size = count(pruned.rows, "row"), pruned.size
    if pruned.runs:
        lines = [f"Deleted {_count_runs(pruned.runs)}, with {rows}."]
    elif pruned.rows:
        lines = [f"Deleted {rows} that runs deleted before had left."]
    else:
        lines = ["Nothing to delete."]
    if pruned.rows or pruned.freed_bytes:
        freed, total = show_bytes(pruned.freed_bytes), show_bytes(size.total_bytes)
        lines.append(f"Freed {freed}; the store has {total} now.")
    if size.free_bytes:
        free = show_bytes(size.free_bytes)
        lines.append(f"{free} in it wait for new runs; --vacuum gives them back to the disk.")
    return lines


def _count_runs(runs: Sequence[EndedRun]) -> str:
    from fanwise.cli.text.render import count

    statuses = Counter(str(run.status) for run in runs)
    shown = ", ".join(f"{number:,} {status}" for status, number in statuses.most_common())
    return f"{count(len(runs), 'run')} ({shown})"
