"""The page at the root: what needs someone, what runs, what comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from fanwise.model import INTERRUPTED, RunRecord, Status
from fanwise.reports.ownership import Filters
from fanwise.server.page.bars import Column, columns
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import newest_runs, open_waits, runs_since
from fanwise.server.page.views.triggers import next_fires
from fanwise.server.routes import Call

_DAY_S: Final = 86_400.0
_HOUR_S: Final = 3_600.0
_HOURS: Final = 24
_MOST_RUNS: Final = 2_000
_SHORT: Final = 6


def view(call: Call) -> Shown:
    """Show the newest of everything that somebody may have to act on."""
    now = call.parts.clock.now()
    recent = list(runs_since(call, now - _DAY_S, _MOST_RUNS))
    hours, ended = _hours(recent, now), Counter(run.status for run in recent)
    waits = open_waits(call, limit=_SHORT)
    lists = {
        "interrupted": newest_runs(call, INTERRUPTED, limit=_SHORT),
        "failed": newest_runs(call, Status.FAILED, Filters(since=now - _DAY_S), limit=_SHORT),
        "running": newest_runs(call, Status.RUNNING, limit=_SHORT),
        "pending": newest_runs(call, Status.PENDING, limit=_SHORT),
        "latest": newest_runs(call, limit=_SHORT) if not recent else [],
    }
    values = {
        **lists,
        "waits": waits,
        "next": next_fires(call, _SHORT),
        "hours": hours,
        "day": ended,
        "runs_of_day": len(recent),
        "most_runs": _MOST_RUNS,
        "size": call.parts.store.size(),
    }
    run_nos = {each.run.run_no for found in lists.values() for each in found}
    return Shown(
        title="Home",
        values=values,
        live="",
        run_nos=run_nos | {each.wait.run_no for each in waits},
    )


def _hours(runs: Iterable[RunRecord], now: float) -> str:
    """The runs of each hour of a day as columns; by what became of them."""
    last = now // _HOUR_S
    counts: list[Counter[Status]] = [Counter() for _ in range(_HOURS)]
    for run in runs:
        place = _HOURS - 1 - int(last - run.created_at // _HOUR_S)
        if 0 <= place < _HOURS:
            counts[place][run.status] += 1
    most = max((each.total() for each in counts), default=0) or 1
    found = [_column(each, place, most) for place, each in enumerate(counts)]
    return columns("strip", found, f"Runs of each hour of the last {_HOURS}")


def _column(counts: Counter[Status], place: int, most: int) -> Column:
    total, failed, succeeded = counts.total(), counts[Status.FAILED], counts[Status.SUCCEEDED]
    ago = _HOURS - 1 - place
    when = "this hour" if not ago else f"{ago} h ago"
    parts = (("ok", succeeded), ("rest", total - failed - succeeded), ("bad", failed))
    shares = [(kind, count / most) for kind, count in parts if count]
    return Column(shares, f"{when}: {_words(total, failed)}")


def _words(total: int, failed: int) -> str:
    runs = f"{total:,} run{'' if total == 1 else 's'}"
    return f"{runs}, {failed:,} failed" if failed else runs


PAGE: Final = Page(path="/", room="home", template="home.html", view=view)
