"""Records a run: each event, the rows that change with it, and the run itself.

Events are recorded so that replaying them gives the state that the run had; rows are for people and
templates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from fanwise.conductor import (
    EndRun,
    Event,
    KeptOutcome,
    RunResumed,
    RunStarted,
    SettleTask,
    StartTask,
    Step,
    TaskEnded,
    TaskPaused,
)
from fanwise.engine.failures import failed_items
from fanwise.engine.items import items_file, require_unchanged
from fanwise.engine.parking import may_park
from fanwise.engine.recorders.base import Commands, VisitRows
from fanwise.engine.recovery.event_codec import event_data
from fanwise.engine.recovery.rerun import RerunPlan
from fanwise.engine.services import RunServices
from fanwise.engine.starting_point import StartingPoint
from fanwise.engine.visit import VisitEnd
from fanwise.errors import AttemptError
from fanwise.model import (
    WAKE_PATH,
    CloseWaits,
    ItemCounts,
    Record,
    RecordedEvent,
    Run,
    RunRecord,
    Status,
    TaskSummary,
    VisitRecord,
    inner_path,
)
from fanwise.plan import Plan
from fanwise.values import encode


class RunRecorder:
    """The records of one run. Implements `Recorder`; `rerun` is the plan of a retry.

    For `ran_s` seconds the run was driven by earlier processes.
    """

    def __init__(
        self,
        plan: Plan,
        record: RunRecord,
        start: StartingPoint,
        run: RunServices,
        rerun: RerunPlan | None = None,
        *,
        ran_s: float = 0.0,
    ) -> None:
        self.rows = VisitRows(plan, run, "", start.rows, start.begun)
        self._plan = plan
        self._record = record
        self._run = run
        self._rerun = rerun
        self._seq = start.seq
        self._since_s = start.since_s
        self._ran_s = ran_s
        self._may_have_dozed = record.started_at is not None
        self._paused_items: dict[int, ItemCounts | None] = {}
        self._driven_from = run.services.clock.monotonic()

    async def record(self, event: Event, commands: Commands, ends: Mapping[int, VisitEnd]) -> None:
        """Record an event, the rows that change, and the run if it changes, in one transaction."""
        changes = _Changes(self.rows, self._run.services.clock.now())
        changes.take_event(event, ends)
        for command in commands:
            changes.take_command(command)
        record = self._changed_run(event, commands, changes.now)
        recorded = self._to_record(event, self._seq + 1, changes.now)
        records: list[Record] = [recorded, *changes.rows.values()]
        if record is not None:
            records.append(record)
        records += self._closings(commands)
        await self._run.journal.commit(*records)
        self._seq += 1
        self._record = record or self._record
        self.rows.latest.update(changes.latest)
        if isinstance(event, TaskPaused):
            self._paused_items[event.task] = ends[event.task].result.items

    async def record_restored(
        self, steps: Sequence[Step], pending: Commands, ended: EndRun | None
    ) -> None:
        """Record the replay of a rerun: everything before its `RunStarted` is history then.

        Raises `SourceChangedError`, and records nothing, if a file that is read further has
        changed.
        """
        assert self._rerun is not None
        now = self._run.services.clock.now()
        changed = _rerun_rows(self._rerun, self.rows, steps, pending, now)
        if not self._run.takes_changed_files:
            await asyncio.to_thread(self._require_unchanged_files, pending)
        record = replace(
            self._record,
            status=Status.RUNNING,
            started_at=self._record.started_at or now,  # a run that was skipped never was
            ended_at=None,
            output=None,
            error=None,
        )
        if ended is not None:
            record = _ended(record, ended, now)
        events = [
            self._to_record(event, self._seq + n, now) for n, (event, _) in enumerate(steps, 1)
        ]
        await self._run.journal.commit(*self._rerun.reopened, *events, *changed, record)
        self._seq += len(events)
        self._record = record

    def kept(self, command: StartTask) -> KeptOutcome | None:
        """None: once a rerun is recorded, its visits run."""
        return None

    def settled(self, command: SettleTask) -> None:
        """Let the observer know."""
        # The context holds the output from now on; the row is never written again.
        latest, number = self.rows.latest, command.task
        latest[number] = replace(latest[number], output=None)
        name, result = self._plan.tasks[number].name, command.result
        self._run.observer.task_ended(name, result.status, result.error)

    def summary(self, ended: EndRun) -> Run:
        """The run as its caller sees it."""
        tasks = {}
        records = self._run.services.records
        for task in self._plan.tasks:
            name, row = task.name, self.rows.latest.get(task.number)
            tasks[name] = TaskSummary(
                name=name,
                status=row.status if row else Status.PENDING,
                started_at=row.started_at if row else None,
                ended_at=row.ended_at if row else None,
                attempts=row.attempts if row else 0,
                error=row.error if row else None,
                items=(row and row.items) or self._paused_items.get(task.number),
                failures=failed_items(records, row) if row else (),
            )
        driven_s = None
        if self._ran_s:
            clock = self._run.services.clock
            driven_s = self._ran_s + clock.monotonic() - self._driven_from
        return Run(
            id=self._record.id,
            workflow=self._record.workflow,
            status=ended.status,
            started_at=self._record.started_at,
            ended_at=self._record.ended_at,
            output=ended.output,
            error=ended.error,
            tasks=tasks,
            driven_s=driven_s,
        )

    def _to_record(self, event: Event, seq: int, now: float) -> RecordedEvent:
        since_s = self._ran_s if isinstance(event, RunResumed) else self._since_s
        data = msgspec.json.encode(event_data(event, now, since_s))
        return RecordedEvent(self._run.run_no, seq, type(event).__name__, data)

    def _changed_run(self, event: Event, commands: Commands, now: float) -> RunRecord | None:
        """The run's record if the event or a command changes it."""
        record = None
        if isinstance(event, RunStarted | RunResumed):
            started_at = self._record.started_at or now
            record = replace(
                self._record, status=Status.RUNNING, started_at=started_at, ended_at=None
            )
        for command in commands:
            if isinstance(command, EndRun):
                record = _ended(record or self._record, command, now)
        return record

    def _closings(self, commands: Commands) -> Iterator[CloseWaits]:
        """The changes that close what a task has left open that ends without having waited."""
        for command in commands:
            if isinstance(command, EndRun) and command.status.is_final and self._may_have_dozed:
                yield CloseWaits(self._run.run_no, WAKE_PATH)
            if isinstance(command, SettleTask) and may_park(self._plan.tasks[command.task]):
                path = self._plan.tasks[command.task].name
                yield CloseWaits(self._run.run_no, inner_path(path, max(command.visit, 1)))

    def _require_unchanged_files(self, pending: Commands) -> None:
        """Raise `SourceChangedError` if a file that a begun visit reads further has changed."""
        for command in pending:
            if not isinstance(command, StartTask) or not self.rows.is_begun(command.task):
                continue
            items, row = self._plan.tasks[command.task].items, self.rows.latest[command.task]
            if items is None or row.source is None:
                continue
            with suppress(AttemptError):  # the task will meet it itself
                file = items_file(items, command.context, self._run.locate)
                if file is not None:
                    require_unchanged(
                        self._run.services.sources,
                        self._run.run_id,
                        row.path,
                        items.kind,
                        file,
                        row.source,
                    )


