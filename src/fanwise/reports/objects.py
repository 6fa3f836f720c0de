"""Runs, tasks, items and logs as objects for programs: the forms of `--json`.

Times are ISO 8601 in UTC, spans are in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from fanwise.model import (
    EngineRecord,
    ErrorInfo,
    FailedAttempt,
    ItemCounts,
    ItemOutcome,
    KvEntry,
    LogEntry,
    OpenWait,
    RunRecord,
    Submission,
    TaskSummary,
    Token,
    VisitRecord,
)
from fanwise.reports.limits import LimitInUse, NamedLimitInUse
from fanwise.reports.overview import Overview
from fanwise.reports.ownership import visit_status
from fanwise.reports.progress import ItemProgress
from fanwise.reports.timing import RunTime, TaskTime
from fanwise.reports.waits import is_question
from fanwise.values import Json, JsonObject, decode, thaw

MEDIAN: Final = 0.5
P95: Final = 0.95
"""The quantiles of items' times that are shown."""

read_error = msgspec.json.Decoder(ErrorInfo).decode
"""Read the error that an item recorded."""

read_attempts = msgspec.json.Decoder(tuple[FailedAttempt, ...]).decode
"""Read the failed attempts that an item recorded."""


def iso_time(at: float | None) -> str | None:
    """Return seconds since the epoch as ISO 8601 in UTC, with milliseconds."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span_s(started_at: float | None, ended_at: float | None) -> float | None:
    """Return the seconds between two times, or None if one is unknown; a clock may be set back."""
    return None if started_at is None or ended_at is None else max(0.0, ended_at - started_at)


def run_object(seen: Overview, *, has_outputs: bool = True) -> JsonObject:
    """Return a run as it stands, with its output and its tasks, without or with their outputs."""
    run = seen.run
    return {
        "run_id": run.id,
        "workflow": run.workflow,
        "status": seen.status,
        "started_at": iso_time(run.started_at),
        "ended_at": iso_time(run.ended_at),
        "duration_s": run.duration_s,
        "output": thaw(run.output),
        "error": error_object(run.error),
        "tasks": {
            name: _task_object(seen, task, has_output=has_outputs)
            for name, task in run.tasks.items()
        },
    }


def listed_object(
    run: RunRecord, status: str, duration_s: float | None, place: Submission | None
) -> JsonObject:
    """Return a run of a list, with the status to show.

    It has the seconds for which it was driven, and its place in a queue if it was submitted.
    """
    return {
        "run_id": run.id,
        "workflow": run.workflow,
        "status": status,
        "started_at": iso_time(run.started_at),
        "ended_at": iso_time(run.ended_at),
        "duration_s": duration_s,
        "tags": run.tags,
        **place_object(place),
    }


def place_object(place: Submission | None) -> JsonObject:
    """Return the place of a run in a queue; all of it is null if the run wasn't submitted."""
    if place is None:
        return dict.fromkeys(("queue", "priority", "tries", "why"))
    return {
        "queue": place.queue,
        "priority": place.priority,
        "tries": place.tries,
        "why": place.why or None,
    }


def engine_object(engine: EngineRecord) -> JsonObject:
    """Return an engine with the runs that it drives."""
    return {
        "engine": engine.engine_no,
        "host": engine.owner.host,
        "pid": engine.owner.pid,
        "since": iso_time(engine.since),
        "silent_s": engine.silent_s,
        "lease_s": engine.owner.lease_s,
        "runs": engine.runs,
    }


def token_object(token: Token) -> JsonObject:
    """Return a token of a server, without its secret."""
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "workflows": token.workflows,
        "made_at": iso_time(token.made_at),
        "expires_at": iso_time(token.expires_at),
        "used_at": iso_time(token.used_at),
        "revoked_at": iso_time(token.revoked_at),
    }


def wait_object(found: OpenWait) -> JsonObject:
    """Return an open wait with its run, and its question if it has one."""
    wait = found.wait
    shown: JsonObject = {
        "run_id": found.run_id,
        "workflow": found.workflow,
        "path": wait.path,
        "waits_for": wait.waits_for.value,
        "since": iso_time(wait.opened_at),
        "until": iso_time(wait.deadline),
    }
    if is_question(wait):
        return shown | {"question": decode(wait.form)}
    return shown | {"events": list(wait.names), "key": wait.key}


def key_object(entry: KvEntry, *, reveal: bool) -> JsonObject:
    """Return a key with its value, which is null for a secret that isn't to be shown."""
    return {
        "name": entry.name,
        "version": entry.version,
        "value": None if entry.is_secret and not reveal else decode(entry.value),
        "is_secret": entry.is_secret,
        "set_at": iso_time(entry.set_at),
        "set_by": entry.set_by,
        "until": iso_time(entry.expires_at),
    }


