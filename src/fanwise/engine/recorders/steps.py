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
    SettleTask,
    StartTask,
    Step,
)
from fanwise.engine.recorders.base import Commands, VisitRows
from fanwise.engine.recovery.steps import RecordedSteps
from fanwise.engine.services import RunServices
from fanwise.engine.visit import VisitEnd
from fanwise.model import Status, VisitRecord
from fanwise.plan import Plan


class StepRecorder:
    """The records of one child. Implements `Recorder`.

    `recorded` has its steps if an earlier process began it.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunServices,
        prefix: str,
        recorded: RecordedSteps | None = None,
    ) -> None:
        self.rows = VisitRows(plan, run, prefix)
        self._run = run
        self._recorded = recorded
        self._settled_at = 0.0 if recorded is None else recorded.settled_at

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
        """The recorded outcome of a step's action, if its row says how that ended."""
        if self._recorded is None:
            return None
        kept = self._recorded.kept(command)
        if kept is not None:
            self.rows.latest[command.task] = self._recorded.rows[command.task, command.visit]
        return kept

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
            found = self._recorded.rows.get((number, visit))
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
            found = self._recorded.rows.get((number, visit))
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
