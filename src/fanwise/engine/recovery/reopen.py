"""Reopens a visit that a retry runs again: the changes of records by which it resumes.

Of a visit with items the items that have succeeded are kept. A child workflow resumes where its
steps ended: steps that have succeeded are kept, unless they come after one that hasn't, and the
others are forgotten, so that they run again. If the child's input is written otherwise now, all of
its steps are forgotten. This module only reads from the store, and may block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from fanwise.model import Discard, ErrorInfo, Status, VisitRecord, inner_path
from fanwise.plan import Plan, PlannedTask
from fanwise.ports import Records

BROKEN = frozenset({Status.FAILED, Status.CANCELLED})
"""The statuses of tasks and items that a retry runs again."""

_PASSED = frozenset({Status.SUCCEEDED, Status.SKIPPED})
_GOES_ON = frozenset({*BROKEN, Status.RUNNING})

_read_error = msgspec.json.Decoder(ErrorInfo).decode

Changes = Iterator[Discard | VisitRecord]


def reopen_visit(
    task: PlannedTask,
    recorded: PlannedTask,
    row: VisitRecord,
    records: Records,
    *,
    has_other_input: bool = False,
    kind: int | None = None,
) -> Changes:
    """The changes for a visit with this row, of a task that was `recorded` when it ran.

    `has_other_input` says that the same input is made of other values now. With a `kind` of errors
    failed items of other kinds stay as they are.
    """
    has_other_input = has_other_input or _inputs_of(task) != _inputs_of(recorded)
    plans = None if has_other_input else _plans_of(task, recorded)
    inside = inner_path(row.path, row.visit)
    if not row.has_items:
        yield from _reopen_child(plans, row.run_no, inside, row.error, records)
        return
    is_child = task.spec.workflow is not None
    errors = dict(_unsuccessful(row, records, kind)) if is_child else {}
    succeeded = records.recorded_items(row.run_no, row.visit_no).indexes
    for index in errors:
        succeeded.discard(index)
    for index in records.begun_items(row.run_no, inside):
        if index not in succeeded:
            path = f"{inside}[{index}]"
            error = errors.get(index)
            yield from _reopen_child(plans, row.run_no, path, error, records)
    yield Discard(row.run_no, visit_no=row.visit_no, under=inside, kind=kind)


def has_other_items(task: PlannedTask, recorded: PlannedTask) -> bool:
    """True if the items of a task come from elsewhere than when it was `recorded`."""
    return bool(_items_of(task) != _items_of(recorded))


def _plans_of(task: PlannedTask, recorded: PlannedTask) -> tuple[Plan, Plan] | None:
    """The workflow that a task calls, as it is now and as it was recorded; None for an action."""
    now, was = task.spec.workflow, recorded.spec.workflow
    return None if now is None or was is None else (now(), was())


def _reopen_child(
    plans: tuple[Plan, Plan] | None,
    run_no: int,
    path: str,
    error: ErrorInfo | None,
    records: Records,
) -> Changes:
    """The changes for the attempt at `path`, which ended with `error`."""
    if plans is None:
        yield Discard(run_no, under=path)
    else:
        yield from _reopen_steps(*plans, run_no, path, error, records)


def _reopen_steps(
    plan: Plan, recorded: Plan, run_no: int, path: str, error: ErrorInfo | None, records: Records
) -> Changes:
    """The changes for the recorded steps of a child, in the order in which they ended."""
    culprit = None if error is None else error.failed_step
    size, undone = len(plan.graph.names), 0
    rows = records.tasks(run_no, within=path)
    for row in sorted(rows, key=lambda row: (row.ended_at is None, row.ended_at or 0.0)):
        name = row.path.rpartition(".")[2]
        number, old = plan.numbers.get(name, size), recorded.numbers.get(name)
        if number >= size or old is None or plan.graph.before(number) & undone:
            yield _forget(row)
            continue
        step, was = plan.tasks[number], recorded.tasks[old]
        is_other = has_other_items(step, was)
        has_failed_items = row.items is not None and row.items.failed > 0
        is_kept = row.status in _PASSED and not (is_other or has_failed_items or name == culprit)
        if is_kept:
            continue
        undone |= 1 << number
        if is_other or not (row.status in _GOES_ON or has_failed_items):
            yield _forget(row)
            continue
        yield from reopen_visit(step, was, row, records)
        if row.has_items:
            begun = replace(row, status=Status.RUNNING, attempts=0, earlier=())
            yield replace(begun, ended_at=None, error=None, items=None)
        else:
            yield Discard(run_no, visit_no=row.visit_no, whole=True)


def _forget(row: VisitRecord) -> Discard:
    """The change by which nothing is left of a step's visit."""
    inside = inner_path(row.path, row.visit)
    return Discard(row.run_no, visit_no=row.visit_no, under=inside, whole=True)


def _unsuccessful(
    row: VisitRecord, records: Records, kind: int | None
) -> Iterator[tuple[int, ErrorInfo | None]]:
    """The items that haven't succeeded, each with its error; of those that failed one kind."""
    for status in BROKEN:
        after, of_kind = -1, kind if status is Status.FAILED else None
        while page := records.items(
            row.run_no, row.visit_no, status=status, kind=of_kind, after=after
        ):
            for item in page:
                yield item.index, None if item.error is None else _read_error(item.error)
            after = page[-1].index


def _inputs_of(task: PlannedTask) -> Mapping[str, object]:
    """The input of a task, as the workflow's text."""
    return {entry.name: entry.value.raw for entry in task.inputs}


def _items_of(task: PlannedTask) -> tuple[str, Mapping[str, object], object] | None:
    """The kind, sources and batch size of a task's items, as the workflow's text."""
    if task.items is None:
        return None
    batch = task.settings.batch_size
    size = batch.given if batch.template is None else batch.template.raw
    return task.items.kind, {name: part.raw for name, part in task.items.parts.items()}, size
