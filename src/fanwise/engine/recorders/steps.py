"""Records a child workflow: one row for each step, and no events, since there may be millions.

A child that was interrupted is restored from the rows of its steps, in the order of the times at
which they ended; so no two steps of a child end at the same time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from fanwise.conductor import (
    EndRun,
    Event,
    KeptOutcome,
    RunTimedOut,
    SettleTask,
    StartTask,
    Step,
    TaskEnded,
)
from fanwise.engine.recorders.base import Commands, VisitRows
from fanwise.engine.recovery.event_codec import action_result
from fanwise.engine.services import RunServices
from fanwise.engine.tasks import is_handled
from fanwise.engine.visit import VisitEnd
from fanwise.model import Status, VisitRecord
from fanwise.plan import Plan


class StepRecorder:
    """The records of one child. Implements `Recorder`.

    `recorded` has the rows of its steps if an earlier process began it.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunServices,
        prefix: str,
        recorded: Sequence[VisitRecord] | None = None,
    ) -> None:
        self.rows = VisitRows(plan, run, prefix)
        self._plan = plan
        self._run = run
        self._recorded: Mapping[tuple[int, int], VisitRecord] | None = None
        self._settled_at = 0.0
        if recorded is not None:
            named = [(plan.numbers.get(row.path.rpartition(".")[2]), row) for row in recorded]
            self._recorded = {(no, row.visit): row for no, row in named if no is not None}
            self._settled_at = max((row.ended_at or 0.0 for row in recorded), default=0.0)

    async def record(self, event: Event, commands: Commands, ends: Mapping[int, VisitEnd]) -> None:
        """Record the rows of steps that end, or that start and have items, in one transaction."""
        await self._commit(commands, ends)

    async def record_restored(
        self, steps: Sequence[Step], pending: Commands, ended: EndRun | None
    ) -> None:
        """Record the rows of passed-over steps, and of steps to start, that have none yet."""
        settled = [
            command
            for _, commands in steps
            for command in commands
            if isinstance(command, SettleTask)
        ]
        await self._commit([*settled, *pending], {})

    def kept(self, command: StartTask) -> KeptOutcome | None:
        """The recorded outcome of a step's action, if its row says how that ended.

        The row of a step with items doesn't unless it has counts: the step failed before its first
        item then, or by a template after its last. It starts again, and finds its items recorded.
        """
        if self._recorded is None:
            return None
        row = self._recorded.get((command.task, command.visit))
        if row is None or row.ended_at is None or (row.has_items and row.items is None):
            return None
        self.rows.latest[command.task] = row
        status, error = row.status, row.error
        if error is not None and row.output is not None:
            # It failed after its action, by a template that is evaluated again.
            status, error = Status.SUCCEEDED, None
        result = action_result(row, status, self._run.services.records, error)
        task = self._plan.tasks[command.task]
        handled = status is Status.FAILED and is_handled(task, command.context, result)
        return KeptOutcome(row.ended_at, TaskEnded(command.task, command.visit, result, handled))

    def settled(self, command: SettleTask) -> None:
        """Do nothing: steps are too many to be observed one by one."""

    async def _commit(self, commands: Iterable[object], ends: Mapping[int, VisitEnd]) -> None:
        changed: list[VisitRecord] = []
        for command in commands:  # in their order: a step on a cycle may end and start again
            row = None
            if isinstance(command, SettleTask):
                row = self._settled_row(command, ends.get(command.task))
            elif isinstance(command, StartTask):
                row = self._started_row(command)
            if row is not None:
                changed.append(row)
        if changed:
            await self._run.journal.commit(*changed)

    def _started_row(self, command: StartTask) -> VisitRecord | None:
        """The row to record when a step starts; None without items, which refer to it."""
        number, visit = command.task, command.visit
        if self._recorded is not None:
            self.rows.mark_begun(number)  # records inside a step may be there without its row
            found = self._recorded.get((number, visit))
            if found is not None:
                self.rows.latest[number] = found
                return None
        row = self.rows.new(number, visit, started_at=self._run.services.clock.now())
        if row.has_items:
            row = replace(row, status=Status.RUNNING)
        self.rows.latest[number] = row
        return row if row.has_items else None

    def _settled_row(self, command: SettleTask, end: VisitEnd | None) -> VisitRecord | None:
        """The row to record when a step has ended; None if it is recorded already."""
        number, visit = command.task, max(command.visit, 1)
        if self._recorded is not None:
            found = self._recorded.get((number, visit))
            if found is not None and found.ended_at is not None:
                return None
        now, result = self._run.services.clock.now(), command.result
        if now <= self._settled_at:
            now = math.nextafter(self._settled_at, math.inf)
        self._settled_at = now
        return replace(
            self.rows.of_visit(number, visit),
            status=result.status,
            ended_at=now,
            attempts=end.attempts if end else 0,
            output=end.output if end else None,
            earlier=end.earlier if end else (),
            error=result.error,
            items=result.items,
        )


def recorded_timeout(rows: Sequence[VisitRecord], timeout_s: float | None) -> Sequence[KeptOutcome]:
    """The child's own timeout, if its recorded steps show that it was over.

    Nothing else cuts off steps of a child and leaves them recorded.
    """
    cut_off = [row.ended_at or 0.0 for row in rows if row.status is Status.CANCELLED]
    if not cut_off or timeout_s is None:
        return ()
    return (KeptOutcome(math.nextafter(min(cut_off), 0.0), RunTimedOut(timeout_s)),)
