"""Two runs beside each other: what of their definitions, parameters, tasks and errors differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fanwise.model import RunRecord
from fanwise.reports.comparison import compare
from fanwise.reports.ownership import Filters
from fanwise.server.finding import overview_of
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import newest_runs, visible_run
from fanwise.server.routes import Call, Fields

_OTHERS: Final = 20


class CompareQuery(Fields, frozen=True):
    """The ids of the two runs."""

    a: str = ""
    b: str = ""


def view(call: Call) -> Shown:
    """Show two runs; without a second one, the runs to choose from."""
    query = call.query(CompareQuery)
    first = visible_run(call, query.a) if query.a else None
    second = visible_run(call, query.b) if query.b else None
    values: dict[str, object] = {"a": first, "b": second, "others": _others(call, first)}
    if first is not None and second is not None:
        a, b = overview_of(call, first), overview_of(call, second)
        values |= {"seen_a": a, "seen_b": b, **compare(call.parts.store, a, b)._asdict()}
    return Shown(title="Compare", values=values)


def _others(call: Call, run: RunRecord | None) -> Sequence[object]:
    """The latest other runs of the workflow, or of any."""
    filters = Filters() if run is None else Filters(workflow=run.workflow)
    found = newest_runs(call, filters=filters, limit=_OTHERS)
    return [each for each in found if run is None or each.run.id != run.id]


PAGE: Final = Page(
    path="/compare", room="runs", template="compare.html", view=view, query=CompareQuery
)
