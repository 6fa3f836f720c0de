"""The starting point of a run: at its start, or where its recorded events lead.

A run whose process has died is where its last event has led: events are replayed, and commands
without a recorded answer are pending.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from fanwise.conductor import Evaluated, Event, Replay, RunResumed, RunStarted, TaskEnded
from fanwise.context import WorkflowContext
from fanwise.engine.context_size import result_name, variable_sizes
from fanwise.engine.recovery.event_codec import Visits
from fanwise.engine.recovery.history import History
from fanwise.engine.starting_point import StartingPoint, first_state
from fanwise.model import RunRecord
from fanwise.plan import Plan


def fresh_start(plan: Plan, record: RunRecord, context: WorkflowContext) -> StartingPoint:
    """The starting point of a run without any recorded event."""
    return StartingPoint(
        first_state(plan), opening_events=(RunStarted(context),), sizes=_parameter_sizes(record)
    )


def recover(
    plan: Plan, record: RunRecord, context: WorkflowContext, history: History
) -> StartingPoint:
    """The starting point at the end of a run's history."""
    if not history.events:
        return fresh_start(plan, record, context)
    replay = Replay(plan, first_state(plan))
    sizes = _parameter_sizes(record)
    for event in history.events:
        replay.take(event)
        sizes.update(_event_sizes(plan, event, history.visits))
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


def _parameter_sizes(record: RunRecord) -> dict[str, int]:
    return {"the parameters": len(record.parameters)}


def _event_sizes(plan: Plan, event: Event, visits: Visits) -> Iterable[tuple[str, int]]:
    """The sizes of the values that an event brings into the context, by their names."""
    match event:
        case TaskEnded():
            row = visits[event.task, event.visit]
            return [(result_name("", plan, event.task), len(row.output or b""))]
        case Evaluated(error=None):
            return variable_sizes(event.asked, event.value)
        case _:
            return ()
