"""Runs that a reader may see, one by its id or the newest of many; all others are not there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from fanwise.errors import RunNotFoundError
from fanwise.model import OpenWait, RunRecord, Status, Tile, VisitProgress
from fanwise.ports import Tiles
from fanwise.reports.lookup import run_by_id
from fanwise.reports.overview import driven_times
from fanwise.reports.ownership import Filters
from fanwise.server.routes import Call

_TOLD_S: Final = 2.0
"""The time within which an engine tells how far each task in work is."""

_APART_S: Final = 2.0
"""The difference of spans up to which they are one: clocks are read at several moments."""

_MOST_PAGES: Final = 20
"""The pages of runs that are read to find those that a reader may see."""


class InWork(NamedTuple):
    """The widest task that a run is at work on; `left_s` is the time that it may still take.

    `total` is None while the number of items isn't known.
    """

    total: int | None
    tile: Tile
    left_s: float | None


class Listed(NamedTuple):
    """A run of a list with the status to show, and the seconds for which it was driven.

    Who counts from `since` gets as many.
    """

    run: RunRecord
    status: str
    duration_s: float | None
    since: float | None
    work: InWork | None


def visible_run(call: Call, run_id: str) -> RunRecord:
    """Return a run. Raises `RunNotFoundError`, also for a run that the reader may not see."""
    if not call.who.workflows:
        return run_by_id(call.parts.store, run_id)
    run = call.parts.store.run(run_id)
    if run is None or not call.who.sees(run.workflow):  # a suggestion would tell of hidden runs
        raise RunNotFoundError(
            f'the store has no run "{run_id}".', run_id=run_id, hint="Check the id."
        )
    return run


def newest_runs(
    call: Call,
    status: str | None = None,
    filters: Filters | None = None,
    *,
    before: int | None = None,
    limit: int,
) -> Sequence[Listed]:
    """Return at most `limit` runs that the reader may see, the newest first."""
    found = _newest(call, status, filters or Filters(), before, limit)
    return listed(call, found)


def listed(call: Call, found: Sequence[tuple[RunRecord, str]]) -> list[Listed]:
    """Return runs of a list, with the statuses to show and how long each was driven."""
    now = call.parts.clock.now()
    spans = driven_times(call.parts.runs, [run for run, _ in found], now)
    work = _in_work(call.parts.store, [run for run, status in found if status == Status.RUNNING])
    return [
        Listed(
            run,
            status,
            span_s := spans.get(run.run_no),
            driven_since(run.started_at, span_s, now),
            work.get(run.run_no),
        )
        for run, status in found
    ]


def driven_since(started_at: float | None, span_s: float | None, now: float) -> float | None:
    """Return the time from which on as many seconds have passed as something was driven.

    That is when it started, unless it was driven by several processes. It is a whole second then,
    as a page is sent again with each time that is another one.
    """
    if started_at is None or span_s is None or now - started_at - span_s < _APART_S:
        return started_at
    return float(round(now - span_s))


def _in_work(store: Tiles, runs: Sequence[RunRecord]) -> Mapping[int, InWork]:
    """The widest task that each running run is at work on, as its engine told a moment ago."""
    if not runs:
        return {}
    told = store.in_work([run.run_no for run in runs], told_s=_TOLD_S)
    narrow_first = sorted(
        told, key=lambda each: math.inf if each[0].total is None else each[0].total
    )
    return {progress.run_no: _work(progress, tile) for progress, tile in narrow_first}


def _work(progress: VisitProgress, tile: Tile) -> InWork:
    left = None if progress.total is None else progress.total - tile.items
    return InWork(progress.total, tile, left / progress.per_s if left and progress.per_s else None)


def _newest(
    call: Call, status: str | None, filters: Filters, before: int | None, limit: int
) -> Sequence[tuple[RunRecord, str]]:
    found: list[tuple[RunRecord, str]] = []
    for _ in range(_MOST_PAGES):
        page = call.parts.runs.newest(status, filters, before=before, limit=limit)
        found += [(run, shown) for run, shown in page if call.who.sees(run.workflow)]
        if len(page) < limit or len(found) >= limit:
            break
        before = page[-1][0].run_no
    return found[:limit]


def open_waits(call: Call, *, run_no: int | None = None, limit: int) -> Sequence[OpenWait]:
    """Return the open waits of runs that the reader may see, the oldest first."""
    found = call.parts.store.waits_open(run_no=run_no, limit=limit)
    return [each for each in found if call.who.sees(each.workflow)]
