"""Runs are paused, resumed, cancelled, retried and deleted.

An engine that drives a run gets a request. For a run that nobody drives an order waits, with which
an engine takes it; this process drives nothing.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from fanwise.errors import (
    ParameterError,
    RunDrivenError,
    RunNotDrivenError,
    RunNotFoundError,
    RunNotOverError,
    RunOverError,
)
from fanwise.model import (
    EndedRun,
    OrderKind,
    RequestKind,
    Role,
    RunOrder,
    RunRecord,
    Status,
    Submission,
)
from fanwise.ports import RerunNote
from fanwise.reports.lookup import require_open, run_by_id
from fanwise.server.finding import definition_of, run_of
from fanwise.server.problems import Refusal
from fanwise.server.project_views import ChangedRun, RetryPlan
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer
from fanwise.values import JsonObject
from fanwise.wiring import retry_notes

_TRIES: Final = 5


class Nothing(Fields, frozen=True, kw_only=True):
    """An empty object."""


class ResumeRun(Fields, frozen=True, kw_only=True):
    """With `force` files are read further that have changed."""

    force: bool = False


class RetryRun(Fields, frozen=True, kw_only=True):
    """A retry, that starts at `from_task` if it is given, also if that had succeeded.

    With `force` files are read further that have changed.
    """

    from_task: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    force: bool = False


class RetryQuery(Fields, frozen=True, kw_only=True):
    """The task at which a retry is to start, if it isn't where something failed."""

    from_task: str | None = None


def pause(call: Call) -> Answer:
    """Ask the engine that drives a run to pause it: nothing new starts, the rest finishes."""
    run = run_of(call)
    call.parts.runs.pause(run)
    return _changed(call, run, "pause")


def cancel(call: Call) -> Answer:
    """Cancel a run: all is cut off, but `finally` runs."""
    run, runs = run_of(call), call.parts.runs
    require_open(run)
    if runs.owner(run) is not None:
        runs.send(run, RequestKind.CANCEL)
    elif not call.parts.store.end_waiting(run, call.who.name):
        _order(call, run, RunOrder(kind=OrderKind.CANCEL, by=call.who.name))
    return _changed(call, run, "cancel")


def resume(call: Call) -> Answer:
    """Resume a run that was paused, or whose process has died: the next free engine takes it."""
    run, body = run_of(call), call.body(ResumeRun)
    require_open(run)
    _order(call, run, RunOrder(kind=OrderKind.RESUME, by=call.who.name, force=body.force))
    return _changed(call, run, "resume")


def check_retry(call: Call) -> Answer:
    """Tell what a retry of a run would do with each task; nothing is changed."""
    run, query = run_of(call), call.query(RetryQuery)
    notes = _notes(call, run, query.from_task)
    return json_answer({"run_id": run.id, "tasks": [_note_object(each) for each in notes]})


def retry(call: Call) -> Answer:
    """Do again what failed of a run, and what comes after it; the rest is kept."""
    run, body = run_of(call), call.body(RetryRun)
    _notes(call, run, body.from_task)
    order = RunOrder(
        kind=OrderKind.RETRY, by=call.who.name, from_task=body.from_task, force=body.force
    )
    _order(call, run, order)
    return _changed(call, run, "retry")


def delete(call: Call) -> Answer:
    """Delete a run that is over or paused, with all its records."""
    run = run_of(call)
    at = run.ended_at or run.started_at or run.created_at
    ended = EndedRun(run.run_no, run.id, run.workflow, run.status, at)
    is_open = run.status in (Status.PENDING, Status.RUNNING, Status.WAITING)
    if is_open or not call.parts.store.delete_run(ended):
        raise RunNotOverError(
            f"run {run.id} isn't over yet, so it can't be deleted.",
            run_id=run.id,
            status=run.status,
            hint="Cancel it first.",
        )
    call.parts.sweeper.wake()
    return Answer(b"", status=204)


