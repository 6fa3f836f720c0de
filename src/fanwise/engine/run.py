"""Drives one run: records its events and rows, and tells whoever watches.

Events are recorded so that replaying them gives the state that the run had; rows are what people
and templates read.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from msgspec.structs import replace

from fanwise.conductor import (
    CancelRequested,
    Command,
    EndRun,
    Event,
    PauseRequested,
    RunResumed,
    RunStarted,
    SettleTask,
    StartTask,
    Step,
    TaskEnded,
    TaskPaused,
)
from fanwise.context import WorkflowContext
from fanwise.engine.conduct import Conducting
from fanwise.engine.feed import Stop
from fanwise.engine.items import items_file
from fanwise.engine.parts import RunServices
from fanwise.engine.recovery import event_data
from fanwise.engine.retry import RerunPlan
from fanwise.engine.stamps import require_file
from fanwise.engine.starting_point import StartingPoint
from fanwise.errors import AttemptError
from fanwise.model import Record, RecordedEvent, Run, RunRecord, Status, TaskSummary, VisitRecord
from fanwise.plan import Plan
from fanwise.ports import Timer
from fanwise.values import encode


class RunDriver(Conducting):
    """One run, from its first event to its last."""

    def __init__(
        self,
        plan: Plan,
        record: RunRecord,
        standing: StartingPoint,
        context: WorkflowContext,
        run: RunServices,
    ) -> None:
        super().__init__(plan, standing, context, run, prefix="")
        self._run_record = record
        self._seq = standing.seq
        self._since_s = standing.since_s
        self._grace: Timer | None = None  # of a pause

    def pause(self, grace_s: float) -> None:
        """Start nothing new, let what is in flight finish, and end as paused.

        What is still in flight after `grace_s` is cut off, to be done again when the run goes on.
        """
        self.tell(PauseRequested())
        self._stop_runners(Stop.PAUSE)  # now, and not only when the request is recorded
        if self._grace is None:
            self._grace = self._clock.call_later(grace_s, lambda: self._stop_runners(Stop.HOLD))

    def cancel(self) -> None:
        """Cut off what is in flight, start nothing new but `finally`, and end as cancelled."""
        self.tell(CancelRequested())

    async def start_again(self, again: RerunPlan) -> None:
        """Go to where what is kept leads, and record that as one. What isn't kept is done next."""
        steps = await asyncio.to_thread(
            self._retell, again.outcome_of, first=again.anew, then=again.advanced
        )
        self._opening_events = ()
        now = self._clock.now()
        changed = self._rows_again(again, steps, now)
        await asyncio.to_thread(self._require_files)
        record = replace(
            self._run_record, status=Status.RUNNING, ended_at=None, output=None, error=None
        )
        if self._ended is not None:
            record = self._ended_record(record, self._ended, now)
        events = [self._recorded(event, self._seq + n) for n, (event, _) in enumerate(steps, 1)]
        await self._run.journal.commit(*again.discards, *events, *changed, record)
        self._seq += len(events)
        self._run_record = record

    def _require_files(self) -> None:
        """Raise `UsageError` if a file that is read on has changed: nothing is recorded yet."""
        for command in self._pending:
            if isinstance(command, StartTask) and command.task in self._begun:
                items, row = self._plan.tasks[command.task].items, self._rows[command.task]
                if items is not None and row.source is not None:
                    with suppress(AttemptError):  # which the task will meet itself
                        file = items_file(items, command.context, self._run.locate)
                        require_file(self._run, row.path, file, row.source)

    def _rows_again(self, again: RerunPlan, steps: list[Step], now: float) -> list[VisitRecord]:
        """The rows that change; those of outcomes that are kept stay as they are."""
        latest: dict[int, VisitRecord] = {}
        changed: dict[int, VisitRecord] = {}

        def change(number: int, visit: int, **fields: Any) -> None:
            row = again.rows.get((number, max(visit, 1))) or self._new_row(number, visit)
            row = replace(row, attempts=0, output=None, items=None, due_at=None, **fields)
            latest[number] = changed[row.visit_no] = row

        for _, commands in steps:
            for command in commands:
                match command:
                    case SettleTask(task=number, visit=visit, result=result):
                        if (number, visit) in again.kept and result.status is Status.SUCCEEDED:
                            latest[number] = again.rows[number, visit]
                        else:
                            told = {"status": result.status, "error": result.error}
                            change(number, visit, ended_at=now, **told)
        for command in self._pending:
            if isinstance(command, StartTask):
                running = {"status": Status.RUNNING, "ended_at": None, "error": None}
                change(command.task, command.visit, started_at=now, **running)
                if (command.task, command.visit) in again.rows:
                    self._begun.add(command.task)
        for (number, visit), row in again.rows.items():
            if number not in latest and row.started_at is None:  # it may start after all
                change(number, visit, status=Status.PENDING, ended_at=None, error=None)
        self._rows = latest
        return list(changed.values())

    def _stop_runners(self, how: Stop) -> None:
        self._stop = how
        for runner in self._runners.values():
            runner.stop(how)

    async def drive(self, timeout_s: float | None, ran_s: float) -> Run:
        """Run to the end. Raises `StoreError` if the store can't be written any more.

        The run's timeout is `timeout_s`, of which it had `ran_s` before.
        """
        try:
            return self._summary(await self.conduct(timeout_s, ran_s))
        finally:
            self._run.stop.set()
            if self._grace is not None:
                self._grace.cancel()

    async def _record(self, event: Event, commands: tuple[Command, ...]) -> None:
        rows, record = self._changed(event, commands)
        records: list[Record] = [self._recorded(event, self._seq + 1), *rows.values()]
        if record is not None:
            records.append(record)
        await self._run.journal.commit(*records)
        self._seq += 1
        self._run_record = record or self._run_record
        self._rows.update((self._plan.numbers[row.path], row) for row in rows.values())

    def _recorded(self, event: Event, seq: int) -> RecordedEvent:
        data = msgspec.json.encode(event_data(event, self._since_s))
        return RecordedEvent(self._run.run_no, seq, type(event).__name__, data)

    def _changed(
        self, event: Event, commands: tuple[Command, ...]
    ) -> tuple[dict[int, VisitRecord], RunRecord | None]:
        """The rows that an event and what follows from it change, by `visit_no`, and the run's."""
        now = self._clock.now()
        rows: dict[int, VisitRecord] = {}
        latest: dict[int, VisitRecord] = {}
        record: RunRecord | None = None

        def change(number: int, visit: int, **fields: Any) -> None:
            row = latest.get(number) or self._rows.get(number)
            if row is None or row.visit != max(visit, 1):
                row = self._new_row(number, visit)
            if fields.get("status") is Status.RUNNING:
                fields["started_at"] = row.started_at or now
            latest[number] = rows[row.visit_no] = replace(row, **fields)

        match event:
            case RunStarted() | RunResumed():
                record = replace(
                    self._run_record,
                    status=Status.RUNNING,
                    started_at=self._run_record.started_at or now,
                    ended_at=None,
                )
            case TaskEnded(task=number, visit=visit):
                end = self._ends[number]
                change(number, visit, attempts=end.attempts, output=end.output)
            case TaskPaused(task=number, visit=visit):
                end = self._ends[number]
                counts = end.result.items
                change(number, visit, status=Status.PAUSED, attempts=end.attempts, items=counts)
        for command in commands:
            match command:
                case StartTask(task=number, visit=visit):
                    change(number, visit, status=Status.RUNNING)
                case SettleTask(task=number, visit=visit, result=result):
                    told = {"status": result.status, "error": result.error}
                    change(number, visit, ended_at=now, **told)
                    if result.status is not Status.CANCELLED or result.items is not None:
                        change(number, visit, items=result.items)  # else those of a pause stay
                case EndRun():
                    record = self._ended_record(record or self._run_record, command, now)
        return rows, record

    def _ended_record(self, record: RunRecord, command: EndRun, now: float) -> RunRecord:
        output, error = encode(command.output), command.error
        return replace(record, status=command.status, ended_at=now, output=output, error=error)

    def _settled(self, command: SettleTask) -> None:
        # The context holds the output from now on; the row is never written again.
        self._rows[command.task] = replace(self._rows[command.task], output=None)
        name, result = self._plan.tasks[command.task].name, command.result
        self._run.observer.task_ended(name, result.status, result.error)

    def _summary(self, ended: EndRun) -> Run:
        """The run as its caller sees it."""
        tasks = {}
        for task in self._plan.tasks:
            name, row = task.name, self._rows.get(task.number)
            tasks[name] = TaskSummary(
                name=name,
                status=row.status if row else Status.PENDING,
                started_at=row.started_at if row else None,
                ended_at=row.ended_at if row else None,
                attempts=row.attempts if row else 0,
                error=row.error if row else None,
                items=row.items if row else None,
            )
        return Run(
            id=self._run_record.id,
            workflow=self._run_record.workflow,
            status=ended.status,
            started_at=self._run_record.started_at,
            ended_at=self._run_record.ended_at,
            output=ended.output,
            error=ended.error,
            tasks=tasks,
        )