def limit_object(limit: LimitInUse) -> JsonObject:
    """Return a limit with the runs that have its slots."""
    use = limit.use
    return {
        "workflow": use.scope,
        "key": use.key,
        "used": len(use.holders),
        "slots": use.most,
        "waiting": use.waiting,
        "runs": use.holders,
        "interrupted": limit.interrupted,
    }


def named_limit_object(limit: NamedLimitInUse) -> JsonObject:
    """Return a named limit with the shares that engines have of it."""
    return {
        "limit": limit.name,
        "used": limit.running,
        "slots": limit.most,
        "engines": [
            {"engine": each.engine_no, "used": each.running, "slots": each.slots}
            for each in limit.shares
        ],
    }


def _task_object(seen: Overview, task: TaskSummary, *, has_output: bool) -> JsonObject:
    visit = seen.last.get(task.name)
    output = None if visit is None else visit.output
    shown: JsonObject = {
        "status": seen.task_status(task.name),
        "started_at": iso_time(task.started_at),
        "ended_at": iso_time(task.ended_at),
        "duration_s": seen.duration_s(task.name),
        "attempts": task.attempts,
    }
    if has_output:
        shown["output"] = None if output is None else thaw(decode(output))
    shown["error"] = error_object(task.error)
    if (items := seen.progress.get(task.name)) is not None:
        counts = progress_object(items)
        if task.items is not None and task.items.bad_records is not None:
            counts["bad_records"] = task.items.bad_records
        shown["items"] = counts
    return shown


def error_object(error: ErrorInfo | None) -> JsonObject | None:
    """Return an error without its traceback."""
    if error is None:
        return None
    return {"type": error.type, "message": error.message, "data": thaw(error.data)}


def step_object(step: VisitRecord, run_status: str) -> JsonObject:
    """Return a visit of a task, or of a step of a child workflow, in a run of a shown status."""
    return {
        "path": step.path,
        "visit": step.visit,
        "status": visit_status(step.status, run_status),
        "started_at": iso_time(step.started_at),
        "ended_at": iso_time(step.ended_at),
        "attempts": step.attempts,
        "earlier": _earlier(step.earlier),
        "output": None if step.output is None else thaw(decode(step.output)),
        "error": error_object(step.error),
        "snapshot_bytes": step.snapshot_bytes,
    }


def progress_object(items: ItemProgress) -> dict[str, Json]:
    """Return the counts of a task's items at this moment."""
    return {
        "total": items.total,
        "done": items.done,
        "succeeded": items.succeeded,
        "failed": items.failed,
    }


def counts_object(items: ItemCounts) -> JsonObject:
    """Return the counts of a visit's items."""
    counts: JsonObject = {
        "total": items.total,
        "done": items.succeeded + items.failed,
        "succeeded": items.succeeded,
        "failed": items.failed,
    }
    return counts if items.bad_records is None else counts | {"bad_records": items.bad_records}


def item_object(item: ItemOutcome) -> dict[str, object]:
    """Return an item. JSON text of it, which may be large, is `msgspec.Raw` as recorded."""
    error = None if item.error is None else read_error(item.error)
    return {
        "index": item.index,
        "status": item.status,
        "attempts": item.attempts,
        "output": None if item.output is None else msgspec.Raw(item.output),
        "error": None if error is None else msgspec.structs.asdict(error),
        "started_at": iso_time(item.started_at),
        "duration_s": item.duration_s,
        "label": item.label,
        "item": None if item.item is None else msgspec.Raw(item.item),
        "earlier": [] if item.earlier is None else _earlier(read_attempts(item.earlier)),
    }


def _earlier(attempts: Sequence[FailedAttempt]) -> list[JsonObject]:
    """Return the failed attempts that others followed."""
    return [
        msgspec.structs.asdict(each) | {"started_at": iso_time(each.started_at)}
        for each in attempts
    ]


def log_object(log: LogEntry) -> JsonObject:
    """Return a part of the log of an attempt."""
    return {
        "path": log.path,
        "index": log.index,
        "label": log.label,
        "attempt": log.attempt,
        "written_at": iso_time(log.at),
        "text": log.text,
    }


def timing_object(time: RunTime) -> JsonObject:
    """Return the times of a run, with the longest tasks by name."""
    return {
        "span_s": time.span_s,
        "driven_s": time.driven_s,
        "idle_s": time.idle_s,
        "critical_path": time.critical,
        "tasks": {task.path: _task_time_object(task) for task in time.tasks},
    }


def _task_time_object(task: TaskTime) -> JsonObject:
    shown: JsonObject = {"span_s": task.span_s, "waited_s": task.waited_s}
    if task.items is not None:
        shown["items"] = {
            "per_s": task.items_per_s,
            "at_once": task.at_once,
            "median_s": task.items.quantile(MEDIAN),
            "p95_s": task.items.quantile(P95),
            "is_sampled": task.items.is_sampled,
            "slowest": [
                {"index": item.index, "label": item.label, "duration_s": item.duration_s}
                for item in task.items.slowest
            ],
        }
    return shown
