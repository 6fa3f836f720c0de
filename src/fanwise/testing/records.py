"""Records for tests of stores: each is whole, and takes whatever is to be different."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from fanwise.model import (
    ItemOutcome,
    LogEntry,
    Record,
    RecordedEvent,
    RunRecord,
    Sleep,
    Status,
    VisitRecord,
)

LONG_RESULT = b'"' + "ü".encode() * 5_000 + b'"'


def a_run(run_id: str = "run-1", **changes: object) -> RunRecord:
    """A run that has not started, with `changes`."""
    run = RunRecord(
        run_no=0,
        id=run_id,
        workflow="monitor",
        file="/flows/monitor.yaml",
        definition="tasks: []",
        parameters=b"{}",
        status=Status.PENDING,
        created_at=1_700_000_000.25,
    )
    return replace(run, **changes)


def a_task(run_no: int, visit_no: int = 1, **changes: object) -> VisitRecord:
    """A running task, with `changes`."""
    task = VisitRecord(run_no, visit_no, f"task_{visit_no}", 1, Status.RUNNING)
    return replace(task, **changes)


def an_item(run_no: int, index: int, *, visit_no: int = 1, **changes: object) -> ItemOutcome:
    """An item that succeeded, with `changes`."""
    item = ItemOutcome(
        run_no,
        visit_no,
        index,
        status=Status.SUCCEEDED,
        attempts=1,
        started_at=1_700_000_000.125,
        duration_s=0.1,
        output=b"%d" % index,
    )
    return replace(item, **changes)


def an_event(run_no: int, seq: int, **changes: object) -> RecordedEvent:
    """An event, with `changes`."""
    return replace(RecordedEvent(run_no, seq, kind="TaskEnded", data=b"{}"), **changes)


def a_log(run_no: int, path: str = "check", **changes: object) -> LogEntry:
    """The log of the first attempt of a task without items, with `changes`."""
    log = LogEntry(
        run_no,
        visit_no=1,
        index=None,
        attempt=1,
        path=path,
        at=1_700_000_000.125,
        text="INFO check: hello\n",
    )
    return replace(log, **changes)


def as_written(records: Iterable[Record]) -> list[Record]:
    """Records, of which logs are without the numbers that a store has given them."""
    return [
        replace(record, log_no=0) if isinstance(record, LogEntry) else record for record in records
    ]


def a_sleep(run_no: int, path: str = "check", **changes: object) -> Sleep:
    """The first sleep of an attempt, with `changes`."""
    return replace(Sleep(run_no, path, turn=1, due_at=1_700_000_060.5), **changes)
