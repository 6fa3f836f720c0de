"""An item: its outcome, its attempts, what it printed, and the steps of its child workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from fanwise.errors import FanwiseError, TaskNotFoundError
from fanwise.model import ItemOutcome, RunRecord, VisitRecord
from fanwise.reports.causes import find_cause
from fanwise.reports.lookup import find_task
from fanwise.reports.objects import read_attempts, read_error
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.finding import visible_run
from fanwise.server.page.views.run import head_of
from fanwise.server.problems import problem_of
from fanwise.server.routes import Call, Fields
from fanwise.trace_ids import visit_key
from fanwise.wiring import read_input

_MOST_LOGS: Final = 100
_MOST_STEPS: Final = 100


class InputQuery(Fields, frozen=True):
    """The wish to see the input as well."""

    input: bool = False


def view(call: Call) -> Shown:
    """Show an item, which the path names as `check[17]`."""
    run = visible_run(call, call.names["run_id"])
    task, index = _parts(run, call.names["path"])
    store = call.parts.store
    visit = find_task(store, run, task)
    found = store.items(visit.run_no, visit.visit_no, after=index - 1, until=index, limit=1)
    item = found[0] if found else None
    following = store.failed_indexes(visit.run_no, visit.visit_no, after=index, limit=1)
    path = f"{task}[{index}]"
    error = None if item is None or item.error is None else read_error(item.error)
    values = {
        **head_of(call, run, "tasks"),
        "task": task,
        "path": path,
        "index": index,
        "visit": visit,
        "item": item,
        "error": error,
        "cause": None if error is None else find_cause(store, run.run_no, path, error),
        "earlier": () if item is None or item.earlier is None else read_attempts(item.earlier),
        "key": visit_key(run.id, path, visit.visit),
        "previous_failed": store.last_failed_before(visit.run_no, visit.visit_no, index),
        "next_failed": next(iter(following), None),
        "logs": store.logs(run.run_no, under=path, limit=_MOST_LOGS),
        "input": _input(call, run, visit, item) if call.query(InputQuery).input else None,
        "steps": _steps(call, run, path),
    }
    return Shown.of_run(f"{path} of {run.id}", run, values)


def _parts(run: RunRecord, path: str) -> tuple[str, int]:
    """The task and the index that a path such as `check[17]` names."""
    task, bracket, index = path.removesuffix("]").rpartition("[")
    if not bracket or not path.endswith("]") or not index.isdecimal() or len(index) > 15:
        raise TaskNotFoundError(
            f'"{path}" names no item.', run_id=run.id, task=path, hint="Name one as in check[17]."
        )
    return task, int(index)


def _input(
    call: Call, run: RunRecord, visit: VisitRecord, item: ItemOutcome | None
) -> Mapping[str, object] | None:
    """The input of an item as JSON text, or the problem for which it can't be shown."""
    if item is None:
        return None
    try:
        value = read_input(call.parts.store, run, call.parts.settings, visit, item)
    except FanwiseError as error:
        return {"text": None, "problem": problem_of(error)}
    return {"text": msgspec.json.encode(value), "problem": None}


def _steps(call: Call, run: RunRecord, path: str) -> Sequence[VisitRecord]:
    return call.parts.store.tasks(run.run_no, within=path)[:_MOST_STEPS]


PAGE: Final = Page(
    path="/runs/{run_id}/items/{path}",
    room="runs",
    template="item.html",
    view=view,
    query=InputQuery,
)