def _notes(call: Call, run: RunRecord, from_task: str | None) -> tuple[RerunNote, ...]:
    """The effects of a retry. Raises a `ConflictError` if there is nothing to retry."""
    if not run.status.is_final:
        raise RunNotOverError(
            f"run {run.id} isn't over yet, so nothing of it can be retried.",
            run_id=run.id,
            status=run.status,
            hint="Wait for its end, or resume it if nobody drives it.",
        )
    return retry_notes(call.parts.store, run, call.parts.settings, from_task).tasks


def _order(call: Call, run: RunRecord, order: RunOrder) -> None:
    """Have a run wait for an engine with an order. Raises a `ConflictError` if one has it."""
    _require_recorded(call, run)
    store = call.parts.store
    for _ in range(_TRIES):
        lease = store.lease(run.run_no)
        place = call.parts.runs.submission(run)
        if call.parts.runs.owner(run) is not None:
            raise RunDrivenError(
                f"run {run.id} is driven by an engine.",
                run_id=run.id,
                hint="Pause it first, or wait for its end.",
            )
        if place is not None and place.is_waiting and order.kind is not OrderKind.CANCEL:
            raise RunDrivenError(
                f"run {run.id} waits for an engine already.",
                run_id=run.id,
                hint="Start one with: fanwise work",
            )
        new = Submission(priority=run.origin.priority)
        if store.order(run, order, new, after=0 if lease is None else lease.token):
            return
    raise Refusal(409, "conflict", "The run changes hands at this moment.", hint="Try again.")


def _require_recorded(call: Call, run: RunRecord) -> None:
    """Raise `ParameterError` if the run has secret parameters, which no engine could know."""
    definition = definition_of(call, run)
    declared = {} if definition is None else definition.parameters
    secret = [name for name in run.origin.given if name in declared and declared[name].secret]
    if secret:
        raise ParameterError(
            f'the secret parameter "{secret[0]}" of run {run.id} isn\'t recorded, so no engine '
            "can take the run.",
            hint=f"Give it again where the run is to be driven: fanwise resume {run.id}",
        )


def _changed(call: Call, run: RunRecord, asked: str) -> Answer:
    """The answer about a run for which something was asked."""
    found = run_by_id(call.parts.store, run.id)
    shown = {"run_id": run.id, "status": call.parts.runs.status(found), "asked": asked}
    return json_answer(shown, status=202)


def _note_object(note: RerunNote) -> JsonObject:
    return {
        "task": note.name,
        "is_kept": note.is_kept,
        "reason": None if note.reason is None else note.reason.value,
        "failed_items": note.failed_items,
    }


_ERRORS: Final = (RunNotFoundError, RunOverError, RunDrivenError, ParameterError)
_RUN: Final = "/api/v1/runs/{run_id}"

ROUTES: Final = (
    Route(
        method="POST",
        path=f"{_RUN}/pause",
        handler=pause,
        role=Role.RUN,
        body=Nothing,
        answer=ChangedRun,
        status=202,
        errors=(RunNotFoundError, RunOverError, RunNotDrivenError),
        audit="pause",
    ),
    Route(
        method="POST",
        path=f"{_RUN}/resume",
        handler=resume,
        role=Role.RUN,
        body=ResumeRun,
        answer=ChangedRun,
        status=202,
        errors=_ERRORS,
        audit="resume",
    ),
    Route(
        method="POST",
        path=f"{_RUN}/cancel",
        handler=cancel,
        role=Role.RUN,
        body=Nothing,
        answer=ChangedRun,
        status=202,
        errors=_ERRORS,
        audit="cancel",
    ),
    Route(
        method="GET",
        path=f"{_RUN}/retry",
        handler=check_retry,
        role=Role.READ,
        query=RetryQuery,
        answer=RetryPlan,
        errors=(RunNotFoundError, RunNotOverError),
    ),
    Route(
        method="POST",
        path=f"{_RUN}/retry",
        handler=retry,
        role=Role.RUN,
        body=RetryRun,
        answer=ChangedRun,
        status=202,
        errors=(RunNotFoundError, RunNotOverError, RunDrivenError, ParameterError),
        audit="retry",
    ),
    Route(
        method="DELETE",
        path=_RUN,
        handler=delete,
        role=Role.ADMIN,
        status=204,
        errors=(RunNotFoundError, RunNotOverError),
        audit="delete",
    ),
)
