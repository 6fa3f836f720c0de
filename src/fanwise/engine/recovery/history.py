"""The history of a run: its events and rows, since its latest replay from the start.

A rerun begins once more with `RunStarted`; events before the latest `RunStarted` no longer count.
This module only reads from the store, and may block.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fanwise.conductor import Event, RunStarted
from fanwise.context import WorkflowContext
from fanwise.engine.recovery.event_codec import Visits, read_event
from fanwise.model import RecordedEvent, RunRecord
from fanwise.plan import Plan
from fanwise.ports import Records
from fanwise.values import decode


class History(msgspec.Struct, frozen=True):
    """The events of a run since its latest `RunStarted`, and the rows of all its visits.

    `seq` is the number of its last event, `since_s` the seconds for which it had been driven before
    the first of `events`.
    """

    events: Sequence[Event]
    visits: Visits
    seq: int
    since_s: float


def read_history(
    plan: Plan, record: RunRecord, context: WorkflowContext, records: Records
) -> History:
    """The run's events and rows. `plan` is the plan that they were recorded with.

    Raises `StoreError` if they can't be read, or were recorded by a newer version of fanwise.
    """
    visits = {
        (plan.numbers[row.path], row.visit): row
        for row in records.tasks(record.run_no)
        if row.path in plan.numbers
    }
    latest: list[RecordedEvent] = []
    seq = 0
    for recorded in records.events(record.run_no):
        if recorded.kind == RunStarted.__name__:
            latest.clear()
        latest.append(recorded)
        seq = recorded.seq
    events = [read_event(record.id, each, context, visits, records) for each in latest]
    since_s = decode(latest[0].data).get("since_s", 0.0) if latest else 0.0
    return History(events, visits, seq, since_s)
