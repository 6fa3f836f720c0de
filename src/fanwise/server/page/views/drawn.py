"""A run drawn: its tasks in their order with the state of each, and its visits over time."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from fanwise.drawings.of_runs import run_graph, run_timeline
from fanwise.errors import FanwiseError
from fanwise.model import RunRecord
from fanwise.reports.lookup import recorded_definition
from fanwise.reports.overview import overview
from fanwise.server.page.addresses import Addresses
from fanwise.server.page.pages import Page, Shown, base_of
from fanwise.server.page.views.finding import visible_run
from fanwise.server.page.views.run import head_of
from fanwise.server.routes import Call
from fanwise.wiring import load_recorded


def view_graph(call: Call) -> Shown:
    """Show the graph of a run; each node leads to its task."""
    run = visible_run(call, call.names["run_id"])
    address = Addresses(base_of(call))
    try:
        plan = load_recorded(run, call.parts.settings, import_packs=False)
    except FanwiseError as error:  # recorded by another version, which understood it
        drawn, problem = "", error.message
    else:
        seen = overview(call.parts.runs, run, (), call.parts.clock.now())
        problem = ""
        drawn = run_graph(seen, plan, href=lambda name: address("runs", run.id, "tasks", name))
    return _shown(call, run, "graph", drawn, problem)


def view_timeline(call: Call) -> Shown:
    """Show the visits of a run over time, of very many those that lasted longest."""
    run = visible_run(call, call.names["run_id"])
    address = Addresses(base_of(call))
    seen = overview(call.parts.runs, run, (), call.parts.clock.now())
    drawn = ""
    if seen.spells:
        definition = recorded_definition(run, call.parts.settings.limits)
        drawn = run_timeline(
            seen, definition, href=lambda path: address("runs", run.id, "tasks", path)
        )
    return _shown(call, run, "timeline", drawn, "No task has started.")


def _shown(call: Call, run: RunRecord, tab: str, drawn: str, problem: str) -> Shown:
    values = {
        **head_of(call, run, tab),
        "drawn": Markup(drawn),
        "problem": problem,
    }
    return Shown.of_run(f"{tab.capitalize()} of {run.id}", run, values)


GRAPH: Final = Page(
    path="/runs/{run_id}/graph", room="runs", template="drawn.html", view=view_graph
)
TIMELINE: Final = Page(
    path="/runs/{run_id}/timeline", room="runs", template="drawn.html", view=view_timeline
)
