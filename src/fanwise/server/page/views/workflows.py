"""The workflows of the project that is served, one of them, and the form that starts a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

import msgspec
from markupsafe import Markup

from fanwise.drawings.graph_svg import graph_svg
from fanwise.drawings.picture import draw
from fanwise.model import Role, Status
from fanwise.plan import Plan
from fanwise.reports.comparison import text_diff
from fanwise.reports.ownership import Filters
from fanwise.server.page.bars import Column, columns
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.fields import fields_of
from fanwise.server.page.views.finding import Listed, newest_runs, visible_run
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call, Fields
from fanwise.units import show_span
from fanwise.values import decode

_LISTED: Final = 12
_STRIP: Final = 50
_SHOWN: Final = 10
_LIST: Final = "The page of workflows lists those that it has."
_KINDS: Final = {Status.SUCCEEDED: "ok", Status.FAILED: "bad", Status.RUNNING: "run"}


class ListedWorkflow(NamedTuple):
    """A workflow of the list with its latest runs, and the number of its triggers."""

    plan: Plan
    runs: Sequence[Listed]
    triggers: int
    strip: str


class StartQuery(Fields, frozen=True):
    """The run whose parameters fill the form."""

    from_: str = msgspec.field(default="", name="from")


def view_all(call: Call) -> Shown:
    """Show all workflows, and what is wrong with the files of others."""
    plans = [plan for plan in call.parts.project.plans if call.who.sees(plan.name)]
    listed = [_listed(call, plan) for plan in sorted(plans, key=lambda plan: plan.name)]
    values = {
        "workflows": listed,
        # They name files of workflows that not every reader may see.
        "problems": () if call.who.workflows else call.parts.project.problems,
    }
    run_nos = [run.run.run_no for each in listed for run in each.runs]
    return Shown(title="Workflows", values=values, live="", run_nos=run_nos)


def _listed(call: Call, plan: Plan) -> ListedWorkflow:
    runs = newest_runs(call, filters=Filters(workflow=plan.name), limit=_LISTED)
    triggers = sum(each.plan.name == plan.name for each in call.parts.project.triggers)
    return ListedWorkflow(plan, runs, triggers, _strip(runs, _LISTED))


def view_one(call: Call) -> Shown:
    """Show a workflow; of one that has no file any more its runs are left."""
    name = call.names["name"]
    plan = _find(call, name)
    runs = newest_runs(call, filters=Filters(workflow=name), limit=_STRIP)
    if not call.who.sees(name) or (plan is None and not runs):
        raise _unknown(name)
    spans = [each.duration_s for each in runs if each.duration_s is not None]
    drawn = "" if plan is None else graph_svg(draw(plan), title=f"The tasks of {name}")
    values = {
        "name": name,
        "plan": plan,
        "runs": runs[:_SHOWN],
        "has_more": len(runs) > _SHOWN,
        "strip": _strip(runs, _STRIP) if runs else "",
        "strip_runs": len(runs),
        "median_s": median(spans) if spans else None,
        "failed": sum(each.status == Status.FAILED for each in runs),
        "fields": () if plan is None else fields_of(plan.parameters),
        "drawn": Markup(drawn),
        "triggers": [each for each in call.parts.project.triggers if each.plan.name == name],
        "changes": () if plan is None or not runs else _changes(call, plan, runs[0].run.run_no),
    }
    run_nos = [each.run.run_no for each in runs]
    return Shown(title=name, values=values, live="", run_nos=run_nos)


def _changes(call: Call, plan: Plan, run_no: int) -> Sequence[tuple[str, str]]:
    """The lines of a workflow that differ from those that its latest run was made with."""
    text = call.parts.store.definition(run_no)
    return () if text is None else text_diff(text, plan.text)


def view_start(call: Call) -> Shown:
    """Show the form that starts a run, filled with defaults, or with those of another run."""
    name, before = call.names["name"], call.query(StartQuery).from_
    plan = _find(call, name)
    if plan is None or not call.who.sees(name):
        raise _unknown(name)
    given: Mapping[str, object] = {}
    if before:
        given = decode(visible_run(call, before).parameters)
    values = {
        "name": name,
        "plan": plan,
        "before": before,
        "fields": fields_of(plan.parameters, given),
    }
    return Shown(title=f"Start {name}", values=values)


def _find(call: Call, name: str) -> Plan | None:
    return next((plan for plan in call.parts.project.plans if plan.name == name), None)


def _unknown(name: str) -> Refusal:
    return Refusal(404, "not-found", f'the project has no workflow "{name}".', hint=_LIST)


def _strip(runs: Sequence[Listed], most: int) -> str:
    """The latest runs as columns, the newest at the right, as high as they took long."""
    spans = [each.duration_s or 0.0 for each in runs]
    longest = max(spans, default=0.0) or 1.0
    found = [
        Column(
            [(_KINDS.get(Status(each.run.status), "rest"), 0.15 + 0.85 * span / longest)],
            f"{each.run.id}: {each.status}, {show_span(each.duration_s)}",
        )
        for each, span in zip(runs, spans, strict=True)
    ]
    empty = [Column((), "")] * (most - len(found))
    return columns("strip", [*empty, *reversed(found)], "The latest runs and how long they took")


ALL: Final = Page(path="/workflows", room="workflows", template="workflows.html", view=view_all)
ONE: Final = Page(
    path="/workflows/{name}", room="workflows", template="workflow.html", view=view_one
)
START: Final = Page(
    path="/workflows/{name}/start",
    room="workflows",
    template="start.html",
    view=view_start,
    query=StartQuery,
    role=Role.RUN,
)
