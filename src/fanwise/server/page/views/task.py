"""A task: its visits, and for one with items the grid, kinds of errors, durations and a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from fanwise.model import ItemOutcome, ItemTimes, RunRecord, Status, VisitRecord, inner_path
from fanwise.reports.causes import find_cause
from fanwise.reports.durations import histogram
from fanwise.reports.kinds import digest_items
from fanwise.reports.lookup import find_visit
from fanwise.reports.objects import MEDIAN, P95, read_error
from fanwise.reports.overview import overview, visit_span
from fanwise.reports.ownership import visit_status
from fanwise.reports.progress import ItemProgress, item_progress
from fanwise.server.page.addresses import Addresses
from fanwise.server.page.bars import Column, columns
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import driven_since, visible_run
from fanwise.server.page.views.run import head_of
from fanwise.server.routes import Call, Fields
from fanwise.units import show_span

_PAGE: Final = 50
_SLOWEST: Final = 5
_SHOWN: Final = 400
_TURNS: Final = 10
"""The times that durations are read again while items end, as that takes a while for many."""

_NO_TIME_S: Final = 1e-6
"""A difference of spans that is none: the ends of bars are sums."""


class ItemsQuery(Fields, frozen=True):
    """The filters of the list of items, and the index that it begins after."""

    status: str = ""
    kind: int | None = None
    label: str = ""
    slower_s: float | None = None
    after: int = -1


class ListedItem(NamedTuple):
    """An item of the list with its error in words and the beginning of its output."""

    item: ItemOutcome
    error_type: str
    message: str
    output: str


class Times(NamedTuple):
    """The durations of items: quantiles, a histogram up to `most_s`, and the slowest.

    Its last bar has those that took longer as well, if some `are_longer`.
    """

    median_s: float | None
    p95_s: float | None
    least_s: float
    most_s: float
    are_longer: bool
    histogram: str
    slowest: Sequence[ItemOutcome]
    is_sampled: bool


def view(call: Call) -> Shown:
    """Show the last visit of a task."""
    run, query = visible_run(call, call.names["run_id"]), call.query(ItemsQuery)
    path = call.names["path"]
    visit = find_visit(call.parts.store, run, path)
    head = head_of(call, run, "tasks")
    items = item_progress(call.parts.store, visit)
    now = call.parts.clock.now()
    span_s = visit_span(call.parts.runs, run, visit, now)
    inside = inner_path(visit.path, visit.visit)
    values = {
        **head,
        "path": path,
        "visit": visit,
        "span_s": span_s,
        "visit_since": driven_since(visit.started_at, span_s, now),
        "inside": inside,
        "has_steps": not visit.has_items
        and bool(call.parts.store.tasks(visit.run_no, within=inside)),
        "shown_status": visit_status(visit.status, str(head["status"])),
        "items": items,
        "query": query,
        "is_filtered": query != ItemsQuery() and query != ItemsQuery(after=query.after),
        "cause": None
        if visit.error is None or visit.has_items
        else find_cause(call.parts.store, run.run_no, path, visit.error),
        **(_items(call, run, visit, query, items) if visit.has_items else {}),
    }
    return Shown.of_run(f"{path} of {run.id}", run, values)


def _items(
    call: Call,
    run: RunRecord,
    visit: VisitRecord,
    query: ItemsQuery,
    progress: ItemProgress | None,
) -> dict[str, object]:
    status = Status(query.status) if query.status in list(Status) else None
    found = call.parts.store.items(
        visit.run_no,
        visit.visit_no,
        status=status,
        kind=query.kind,
        label=query.label or None,
        slower_s=query.slower_s,
        after=query.after,
        limit=_PAGE + 1,
        beginning=_SHOWN,
    )
    path = call.names["path"]
    files = Addresses("/api/v1/")
    chosen = {
        "status": query.status,
        "kind": query.kind,
        "label": query.label,
        "slower_s": query.slower_s,
    }
    return {
        "listed": [_listed(each) for each in found[:_PAGE]],
        "next": found[_PAGE - 1].index if len(found) > _PAGE else None,
        "digest": digest_items(call.parts.store, visit.run_no, visit.visit_no)
        if progress is not None and progress.failed
        else None,
        "totals": call.parts.store.tile_totals(visit.run_no, visit.visit_no),
        "per_s": None if visit.ended_at is not None else _per_s(call, run, visit, progress),
        "times_key": "all" if visit.ended_at is not None else _turn(progress),
        "times_page": Addresses("")("runs", run.id, "tasks", path, "times"),
        "saved_csv": files("runs", run.id, "tasks", path, "items.csv", **chosen),
        "saved_lines": files("runs", run.id, "tasks", path, "items.jsonl", **chosen),
    }


def view_times(call: Call) -> Shown:
    """Show how long the items of a task took: quantiles, a histogram and the slowest."""
    run, path = visible_run(call, call.names["run_id"]), call.names["path"]
    visit = find_visit(call.parts.store, run, path)
    found = call.parts.store.item_times(visit.run_no, visit.visit_no, slowest=_SLOWEST)
    values = {
        **head_of(call, run, "tasks"),
        "path": path,
        "shown_status": visit.status,
        "times": _times(found) if found.durations else None,
    }
    return Shown(title=f"Times of {path} of {run.id}", values=values)


def _turn(progress: ItemProgress | None) -> int:
    """A number that grows now and then while items end."""
    if progress is None or not progress.total:
        return 0
    return progress.done * _TURNS // progress.total


def _per_s(
    call: Call, run: RunRecord, visit: VisitRecord, progress: ItemProgress | None
) -> float | None:
    """Items that end in a second: lately if the engine tells, else since the visit was driven."""
    told = call.parts.store.progress(run.run_no).get(visit.visit_no)
    if told is not None:
        return told.per_s
    seen = overview(call.parts.runs, run, (), call.parts.clock.now())
    spans = [each.span_s for each in seen.spells if each.visit.visit_no == visit.visit_no]
    return progress.done / spans[0] if progress is not None and spans and spans[0] else None


def _listed(item: ItemOutcome) -> ListedItem:
    error = None if item.error is None else read_error(item.error)
    output = "" if item.output is None else item.output[:_SHOWN].decode(errors="replace")
    return ListedItem(item, error.type if error else "", error.message if error else "", output)


def _times(found: ItemTimes) -> Times:
    bars = histogram(found)
    highest, most_s = max(bars.counts), bars.start_s(len(bars.counts))
    shown = [
        Column([("", count / highest)], f"{count:,} items from {show_span(bars.start_s(at))}")
        for at, count in enumerate(bars.counts)
    ]
    return Times(
        found.quantile(MEDIAN),
        found.quantile(P95),
        bars.least_s,
        most_s,
        found.slowest[0].duration_s > most_s + _NO_TIME_S,
        columns("histogram", shown, "How long items took"),
        found.slowest,
        found.is_sampled,
    )


PAGE: Final = Page(
    path="/runs/{run_id}/tasks/{path}",
    room="runs",
    template="task.html",
    view=view,
    query=ItemsQuery,
)
TIMES: Final = Page(
    path="/runs/{run_id}/tasks/{path}/times", room="runs", template="times.html", view=view_times
)
