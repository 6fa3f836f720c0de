"""Drawings of runs as elements `svg`, for a page or a file, from what is reported of them."""

from __future__ import annotations

from fanwise.drawings.graph_svg import Href, graph_svg
from fanwise.drawings.picture import draw
from fanwise.drawings.task_states import task_states
from fanwise.plan import Plan
from fanwise.reports.overview import Overview


def run_graph(seen: Overview, plan: Plan, *, href: Href | None = None) -> str:
    """Draw the tasks of a run in their order, with the state of each.

    `plan` is that of the recorded workflow. With `href`, which returns the address of a task by
    its name, each node is a link.
    """
    title = f"{seen.run.workflow}, run {seen.run.id}: {seen.status}"
    return graph_svg(draw(plan), task_states(seen), title=title, href=href)
