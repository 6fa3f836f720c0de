"""Runs as pictures show them: tasks in their order, and visits over time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from fanwise.drawings.lanes import Lane, lanes
from fanwise.drawings.of_runs import critical_visits, run_graph
from fanwise.drawings.picture import Node, draw
from fanwise.drawings.svg import document
from fanwise.errors import ActionLoadError, DefinitionError, RunNotFoundError, TaskNotFoundError
from fanwise.model import Role, RunRecord
from fanwise.plan import Plan
from fanwise.reports.lookup import find_steps
from fanwise.reports.objects import iso_time, progress_object
from fanwise.reports.overview import Overview, overview, steps_of
from fanwise.reports.progress import ItemProgress
from fanwise.server import tags
from fanwise.server.finding import definition_of, run_of
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer
from fanwise.server.run_views import GraphView, TimelineView
from fanwise.server.streams import attachment
from fanwise.values import JsonObject
from fanwise.wiring import load_recorded

_MOST_LANES: Final = 200


class TimelineQuery(Fields, frozen=True, kw_only=True):
    """The path of a task or item that called a workflow, `check[17]`; without, the run itself."""

    within: str = ""


def get_graph(call: Call) -> Answer:
    """Tell the tasks of a run with the state of each, and the ways that lead from task to task.

    Tasks of `on-failure` and `finally` run one after another, so no edges lead between these.
    """
    seen, plan = _planned(call, run_of(call))
    picture = draw(plan)
    nodes = [_node(seen, each, None) for each in picture.nodes]
    nodes += [_node(seen, each, end.key) for end in picture.endings for each in end.nodes]
    return json_answer({"nodes": nodes, "edges": [each._asdict() for each in picture.arrows]})


def get_graph_picture(call: Call) -> Answer:
    """Give the graph of a run with the state of each task, drawn as SVG."""
    run = run_of(call)
    drawn = document(run_graph(*_planned(call, run))).encode()
    return Answer(drawn, "image/svg+xml", headers=attachment(f"{run.id}.svg"))


def get_timeline(call: Call) -> Answer:
    """Tell the visits of a run over time, in the order of their starts.

    With `within` they are those of a workflow that was called there. Of more than 200 visits those
    that went wrong and the longest are told by themselves, and those between two of them together.
    """
    run, within = run_of(call), call.query(TimelineQuery).within
    seen, store = _overview(call, run, ()), call.parts.store
    visits = find_steps(store, run, within) if within else seen.visits
    steps = steps_of(store, seen, visits)
    spells, progress = steps.spells, steps.progress
    definition = None if within else definition_of(call, run)
    critical = critical_visits(spells, definition) if spells and definition is not None else ()
    found = lanes(spells, progress, run_status=seen.status, most=_MOST_LANES)
    shown = [
        _lane(each, progress, is_critical=each.spells[0].visit.visit_no in critical)
        for each in found
    ]
    return json_answer({"run_id": run.id, "within": within, "lanes": shown})


def _planned(call: Call, run: RunRecord) -> tuple[Overview, Plan]:
    plan = load_recorded(run, call.parts.settings, import_packs=False)
    return _overview(call, run, plan.numbers), plan


def _overview(call: Call, run: RunRecord, names: Collection[str]) -> Overview:
    return overview(call.parts.runs, run, names, call.parts.clock.now())


def _node(seen: Overview, node: Node, ending: str | None) -> JsonObject:
    items = seen.progress.get(node.task)
    return {
        "id": node.id,
        "task": node.task or None,
        "lines": node.lines,
        "ending": ending,
        "status": seen.task_status(node.task) if node.task in seen.run.tasks else None,
        "items": None if items is None else progress_object(items),
    }


def _lane(lane: Lane, progress: Mapping[int, ItemProgress], *, is_critical: bool) -> JsonObject:
    shown: JsonObject = {
        "visits": len(lane.spells),
        "started_at": iso_time(lane.spells[0].started_at),
        "ended_at": iso_time(max(spell.ended_at for spell in lane.spells)),
        "span_s": sum(spell.span_s for spell in lane.spells),
    }
    if lane.is_shared:
        return shown
    (spell,) = lane.spells
    items = progress.get(spell.visit.visit_no)
    return shown | {
        "path": spell.visit.path,
        "visit": spell.visit.visit,
        "status": lane.status,
        "works_at": iso_time(spell.works_at),
        "parts": [(iso_time(begin), iso_time(end)) for begin, end in spell.parts],
        "attempts": spell.visit.attempts,
        "items": None if items is None else progress_object(items),
        "is_critical": is_critical,
    }


_RUN: Final = "/api/v1/runs/{run_id}"
_ERRORS: Final = (RunNotFoundError, DefinitionError, ActionLoadError)

ROUTES: Final = (
    Route(
        method="GET",
        path=f"{_RUN}/graph",
        handler=get_graph,
        tag=tags.of_run,
        role=Role.READ,
        answer=GraphView,
        errors=_ERRORS,
    ),
    Route(
        method="GET",
        path=f"{_RUN}/graph.svg",
        handler=get_graph_picture,
        role=Role.READ,
        errors=_ERRORS,
        takes_ticket=True,
    ),
    Route(
        method="GET",
        path=f"{_RUN}/timeline",
        handler=get_timeline,
        tag=tags.of_run,
        role=Role.READ,
        query=TimelineQuery,
        answer=TimelineView,
        errors=(RunNotFoundError, TaskNotFoundError),
    ),
)
