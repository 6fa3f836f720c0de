"""Two runs beside each other."""

from __future__ import annotations

from typing import Final

from fanwise.errors import RunNotFoundError
from fanwise.model import Role
from fanwise.reports.comparison import Side, compare
from fanwise.reports.objects import iso_time, progress_object
from fanwise.reports.overview import Overview
from fanwise.server.finding import find_seen, overview_of
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer
from fanwise.server.run_views import ComparisonView
from fanwise.values import JsonObject


class PairQuery(Fields, frozen=True, kw_only=True):
    """The ids of the two runs."""

    a: str
    b: str


def compare_runs(call: Call) -> Answer:
    """Tell what of two runs differs: of their definitions, parameters, tasks and errors."""
    query = call.query(PairQuery)
    a, b = (overview_of(call, find_seen(call, run_id)) for run_id in (query.a, query.b))
    found = compare(call.parts.store, a, b)
    return json_answer(
        {
            "a": _run(a),
            "b": _run(b),
            "definition": [{"mark": mark, "text": text} for mark, text in found.lines],
            "parameters": [
                {"name": name, "a": one, "b": two} for name, one, two in found.parameters
            ],
            "tasks": [
                {"name": each.name, "a": _side(each.a), "b": _side(each.b)}
                | {"change_s": each.change_s}
                for each in found.tasks
            ],
            "kinds": [each._asdict() for each in found.kinds],
        }
    )


def _run(seen: Overview) -> JsonObject:
    return {
        "run_id": seen.run.id,
        "workflow": seen.run.workflow,
        "status": seen.status,
        "started_at": iso_time(seen.run.started_at),
        "duration_s": seen.run.duration_s,
    }


def _side(side: Side | None) -> JsonObject | None:
    if side is None:
        return None
    items = None if side.items is None else progress_object(side.items)
    return {"status": side.status, "duration_s": side.duration_s, "items": items}


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/compare",
        handler=compare_runs,
        role=Role.READ,
        query=PairQuery,
        answer=ComparisonView,
        errors=(RunNotFoundError,),
    ),
)
