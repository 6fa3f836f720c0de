"""Drives one run: records its events and rows, and tells whoever watches.

Events are recorded so that replaying them gives the state that the run had; rows are what people
and templates read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from weft.conductor import (
    Asked,
    Command,
    EndRun,
    Evaluated,
    Event,
    PauseRequested,
    RunStarted,
    SettleTask,
    StartTask,
    TaskEnded,
    TaskPaused,
)
from weft.context import WorkflowContext
from weft.engine.conduct import Conducting, ContextSize, first_state
from weft.engine.parts import RunParts
from weft.model import Record, RecordedEvent, Run, RunRecord, Status, TaskRun, TaskSummary
from weft.plan import Plan
from weft.values import encode


class RunDriver(Conducting):
    """One run, from its first event to its last."""

    def __init__(
        self, plan: Plan, record: RunRecord, context: WorkflowContext, run: RunParts
    ) -> None:
        super().__init__(plan, first_state(plan), context, run, prefix="")
        self._run_record = record
        self._seq = 0
        # A child's parameters are its parent's values, so only a run's own are counted.
        self._sizes = ContextSize(run.parts.limits, len(record.parameters))

    def pause(self) -> None:
        """Start nothing new, let what is in flight finish, and end as paused."""
        self._run.stop.set()
        self.tell(PauseRequested())
        for runner in self._runners.values():  # now, and not only when the request is recorded
            runner.stop(at_once=False)

    async def drive(self, timeout_s: float | None) -> Run:
        """Run to the end. Raises `StoreError` if the store can't be written any more."""
        try:
            return self._summary(await self.conduct(timeout_s))
        finally:
            self._run.stop.set()

    async def _record(self, event: Event, commands: tuple[Command, ...]) -> None:
        rows, record = self._changed(event, commands)
        records: list[Record] = [self._recorded(event), *rows.values()]
        if record is not None:
            records.append(record)
        await self._run.journal.commit(*records)
        self._seq += 1
        self._run_record = record or self._run_record
        self._rows.update((self._plan.numbers[row.path], row) for row in rows.values())

    def _recorded(self, event: Event) -> RecordedEvent:
        data = msgspec.json.encode(_event_data(event))
        return RecordedEvent(self._run.run_no, self._seq + 1, type(event).__name__, data)

    def _changed(
        self, event: Event, commands: tuple[Command, ...]
    ) -> tuple[dict[int, TaskRun], RunRecord | None]:
        """The rows that an event and what follows from it change, by `task_no`, and the run's."""
        now = self._clock.now()
        rows: dict[int, TaskRun] = {}
        latest: dict[int, TaskRun] = {}
        record: RunRecord | None = None

        def change(number: int, visit: int, **fields: Any) -> None:
            row = latest.get(number) or self._rows.get(number)
            if row is None or row.visit != max(visit, 1):
                row = self._new_row(number, visit)
            latest[number] = rows[row.task_no] = replace(row, **fields)

        match event:
            case RunStarted():
                record = replace(self._run_record, status=Status.RUNNING, started_at=now)
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
                    change(number, visit, status=Status.RUNNING, started_at=now)
                case SettleTask(task=number, visit=visit, result=result):
                    change(
                        number,
                        visit,
                        status=result.status,
                        error=result.error,
                        items=result.items,
                        ended_at=now,
                    )
                case EndRun(status=status, output=output, error=error):
                    record = replace(
                        record or self._run_record,
                        status=status,
                        ended_at=now,
                        output=encode(output),
                        error=error,
                    )
        return rows, record

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


def _event_data(event: Event) -> dict[str, Any]:
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
            return {}
        case Evaluated(asked=Asked.OUTPUT):
            return {"asked": event.asked, "error": event.error}
        case _:
            return {name: getattr(event, name) for name in event.__struct_fields__}
