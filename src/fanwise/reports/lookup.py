"""Runs and tasks of a store, found by their names, and as they were when they ran. Only reads."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from fanwise.arguments import require_text
from fanwise.errors import (
    DefinitionError,
    RunNotFoundError,
    RunOverError,
    TaskNotFoundError,
    UsageError,
)
from fanwise.model import Limits, RunRecord, VisitRecord, inner_path
from fanwise.ports import Records

if TYPE_CHECKING:
    from fanwise.definition import WorkflowDefinition

_MAX_NAMED = 5


def run_by_id(records: Records, run_id: str) -> RunRecord:
    """Return the record of the run with just this id. Raises `RunNotFoundError`."""
    require_text("run_id", run_id)
    found = records.run(run_id)
    if found is None:
        near = difflib.get_close_matches(run_id, records.run_ids(), n=1)
        hint = f'Did you mean "{near[0]}"?' if near else "Check the id and the store."
        raise RunNotFoundError(f'the store has no run "{run_id}".', run_id=run_id, hint=hint)
    return found


def find_run(records: Records, run_id: str, sees: Callable[[str], bool] | None = None) -> RunRecord:
    """Return the run with this id, or the run whose id begins so.

    With `sees` the runs of all other workflows are hidden: nothing tells that they are there.
    Raises `RunNotFoundError`, and `UsageError` if several ids begin so.
    """
    found = records.run(run_id)
    if found is not None and (sees is None or sees(found.workflow)):
        return found
    ids = records.run_ids() if sees is None else _seen_ids(records, run_id, sees)
    begun = [each for each in ids if run_id and each.startswith(run_id)]
    if len(begun) == 1 and (found := records.run(begun[0])) is not None:
        return found
    if begun:
        named = ", ".join(begun[:_MAX_NAMED])
        rest = len(begun) - _MAX_NAMED
        more = f" and {rest:,} more" if rest > 0 else ""
        raise UsageError(
            f'{len(begun):,} runs have an id that begins with "{run_id}": {named}{more}.',
            hint="Give more of the id.",
        )
    near = difflib.get_close_matches(run_id, ids, n=3)
    raise RunNotFoundError(
        f'the store has no run "{run_id}".',
        run_id=run_id,
        hint=f"Did you mean {_any_of(near)}?"
        if near
        else "`fanwise runs` lists those that it has.",
    )


def _seen_ids(records: Records, beginning: str, sees: Callable[[str], bool]) -> Sequence[str]:
    """The ids that begin so, of runs that may be seen."""
    begun = [records.run(each) for each in records.run_ids() if each.startswith(beginning)]
    return [run.id for run in begun if run is not None and sees(run.workflow)]


def require_open(run: RunRecord) -> None:
    """Raise `RunOverError` if the run is over."""
    if run.status.is_final:
        raise RunOverError(
            f"run {run.id} is over: it {run.status.told}.",
            run_id=run.id,
            status=run.status,
            hint=f"Look at it with: fanwise show {run.id}",
        )


def find_visit(records: Records, run: RunRecord, name: str) -> VisitRecord:
    """The last visit of a task, or of a step in a child workflow, such as `hosts[1].ports`.

    Raises `TaskNotFoundError`.
    """
    within, _, _ = name.rpartition(".")
    visits = last_visits(records.tasks(run.run_no, within=within))
    task = visits.get(name)
    if task is None:
        near = difflib.get_close_matches(name, visits, n=3)
        known = ", ".join(list(visits)[:_MAX_NAMED])
        raise TaskNotFoundError(
            f'the run {run.id} has recorded no task "{name}".',
            run_id=run.id,
            task=name,
            hint=f"Did you mean {_any_of(near)}?"
            if near
            else f"Its tasks are {known}."
            if known
            else "",
        )
    return task


def find_task(records: Records, run: RunRecord, name: str) -> VisitRecord:
    """The last visit of a task with items.

    Raises `TaskNotFoundError`, and `UsageError` for a task without items.
    """
    task = find_visit(records, run, name)
    if not task.has_items:
        within = name.rpartition(".")[0]
        words = ["fanwise", "show", run.id, *(["--within", within] if within else []), "--json"]
        raise UsageError(
            f'the task "{name}" has no items.', hint=f"Its output: {shlex.join(words)}"
        )
    return task


def last_visits(tasks: Iterable[VisitRecord]) -> Mapping[str, VisitRecord]:
    """The last visit of each task, by path."""
    return {task.path: task for task in tasks}


def find_steps(records: Records, run: RunRecord, path: str) -> list[VisitRecord]:
    """The steps of the child workflow that ran at a path, such as `check[17]`.

    Raises `TaskNotFoundError`.
    """
    steps = records.tasks(run.run_no, within=path)
    if not steps:
        raise TaskNotFoundError(
            f'the run {run.id} has recorded no steps within "{path}".',
            run_id=run.id,
            task=path,
            hint="Give the path of a task or item that runs a workflow, such as check[17].",
        )
    return tree(records, run.run_no, steps, most=10_000)


def tree(
    records: Records, run_no: int, tasks: Iterable[VisitRecord], most: int
) -> list[VisitRecord]:
    """Tasks, each with the steps of its child workflow behind it, at most so many in all.

    The steps of children that ran once per item are left out: there may be millions.
    """
    found: list[VisitRecord] = []
    for task in tasks:
        if len(found) >= most:
            break
        found.append(task)
        if not task.has_items:
            steps = records.tasks(run_no, within=inner_path(task.path, task.visit))
            found += tree(records, run_no, steps, most - len(found))
    return found[:most]


def recorded_definition(record: RunRecord, limits: Limits) -> WorkflowDefinition | None:
    """The workflow of a run, or None if another version of fanwise has recorded it otherwise."""
    from fanwise.definition import load

    try:
        return load(record.definition, file="", limits=limits)
    except DefinitionError:
        return None


def task_names(definition: WorkflowDefinition | None) -> list[str]:
    """Return the names of a known workflow's tasks, with those of `finally` at the end."""
    if definition is None:
        return []
    return [task.name for task in (*definition.tasks, *definition.ending)]


def names_before(definition: WorkflowDefinition) -> Mapping[str, Collection[str]]:
    """Return for each task the names of the tasks that lead to it."""
    from fanwise.plan.order import Order

    graph = Order(definition).graph
    before: dict[str, Collection[str]] = {
        name: {graph.names[graph.edges[edge].source] for edge in edges}
        for name, edges in zip(graph.names, graph.incoming, strict=True)
    }
    previous: Collection[str] = graph.names
    for task in definition.ending:
        before[task.name] = previous
        previous = (task.name,)
    return before


def _any_of(names: Sequence[str]) -> str:
    *others, last = [f'"{name}"' for name in names]
    return f"{', '.join(others)} or {last}" if others else last
