"""The states of a run's tasks as a drawing shows them: a status, a remark and the items done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fanwise.reports.overview import Overview
from fanwise.reports.progress import ItemProgress
from fanwise.units import show_span


class TaskState(NamedTuple):
    """A task's status to show, words that follow it, and its items if it has any."""

    status: str
    remark: str = ""
    items: ItemProgress | None = None


def task_states(seen: Overview) -> Mapping[str, TaskState]:
    """The state of each task of a run, by its name."""
    return {name: _state(seen, name) for name in seen.run.tasks}


def _state(seen: Overview, name: str) -> TaskState:
    items = seen.progress.get(name)
    visit = seen.last.get(name)
    remarks = [show_span(seen.duration_s(name))]
    if visit is not None and visit.visit > 1:
        remarks.append(f"visit {visit.visit:,}")
    if items is None and visit is not None and visit.attempts > 1:
        remarks.append(f"{visit.attempts:,} attempts")
    return TaskState(seen.task_status(name), ", ".join(filter(None, remarks)), items)
