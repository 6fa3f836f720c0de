"""The interface between a driver and its records, and the rows that both recorders keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from fanwise.conductor import Command, EndRun, Event, KeptOutcome, SettleTask, StartTask, Step
from fanwise.engine.services import RunServices
from fanwise.engine.visit import VisitEnd
from fanwise.model import Status, VisitRecord
from fanwise.plan import Plan

Commands = tuple[Command, ...]


class VisitRows:
    """The rows of a workflow's visits. `latest` has that of each task's latest visit."""

    __slots__ = ("_begun", "_plan", "_prefix", "_run", "latest")

    def __init__(
        self,
        plan: Plan,
        run: RunServices,
        prefix: str,
        latest: Mapping[int, VisitRecord] = {},
        begun: Collection[int] = (),
    ) -> None:
        self._plan = plan
        self._run = run
        self._prefix = prefix  # of the paths of the workflow's tasks
        self._begun = set(begun)
        self.latest = dict(latest)

    def of_visit(self, number: int, visit: int) -> VisitRecord:
        """The row of a task's visit, which is its latest one or has no row yet.

        A task that never started has a row all the same, as its first visit.
        """
        row = self.latest.get(number)
        return row if row is not None and row.visit == max(visit, 1) else self.new(number, visit)

    def new(self, number: int, visit: int, started_at: float | None = None) -> VisitRecord:
        """A row for a visit that has none."""
        task, run = self._plan.tasks[number], self._run
        return VisitRecord(
            run_no=run.run_no,
            visit_no=next(run.numbers),
            path=self._prefix + task.name,
            visit=max(visit, 1),
            status=Status.PENDING,
            has_items=task.items is not None,
            started_at=started_at,
        )

    def mark_begun(self, number: int) -> None:
        """Note that parts of a task's latest visit may be recorded already."""
        self._begun.add(number)

    def is_begun(self, number: int) -> bool:
        """True if parts of a task's latest visit may be recorded already."""
        return number in self._begun

    def take_begun(self, number: int) -> VisitRecord | None:
        """The row of a begun visit, which starts now; None for any other."""
        if number not in self._begun:
            return None
        self._begun.discard(number)
        return self.latest[number]

    async def note(self, number: int, **fields: object) -> None:
        """Record more of a visit in progress: when it is due, or the file that it reads."""
        self.latest[number] = noted = replace(self.latest[number], **fields)
        await self._run.journal.commit(noted)


class Recorder(Protocol):
    """Records the events of one workflow, before anything that follows from them is done."""

    rows: VisitRows

    async def record(self, event: Event, commands: Commands, ends: Mapping[int, VisitEnd]) -> None:
        """Record an event, and the rows that it and the `commands` after it change.

        `ends` has the ends of visits that aren't settled yet, by the task. Raises
        `RecordRefusedError` if the store refuses one of these records; then none is recorded.
        """

    async def record_restored(
        self, steps: Sequence[Step], pending: Commands, ended: EndRun | None
    ) -> None:
        """Record a replay with kept outcomes as a whole: its steps, and the commands left to do.

        `ended` is the workflow's end, if the replay has led there.
        """

    def kept(self, command: StartTask) -> KeptOutcome | None:
        """The recorded outcome of a visit that is to start, if there is one."""

    def settled(self, command: SettleTask) -> None:
        """React to an end of a visit that has been recorded."""
