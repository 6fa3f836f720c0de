"""Records for tests of stores: each is whole, and takes whatever is to be different."""

from __future__ import annotations

from typing import Any

from fanwise.model import (
    ItemOutcome,
    LogEntry,
    RecordedEvent,
    RunRecord,
    Sleep,
    Status,
    VisitRecord,
)

LONG_RESULT = b'"' + "ü".encode() * 5_000 + b'"'


def a_run(run_id: str = "run-1", **changes: Any) -> RunRecord:
    """A run that has not started, with `changes`."""
    values: dict[str, Any] = {
        "run_no": 0,
        "id": run_id,
        "workflow": "monitor",
        "file": "/flows/monitor.yaml",
        "definition": "tasks: []",
        "parameters": b"{}",
        "status": Status.PENDING,
        "created_at": 1_700_000_000.25,
    }
    return RunRecord(**values | changes)


def a_task(run_no: int, visit_no: int = 1, **changes: Any) -> VisitRecord:
    """A running task, with `changes`."""
    values: dict[str, Any] = {"path": f"task_{visit_no}", "visit": 1, "status": Status.RUNNING}
    return VisitRecord(run_no, visit_no, **values | changes)


def an_item(run_no: int, index: int, *, visit_no: int = 1, **changes: Any) -> ItemOutcome:
    """An item that succeeded, with `changes`."""
    values: dict[str, Any] = {
        "status": Status.SUCCEEDED,
        "attempts": 1,
        "started_at": 1_700_000_000.125,
        "duration_s": 0.1,
        "output": b"%d" % index,
    }
    return ItemOutcome(run_no, visit_no, index, **values | changes)


def an_event(run_no: int, seq: int, **changes: Any) -> RecordedEvent:
    """An event, with `changes`."""
    values: dict[str, Any] = {"kind": "TaskEnded", "data": b"{}"}
    return RecordedEvent(run_no, seq, **values | changes)


def a_log(run_no: int, path: str = "check", **changes: Any) -> LogEntry:
    """The log of the first attempt of a task without items, with `changes`."""
    values: dict[str, Any] = {
        "visit_no": 1,
        "index": None,
        "attempt": 1,
        "at": 1_700_000_000.125,
        "text": "INFO check: hello\n",
    }
    return LogEntry(run_no, path=path, **values | changes)


def a_sleep(run_no: int, path: str = "check", **changes: Any) -> Sleep:
    """The first sleep of an attempt, with `changes`."""
    values: dict[str, Any] = {"turn": 1, "due_at": 1_700_000_060.5}
    return Sleep(run_no, path, **values | changes)
