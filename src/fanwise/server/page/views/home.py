"""The page at the root: what needs someone, what runs, what comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from fanwise.model import INTERRUPTED, RunCount, Status
from fanwise.reports.ownership import Filters
from fanwise.server.page.bars import Column, columns
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import newest_runs, open_waits
from fanwise.server.page.views.triggers import next_fires
from fanwise.server.page.views.waiting import asked
from fanwise.server.routes import Call

_HOUR_S: Final = 3_600.0
_HOURS: Final = 24
_SHORT: Final = 6
MOST_COUNTED: Final = 20_000
"""The runs of a day that are counted: it takes some 25 ms, also where there are millions."""


def view(call: Call) -> Shown:
    """Show the newest of everything that somebody may have to act on."""
    now = call.parts.clock.now()
    since = now - _HOURS * _HOUR_S
    found = call.parts.store.run_counts(since, _HOUR_S, _HOURS, most=MOST_COUNTED)
    recent = [each for each in found.counts if call.who.sees(each.workflow)]
    day = _by_status(recent)
    waits = open_waits(call, limit=_SHORT)
    lists = {
        "interrupted": newest_runs(call, INTERRUPTED, limit=_SHORT),
        "failed": newest_runs(call, Status.FAILED, Filters(since=since), limit=_SHORT),
        "running": newest_runs(call, Status.RUNNING, limit=_SHORT),
        "pending": newest_runs(call, Status.PENDING, limit=_SHORT),
        "latest": newest_runs(call, limit=_SHORT) if not recent else [],
    }
    values = {
        **lists,
        "waits": [asked(each) for each in waits],
        "next": next_fires(call, _SHORT),
        "hours": _hours(recent, int((found.since - since) // _HOUR_S)),
        "counted_since": found.since if found.since > since else None,
        "most_counted": MOST_COUNTED,
        "day": day,
        "runs_of_day": day.total(),
        "size": call.parts.store.size(),
    }
    run_nos = {each.run.run_no for found in lists.values() for each in found}
    return Shown(
        title="Home",
        values=values,
        live="",
        run_nos=run_nos | {each.wait.run_no for each in waits},
    )


def _by_status(counts: Iterable[RunCount]) -> Counter[Status]:
    found: Counter[Status] = Counter()
    for each in counts:
        found[each.status] += each.runs
    return found


def _hours(recent: Sequence[RunCount], begin: int) -> str:
    """The runs of each hour of a day as columns, by what became of them; counted from `begin`."""
    counts = [_by_status(each for each in recent if each.span == hour) for hour in range(_HOURS)]
    most = max((each.total() for each in counts), default=0) or 1
    found = [
        _column(each, place, most, is_counted=place >= begin) for place, each in enumerate(counts)
    ]
    return columns("strip", found, f"Runs of each hour of the last {_HOURS}")


def _column(counts: Counter[Status], place: int, most: int, *, is_counted: bool) -> Column:
    total, failed, succeeded = counts.total(), counts[Status.FAILED], counts[Status.SUCCEEDED]
    ago = _HOURS - 1 - place
    when = "the last hour" if not ago else f"{ago} h ago"
    if not is_counted:
        return Column([], f"{when}: not counted")
    parts = (("ok", succeeded), ("rest", total - failed - succeeded), ("bad", failed))
    shares = [(kind, count / most) for kind, count in parts if count]
    return Column(shares, f"{when}: {_words(total, failed)}")


def _words(total: int, failed: int) -> str:
    runs = f"{total:,} run{'' if total == 1 else 's'}"
    return f"{runs}, {failed:,} failed" if failed else runs


PAGE: Final = Page(path="/", room="home", template="home.html", view=view)
