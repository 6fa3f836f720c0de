"""Events as they are recorded: from an event to JSON data, and back.

An event is recorded without contexts and outputs. Contexts follow from the run's parameters, and an
output is in the row of its visit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from fanwise.conductor import (
    CancelRequested,
    Evaluated,
    EvaluationKind,
    Event,
    PauseRequested,
    RunParked,
    RunResumed,
    RunStarted,
    RunTimedOut,
    TaskEnded,
    TaskPaused,
    VisitsAdvanced,
)
from fanwise.context import WorkflowContext
from fanwise.engine.pages import with_pages
from fanwise.errors import StoreError
from fanwise.model import ErrorInfo, ItemCounts, RecordedEvent, Status, TaskResult, VisitRecord
from fanwise.ports import Records
from fanwise.values import decode

_KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        CancelRequested,
        Evaluated,
        PauseRequested,
        RunParked,
        RunResumed,
        RunStarted,
        RunTimedOut,
        TaskEnded,
        TaskPaused,
        VisitsAdvanced,
    )
}
_Made = TypeVar("_Made")

Visits = Mapping[tuple[int, int], VisitRecord]
"""The rows of a run's own tasks, by the task's number and the visit."""


def event_data(event: Event, now: float, since_s: float) -> Mapping[str, object]:
    """The data recorded of an event, without contexts and outputs.

    With `RunStarted` and `RunResumed`, from which on a process drives the run, the time is recorded
    and `since_s`: the seconds for which the run had been driven before.
    """
    match event:
        case TaskEnded():
            result = event.result
            return {
                "task": event.task,
                "visit": event.visit,
                "status": result.status,
                "error": result.error,
                "items": result.items,
                "handled": event.handled,
            }
        case RunStarted() | RunResumed():
            return {"at": now, "since_s": since_s}
        case Evaluated(asked=EvaluationKind.OUTPUT):
            return {"asked": event.asked, "error": event.error}
        case _:
            return {name: getattr(event, name) for name in event.__struct_fields__}


def read_event(
    run_id: str,
    recorded: RecordedEvent,
    context: WorkflowContext,
    visits: Visits,
    records: Records,
) -> Event:
    """The recorded event. Raises `StoreError` for an event that this version can't read."""
    try:
        return _to_event(recorded, context, visits, records)
    except (KeyError, TypeError, ValueError) as error:  # a kind, a field or a word that is unknown
        raise StoreError(
            f"run {run_id} was recorded by a newer version of fanwise: "
            f"this one can't read its event {recorded.seq}, {recorded.kind}.",
            hint="Upgrade fanwise.",
        ) from error


def action_result(
    row: VisitRecord, status: Status, records: Records, error: ErrorInfo | None
) -> TaskResult:
    """The result of a visit's action, with its output as later tasks see it."""
    if not row.has_items:
        output = None if row.output is None else decode(row.output)
        return TaskResult(status, output, error)
    result = TaskResult(status, error=error, items=row.items)
    return with_pages(result, records, row.run_no, row.visit_no)


def _to_event(
    recorded: RecordedEvent, context: WorkflowContext, visits: Visits, records: Records
) -> Event:
    kind = _KINDS[recorded.kind]
    data = dict(decode(recorded.data))
    if kind is RunStarted:
        return RunStarted(context)
    if kind is RunResumed:  # its times are for people
        data.pop("at", None)
        data.pop("since_s", None)
    if "error" in data:
        data["error"] = _as(ErrorInfo, data["error"])
    if kind is TaskEnded:
        row = visits[data["task"], data["visit"]]
        row = replace(row, items=_as(ItemCounts, data.pop("items")))
        status = Status(data.pop("status"))
        data["result"] = action_result(row, status, records, data.pop("error"))
    elif kind is Evaluated:
        data["asked"] = EvaluationKind(data["asked"])
    elif kind is VisitsAdvanced:
        data["visits"] = tuple((number, last) for number, last in data["visits"])
    return kind(**data)


def _as(kind: type[_Made], fields: Mapping[str, Any] | None) -> _Made | None:
    return None if fields is None else kind(**fields)
