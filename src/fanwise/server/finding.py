"""Finding the runs and tasks that paths name, among those that the one who asks may see."""

from __future__ import annotations

from datetime import UTC
from http import HTTPStatus

from fanwise.definition import WorkflowDefinition
from fanwise.errors import RunNotFoundError
from fanwise.model import RunRecord, VisitRecord
from fanwise.reports.listing import read_moment
from fanwise.reports.lookup import (
    find_task,
    find_visit,
    recorded_definition,
    run_by_id,
    task_names,
)
from fanwise.reports.overview import Overview, overview
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call


def run_of(call: Call) -> RunRecord:
    """Return the run that a path names. Raises `RunNotFoundError`, also for a hidden one."""
    return find_seen(call, call.names["run_id"])


def find_seen(call: Call, run_id: str) -> RunRecord:
    """Return a run that the one who asks may see. Raises `RunNotFoundError`."""
    store = call.parts.store
    if not call.who.workflows:
        return run_by_id(store, run_id)
    found = store.run(run_id)
    if found is None or not call.who.sees(found.workflow):
        # Suggestions would tell of runs that this token may not see.
        raise RunNotFoundError(f'the store has no run "{run_id}".', run_id=run_id)
    return found


def visit_of(call: Call, run: RunRecord) -> VisitRecord:
    """Return the last visit of the task that a path names. Raises `TaskNotFoundError`."""
    return find_visit(call.parts.store, run, call.names["task"])


def fan_out_of(call: Call, run: RunRecord) -> VisitRecord:
    """Return the last visit of the task with items that a path names.

    Raises `TaskNotFoundError`, and `UsageError` for a task without items.
    """
    return find_task(call.parts.store, run, call.names["task"])


def definition_of(call: Call, run: RunRecord) -> WorkflowDefinition | None:
    """Return the workflow of a run, or None for one that this version can't read."""
    return recorded_definition(run, call.parts.settings.limits)


def overview_of(call: Call, run: RunRecord) -> Overview:
    """Return a run as it stands now, with all tasks of its workflow."""
    names = task_names(definition_of(call, run))
    return overview(call.parts.runs, run, names, call.parts.clock.now())


def moment(call: Call, text: str | None, name: str) -> float | None:
    """Return the time that a query names. Raises `Refusal`."""
    if text is None:
        return None
    try:
        return read_moment(text, call.parts.clock.now(), UTC)
    except (ValueError, OverflowError):
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            "bad-request",
            f"`{name}` isn't a time.",
            hint="Give a span such as 2h or 7d, or a time such as 2026-03-05T08:30Z.",
        ) from None
