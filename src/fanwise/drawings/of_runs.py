"""Drawings of runs as elements `svg`, for a page or a file, from what is reported of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from fanwise.drawings.graph_svg import Href, graph_svg
from fanwise.drawings.picture import draw
from fanwise.drawings.task_states import task_states
from fanwise.drawings.timeline_svg import timeline_svg
from fanwise.reports.lookup import names_before
from fanwise.reports.overview import Overview
from fanwise.reports.progress import ItemProgress
from fanwise.reports.sessions import Sessions
from fanwise.reports.timing import Spell, critical_path

if TYPE_CHECKING:
    from fanwise.definition import WorkflowDefinition
    from fanwise.plan import Plan


def run_graph(seen: Overview, plan: Plan, *, href: Href | None = None) -> str:
    """Draw the tasks of a run in their order, with the state of each.

    `plan` is that of the recorded workflow. With `href`, which returns the address of a task by
    its name, each node is a link.
    """
    return graph_svg(draw(plan), task_states(seen), title=_title(seen), href=href)


def run_timeline(
    seen: Overview, definition: WorkflowDefinition | None, *, href: Href | None = None
) -> str:
    """Draw the visits of a run over the time for which it was driven.

    With the workflow's definition the visits that led to its end are marked.
    """
    progress = {seen.last[name].visit_no: items for name, items in seen.progress.items()}
    critical = () if definition is None else critical_visits(seen.spells, definition)
    return steps_timeline(seen, seen.spells, progress, critical=critical, href=href)


def steps_timeline(
    seen: Overview,
    spells: Sequence[Spell],
    progress: Mapping[int, ItemProgress],
    *,
    critical: Collection[int] = (),
    href: Href | None = None,
) -> str:
    """Draw some visits of a run, such as the steps of a child workflow; see `timeline_svg`."""
    return timeline_svg(
        spells,
        progress,
        clock=(seen.sessions or Sessions([])).before,
        run_status=seen.status,
        critical=critical,
        title=_title(seen),
        href=href,
    )


def critical_visits(spells: Sequence[Spell], definition: WorkflowDefinition) -> Collection[int]:
    """The numbers of the visits that led to the end of a run."""
    by_path: dict[str, list[Spell]] = {}
    for spell in spells:
        by_path.setdefault(spell.visit.path, []).append(spell)
    found = critical_path(by_path, names_before(definition))
    return {spell.visit.visit_no for spell in found}


def _title(seen: Overview) -> str:
    return f"{seen.run.workflow}, run {seen.run.id}: {seen.status}"
