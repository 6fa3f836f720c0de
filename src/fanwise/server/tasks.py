"""Tasks of a run: their visits, with their outputs, and the kinds of errors of their items."""

from __future__ import annotations

from typing import Final

import msgspec

from fanwise.errors import RunNotFoundError, TaskNotFoundError, UsageError
from fanwise.model import Role, VisitRecord
from fanwise.reports.durations import histogram
from fanwise.reports.kinds import digest_items
from fanwise.reports.lookup import find_steps
from fanwise.reports.objects import MEDIAN, P95, counts_object, step_object
from fanwise.server import tags
from fanwise.server.finding import fan_out_of, run_of, visit_of
from fanwise.server.problems import Refusal
from fanwise.server.routes import JSON, Answer, Call, Fields, Route, json_answer
from fanwise.server.streams import attachment
from fanwise.server.views import KindList, TimesView, VisitList, VisitView
from fanwise.values import JsonObject

_SLOWEST: Final = 5


class VisitsQuery(Fields, frozen=True, kw_only=True):
    """The path of a task or item that called a workflow, `check[17]`; without, the run itself.

    With `outputs` visits have their outputs.
    """

    within: str = ""
    outputs: bool = False


def list_visits(call: Call) -> Answer:
    """List the visits of a run's tasks in the order of their starts.

    With `within` they are those of a workflow that was called there, and with `outputs` each has
    its output.
    """
    run, query = run_of(call), call.query(VisitsQuery)
    within = query.within
    store, status = call.parts.store, call.parts.runs.status(run)
    visits = find_steps(store, run, within) if within else store.tasks(run.run_no)
    shown = [_visit(each, status, has_output=query.outputs) for each in visits]
    return json_answer({"visits": shown})


def get_visit(call: Call) -> Answer:
    """Tell of the last visit of a task."""
    run = run_of(call)
    return json_answer(_visit(visit_of(call, run), call.parts.runs.status(run)))


def get_output(call: Call) -> Answer:
    """Give the output of a task without items, as JSON to be saved."""
    run = run_of(call)
    visit = visit_of(call, run)
    if visit.has_items:
        raise UsageError(
            f'the output of "{visit.path}" is that of its items.',
            hint=f"Get it a line an item: /api/v1/runs/{run.id}/tasks/{visit.path}/items.jsonl",
        )
    if visit.output is None:
        raise Refusal(404, "not-found", "The task has no output.")
    return Answer(visit.output, JSON, headers=attachment(f"{run.id}-{visit.path}.json"))


def get_kinds(call: Call) -> Answer:
    """Tell the kinds of errors of a task's items, the most frequent first."""
    run = run_of(call)
    found = digest_items(call.parts.store, run.run_no, fan_out_of(call, run).visit_no)
    return json_answer(found._asdict())


def get_times(call: Call) -> Answer:
    """Tell how long the items of a task took: quantiles, a histogram, and the slowest."""
    visit = fan_out_of(call, run_of(call))
    found = call.parts.store.item_times(visit.run_no, visit.visit_no, slowest=_SLOWEST)
    return json_answer(
        {
            "count": found.count,
            "busy_s": found.busy_s,
            "median_s": found.quantile(MEDIAN),
            "p95_s": found.quantile(P95),
            "is_sampled": found.is_sampled,
            "histogram": histogram(found)._asdict() if found.durations else None,
            "slowest": [
                {"index": item.index, "label": item.label, "duration_s": item.duration_s}
                for item in found.slowest
            ],
        }
    )


def _visit(visit: VisitRecord, run_status: str, *, has_output: bool = False) -> JsonObject:
    kept = visit if has_output else msgspec.structs.replace(visit, output=None)
    shown = step_object(kept, run_status)
    if not has_output:
        del shown["output"]
    items = None if visit.items is None else counts_object(visit.items)
    return shown | {"has_items": visit.has_items, "items": items}


_ERRORS: Final = (RunNotFoundError, TaskNotFoundError)

ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/tasks",
        handler=list_visits,
        tag=tags.of_run,
        role=Role.READ,
        query=VisitsQuery,
        answer=VisitList,
        errors=_ERRORS,
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/tasks/{task}",
        handler=get_visit,
        tag=tags.of_run,
        role=Role.READ,
        answer=VisitView,
        errors=_ERRORS,
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/tasks/{task}/output",
        handler=get_output,
        role=Role.READ,
        errors=(*_ERRORS, UsageError),
        takes_ticket=True,
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/tasks/{task}/kinds",
        handler=get_kinds,
        tag=tags.of_records,
        role=Role.READ,
        answer=KindList,
        errors=(*_ERRORS, UsageError),
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run_id}/tasks/{task}/times",
        handler=get_times,
        tag=tags.of_records,
        role=Role.READ,
        answer=TimesView,
        errors=(*_ERRORS, UsageError),
    ),
)
