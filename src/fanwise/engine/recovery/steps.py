"""The recorded steps of a child workflow, and the outcomes in them that a replay keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fanwise.conductor import KeptOutcome, RunTimedOut, StartTask, TaskEnded
from fanwise.engine.evaluate import is_handled
from fanwise.engine.recovery.event_codec import action_result
from fanwise.model import Status, VisitRecord
from fanwise.plan import Plan
from fanwise.ports import Records


class RecordedSteps:
    """The rows of a child's steps, by the numbers of the task and its visit."""

    def __init__(self, plan: Plan, recorded: Sequence[VisitRecord], records: Records) -> None:
        named = [(plan.numbers.get(row.path.rpartition(".")[2]), row) for row in recorded]
        self.rows = {(no, row.visit): row for no, row in named if no is not None}
        self.settled_at = max((row.ended_at or 0.0 for row in recorded), default=0.0)
        self._plan = plan
        self._records = records

    def kept(self, command: StartTask) -> KeptOutcome | None:
        """The recorded outcome of a step's action, if its row says how that ended.

        The row of a step with items doesn't unless it has counts: the step failed before its first
        item then, or by a template after its last. It starts again, and finds its items recorded.
        """
        row = self.rows.get((command.task, command.visit))
        if row is None or row.ended_at is None or (row.has_items and row.items is None):
            return None
        status, error = row.status, row.error
        if error is not None and row.output is not None:
            # It failed after its action, by a template that is evaluated again.
            status, error = Status.SUCCEEDED, None
        result = action_result(row, status, self._records, error)
        task = self._plan.tasks[command.task]
        handled = status is Status.FAILED and is_handled(task, command.context, result)
        return KeptOutcome(row.ended_at, TaskEnded(command.task, command.visit, result, handled))

    def timeout(self, timeout_s: float | None) -> Sequence[KeptOutcome]:
        """The child's own timeout, if its steps show that it was over.

        Nothing else cuts off steps of a child and leaves them recorded.
        """
        rows = self.rows.values()
        cut_off = [row.ended_at or 0.0 for row in rows if row.status is Status.CANCELLED]
        if not cut_off or timeout_s is None:
            return ()
        return (KeptOutcome(math.nextafter(min(cut_off), 0.0), RunTimedOut(timeout_s)),)
