"""Runs are paused, resumed, cancelled, retried and deleted.

An engine that drives a run gets a request. For a run that nobody drives an order waits, with which
an engine takes it; this process drives nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    ChosenKind,
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
_Task = Annotated[str, msgspec.Meta(max_length=500)]
_Kind = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class Nothing(Fields, frozen=True, kw_only=True):
    """An empty object."""


class ResumeRun(Fields, frozen=True, kw_only=True):
    """With `force` files are read further that have changed."""

    force: bool = False


class RetryQuery(Fields, frozen=True, kw_only=True):
    """A retry, that starts at `from_task` if it is given, also if that had succeeded.

    With `items_of` a task and a `kind` of errors, by its number, just those of its failed items run
    again.
    """

    from_task: _Task | None = None
    items_of: _Task | None = None
    kind: _Kind | None = None

    @property
    def kind_of(self) -> ChosenKind | None:
        """The items that are chosen, if some are. Raises `Refusal`."""
        if self.items_of is None and self.kind is None:
            return None
        if self.items_of is None or self.kind is None or self.from_task is not None:
            detail = "`items_of` and `kind` go together, without `from_task`."
            raise Refusal(400, "bad-request", detail)
        return ChosenKind(self.items_of, self.kind)


class RetryRun(RetryQuery, frozen=True, kw_only=True):
    """A retry as it can be checked first. With `force` files are read further that have changed."""

    force: bool = False


def pause(call: Call) -> Answer:
    """Ask the engine that drives a run to pause it: nothing new starts, the rest finishes."""
    run = run_of(call)
    pause_run(call, run)
    return changed(call, run, "pause")


def cancel(call: Call) -> Answer:
    """Cancel a run: all is cut off, but `finally` runs."""
    run = run_of(call)
    cancel_run(call, run)
    return changed(call, run, "cancel")


def resume(call: Call) -> Answer:
    """Resume a run that was paused, or whose process has died: the next free engine takes it."""
    run = run_of(call)
    resume_run(call, run, force=call.body(ResumeRun).force)
    return changed(call, run, "resume")


def check_retry(call: Call) -> Answer:
    """Tell what a retry of a run would do with each task; nothing is changed."""
    run = run_of(call)
    return retry_plan(run, notes_of(call, run, call.query(RetryQuery)))


def retry(call: Call) -> Answer:
    """Do again what failed of a run, and what comes after it; the rest is kept."""
    run = run_of(call)
    retry_run(call, run, call.body(RetryRun))
    return changed(call, run, "retry")


def delete(call: Call) -> Answer:
    """Delete a run that is over or paused, with all its records."""
    delete_run(call, run_of(call))
    return Answer(b"", status=204)


def pause_run(call: Call, run: RunRecord) -> None:
    """Ask for a pause. Raises a `ConflictError`."""
    call.parts.runs.pause(run)


def cancel_run(call: Call, run: RunRecord) -> None:
    """Cancel a run, or have it cancelled. Raises a `ConflictError` and `ParameterError`."""
    runs = call.parts.runs
    require_open(run)
    if runs.owner(run) is not None:
        runs.send(run, RequestKind.CANCEL)
    elif not call.parts.store.end_waiting(run, call.who.name):
        _order(call, run, RunOrder(kind=OrderKind.CANCEL, by=call.who.name))


def resume_run(call: Call, run: RunRecord, *, force: bool = False) -> None:
    """Have a run resumed. Raises a `ConflictError` and `ParameterError`."""
    require_open(run)
    _order(call, run, RunOrder(kind=OrderKind.RESUME, by=call.who.name, force=force))


def retry_run(call: Call, run: RunRecord, how: RetryRun, definition: str | None = None) -> None:
    """Have a run retried, with the text of a repaired workflow if that is given.

    Raises a `ConflictError`, `ParameterError` and what a retry raises.
    """
    notes_of(call, run, how, definition)
    order = RunOrder(
        kind=OrderKind.RETRY,
        by=call.who.name,
        from_task=how.from_task,
        kind_of=how.kind_of,
        definition=definition,
        force=how.force,
    )
    _order(call, run, order)


def delete_run(call: Call, run: RunRecord) -> None:
    """Delete a run. Raises `RunNotOverError`."""
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


def notes_of(
    call: Call, run: RunRecord, how: RetryQuery, definition: str | None = None
) -> Sequence[RerunNote]:
    """Return the effects of a retry; see `retry_run`."""
    if not run.status.is_final:
        raise RunNotOverError(
            f"run {run.id} isn't over yet, so nothing of it can be retried.",
            run_id=run.id,
            status=run.status,
            hint="Wait for its end, or resume it if nobody drives it.",
        )
    store, settings = call.parts.store, call.parts.settings
    return retry_notes(store, run, settings, how.from_task, how.kind_of, definition).tasks


def retry_plan(run: RunRecord, notes: Sequence[RerunNote]) -> Answer:
    """Return the answer that tells the effects of a retry."""
    return json_answer({"run_id": run.id, "tasks": [_note_object(each) for each in notes]})


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


def changed(call: Call, run: RunRecord, asked: str) -> Answer:
    """Return the answer about a run for which something was asked."""
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


RETRY_ERRORS: Final = (RunNotFoundError, RunNotOverError, RunDrivenError, ParameterError)
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
        errors=RETRY_ERRORS,
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
