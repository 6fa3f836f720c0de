"""Where a recorded run stands: its events are replayed, and what nobody has answered is pending.

An event is recorded without its outcome's output, which stands in the row of its visit. A run that
is told anew begins once more with `RunStarted`, and what was recorded before that is history. All
of this only reads from the store, and may block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from fanwise.conductor import (
    CancelRequested,
    Evaluated,
    EvaluationKind,
    Event,
    PauseRequested,
    Replay,
    RunResumed,
    RunStarted,
    RunTimedOut,
    TaskEnded,
    TaskPaused,
    VisitsAdvanced,
)
from fanwise.context import WorkflowContext
from fanwise.engine.context_size import result_name, variable_sizes
from fanwise.engine.pages import PagedOutput
from fanwise.engine.starting_point import StartingPoint, first_state
from fanwise.errors import StoreError
from fanwise.model import (
    ErrorInfo,
    ItemCounts,
    RecordedEvent,
    RunRecord,
    Status,
    TaskResult,
    VisitRecord,
)
from fanwise.plan import Plan
from fanwise.ports import Records
from fanwise.values import decode

_KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        CancelRequested,
        Evaluated,
        PauseRequested,
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


class History(msgspec.Struct, frozen=True):
    """What is recorded of a run since it was last told from its start.

    `seq` is the number of its last event, `since_s` how long it had been driven before the first.
    """

    events: Sequence[Event]
    visits: Visits
    seq: int
    since_s: float


def read_history(
    plan: Plan, record: RunRecord, context: WorkflowContext, records: Records
) -> History:
    """The run's events and rows. `plan` is the one that they were recorded with.

    Raises `StoreError` if they can't be read, or were recorded by a newer version of fanwise.
    """
    visits = {
        (plan.numbers[row.path], row.visit): row
        for row in records.tasks(record.run_no)
        if row.path in plan.numbers
    }
    told: list[RecordedEvent] = []
    seq = 0
    for recorded in records.events(record.run_no):
        if recorded.kind == RunStarted.__name__:
            told.clear()
        told.append(recorded)
        seq = recorded.seq
    events = [_read_event(record.id, each, context, visits, records) for each in told]
    since_s = decode(told[0].data).get("since_s", 0.0) if told else 0.0
    return History(events, visits, seq, since_s)


def recover(
    plan: Plan, record: RunRecord, context: WorkflowContext, history: History
) -> StartingPoint:
    """Where the run stands. A run of which no event is recorded stands at its start."""
    if not history.events:
        return fresh_start(plan, record, context)
    replay = Replay(plan, first_state(plan))
    sizes = {"the parameters": len(record.parameters)}
    for event in history.events:
        replay.take(event)
        sizes.update(_sizes(plan, event, history.visits))
    rows = {}
    for (number, _), row in sorted(history.visits.items()):
        # An output that the context holds is never written again.
        rows[number] = replace(row, output=None) if row.ended_at else row
    is_open = {number for number, row in rows.items() if row.started_at and not row.ended_at}
    return StartingPoint(
        replay.state,
        opening_events=(RunResumed(),),
        pending=replay.pending,
        rows=rows,
        begun=frozenset(is_open),
        sizes=sizes,
        seq=history.seq,
        since_s=history.since_s,
    )


def fresh_start(plan: Plan, record: RunRecord, context: WorkflowContext) -> StartingPoint:
    """The standing of a run at its very start."""
    sizes = {"the parameters": len(record.parameters)}
    return StartingPoint(first_state(plan), opening_events=(RunStarted(context),), sizes=sizes)


def outcome(
    row: VisitRecord, status: Status, records: Records, error: ErrorInfo | None
) -> TaskResult:
    """How a visit's action ended, with its output as later tasks see it."""
    if not row.has_items:
        output = None if row.output is None else decode(row.output)
        return TaskResult(status, output, error)
    output = None
    if row.items is not None and status in (Status.SUCCEEDED, Status.FAILED):
        output = PagedOutput(records, row.run_no, row.visit_no, row.items.total)
    return TaskResult(status, output, error, row.items)


def event_data(event: Event, since_s: float) -> dict[str, Any]:
    """What is recorded of an event. Contexts and outputs aren't: they stand in other rows."""
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
        case RunStarted():
            return {"since_s": since_s} if since_s else {}
        case Evaluated(asked=EvaluationKind.OUTPUT):
            return {"asked": event.asked, "error": event.error}
        case _:
            return {name: getattr(event, name) for name in event.__struct_fields__}


def _read_event(
    run_id: str,
    recorded: RecordedEvent,
    context: WorkflowContext,
    visits: Visits,
    records: Records,
) -> Event:
    """The event that was recorded. Raises `StoreError` for one that this version can't read."""
    try:
        return _to_event(recorded, context, visits, records)
    except (KeyError, TypeError, ValueError) as error:  # a kind, a field or a word that is unknown
        raise StoreError(
            f"run {run_id} was recorded by a newer version of fanwise: "
            f"this one can't read its event {recorded.seq}, {recorded.kind}.",
            hint="Upgrade fanwise.",
        ) from error


def _to_event(
    recorded: RecordedEvent, context: WorkflowContext, visits: Visits, records: Records
) -> Event:
    kind = _KINDS[recorded.kind]
    data = dict(decode(recorded.data))
    if kind is RunStarted:
        return RunStarted(context)
    if "error" in data:
        data["error"] = _as(ErrorInfo, data["error"])
    if kind is TaskEnded:
        row = visits[data["task"], data["visit"]]
        row = replace(row, items=_as(ItemCounts, data.pop("items")))
        status = Status(data.pop("status"))
        data["result"] = outcome(row, status, records, data.pop("error"))
    elif kind is Evaluated:
        data["asked"] = EvaluationKind(data["asked"])
    elif kind is VisitsAdvanced:
        data["visits"] = tuple((number, last) for number, last in data["visits"])
    return kind(**data)


def _as(kind: type[_Made], value: Mapping[str, Any] | None) -> _Made | None:
    return None if value is None else kind(**value)


def _sizes(plan: Plan, event: Event, visits: Visits) -> Iterable[tuple[str, int]]:
    """How large the values are that an event brings into the context."""
    match event:
        case TaskEnded():
            row = visits[event.task, event.visit]
            return [(result_name("", plan, event.task), len(row.output or b""))]
        case Evaluated(error=None):
            return variable_sizes(event.asked, event.value)
        case _:
            return ()
