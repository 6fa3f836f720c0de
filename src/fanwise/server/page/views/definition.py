"""The workflow and the parameters that a run was made with."""

from __future__ import annotations

from typing import Final

from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import visible_run
from fanwise.server.page.views.run import head_of
from fanwise.server.routes import Call


def view(call: Call) -> Shown:
    """Show the texts that the run pins, of its workflow and of those that it calls."""
    run = visible_run(call, call.names["run_id"])
    values = {
        **head_of(call, run, "definition"),
        "called": dict(run.origin.workflows),
        "parameters": run.parameters,
    }
    return Shown(title=f"Definition of {run.id}", values=values)


PAGE: Final = Page(
    path="/runs/{run_id}/definition", room="runs", template="definition.html", view=view
)