class _Changes:
    """The rows that an event and the commands after it change.

    `rows` has them by `visit_no`, in the order of their first change, and `latest` the last of each
    task.
    """

    def __init__(self, rows: VisitRows, now: float) -> None:
        self._before = rows
        self.now = now
        self.rows: dict[int, VisitRecord] = {}
        self.latest: dict[int, VisitRecord] = {}

    def take_event(self, event: Event, ends: Mapping[int, VisitEnd]) -> None:
        match event:
            case TaskEnded(task=number, visit=visit):
                end = ends[number]
                fields = {"attempts": end.attempts, "output": end.output, "earlier": end.earlier}
                self._change(number, visit, **fields)
            case TaskPaused(task=number, visit=visit):
                end = ends[number]
                counts = end.result.items if end.is_total_known else None
                paused = end.result.status
                self._change(number, visit, status=paused, attempts=end.attempts, items=counts)

    def take_command(self, command: object) -> None:
        match command:
            case StartTask(task=number, visit=visit):
                started_at = self._row(number, visit).started_at or self.now
                self._change(number, visit, status=Status.RUNNING, started_at=started_at)
            case SettleTask(task=number, visit=visit, result=result):
                end = {"status": result.status, "error": result.error}
                self._change(number, visit, ended_at=self.now, **end)
                if result.status is not Status.CANCELLED or result.items is not None:
                    self._change(number, visit, items=result.items)  # else those of a pause stay

    def _row(self, number: int, visit: int) -> VisitRecord:
        row = self.latest.get(number)
        if row is None or row.visit != max(visit, 1):
            self.latest[number] = row = self._before.of_visit(number, visit)
        return row

    def _change(self, number: int, visit: int, **fields: object) -> None:
        row = replace(self._row(number, visit), **fields)
        self.latest[number] = self.rows[row.visit_no] = row


def _ended(record: RunRecord, ended: EndRun, now: float) -> RunRecord:
    output, error = encode(ended.output), ended.error
    return replace(record, status=ended.status, ended_at=now, output=output, error=error)


def _rerun_rows(
    rerun: RerunPlan, rows: VisitRows, steps: Sequence[Step], pending: Commands, now: float
) -> list[VisitRecord]:
    """Bring the rows to where a rerun begins, and return the changed ones.

    Rows of kept outcomes stay as they are; visits that run again as the same visit are begun.
    """
    latest: dict[int, VisitRecord] = {}
    changed: dict[int, VisitRecord] = {}

    def change(number: int, visit: int, **fields: object) -> None:
        row = rerun.rows.get((number, max(visit, 1))) or rows.new(number, visit)
        row = replace(row, attempts=0, earlier=(), output=None, items=None, due_at=None, **fields)
        latest[number] = changed[row.visit_no] = row

    for command in [command for _, commands in steps for command in commands]:
        if isinstance(command, SettleTask):
            number, visit, result = command.task, command.visit, command.result
            if (number, visit) in rerun.kept and result.status is Status.SUCCEEDED:
                latest[number] = rerun.rows[number, visit]
            else:
                change(number, visit, ended_at=now, status=result.status, error=result.error)
    for command in pending:
        if isinstance(command, StartTask):
            number, visit = command.task, command.visit
            change(number, visit, started_at=now, status=Status.RUNNING, ended_at=None, error=None)
            if (number, visit) in rerun.rows:
                rows.mark_begun(number)
    for (number, visit), row in rerun.rows.items():
        if number not in latest and row.started_at is None:  # it may start after all
            change(number, visit, status=Status.PENDING, ended_at=None, error=None)
    rows.latest = latest
    return list(changed.values())
