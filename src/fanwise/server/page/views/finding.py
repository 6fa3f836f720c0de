"""Runs that a reader may see, one by its id or the newest of many; all others are not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from fanwise.errors import RunNotFoundError
from fanwise.model import OpenWait, RunRecord
from fanwise.reports.lookup import run_by_id
from fanwise.reports.overview import driven_s
from fanwise.reports.ownership import Filters
from fanwise.server.routes import Call

_MOST_PAGES: Final = 20
"""The pages of runs that are read to find those that a reader may see."""


class Listed(NamedTuple):
    """A run of a list with the status to show, and the seconds for which it was driven."""

    run: RunRecord
    status: str
    duration_s: float | None


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
    return [listed(call, run, shown) for run, shown in found]


def listed(call: Call, run: RunRecord, status: str) -> Listed:
    """Return a run of a list, with the status to show and the seconds for which it was driven."""
    return Listed(run, status, driven_s(call.parts.runs, run, call.parts.clock.now()))


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
