"""Many runs at once: chosen by their ids or by conditions, counted first, then changed one by one.

A change that can't be made to a run is told with the reason, and the others are made. The server
remembers how far each request has come until it stops, which also ends those that are not done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Final

import msgspec

from fanwise.errors import FanwiseError, StoreError
from fanwise.model import AuditEntry, Role
from fanwise.reports.listing import find_runs
from fanwise.server.bulk_changes import Bulk
from fanwise.server.control import (
    RetryRun,
    cancel_run,
    delete_run,
    pause_run,
    resume_run,
    retry_run,
)
from fanwise.server.finding import find_seen
from fanwise.server.forwarding import address_of
from fanwise.server.problems import Problem, Refusal, problem_of
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer
from fanwise.server.run_views import BulkChoice, BulkView
from fanwise.server.runs import RunConditions, filters_of

MOST_RUNS: Final = 10_000
"""The most runs of one request."""

_PAGE: Final = 1_000
_Id = Annotated[str, msgspec.Meta(max_length=200)]

_log = logging.getLogger(__name__)


class ChosenRuns(Fields, frozen=True, kw_only=True):
    """Runs: those with these `ids`, or all that the conditions of `filter` hold for."""

    ids: Annotated[tuple[_Id, ...], msgspec.Meta(max_length=MOST_RUNS)] | None = None
    filter: RunConditions | None = None


class BulkChange(ChosenRuns, frozen=True, kw_only=True):
    """A change of many runs. With a `filter` it takes the number of runs to `expect`, as counted.

    If more runs fulfil the conditions by now, none is changed.
    """

    expect: Annotated[int, msgspec.Meta(ge=0)] | None = None


Change = Callable[[Call, str], None]


def check(call: Call) -> Answer:
    """Count the runs that a change would be made to, and name the first hundred of them."""
    run_ids = _chosen(call, call.body(ChosenRuns))
    return json_answer({"runs": len(run_ids), "run_ids": run_ids[:100]})


def pause(call: Call) -> Answer:
    """Pause many runs; see the pause of one."""
    return _begin(call, "pause", lambda call, run_id: pause_run(call, find_seen(call, run_id)))


def resume(call: Call) -> Answer:
    """Resume many runs; see the resumption of one."""
    return _begin(call, "resume", lambda call, run_id: resume_run(call, find_seen(call, run_id)))


def cancel(call: Call) -> Answer:
    """Cancel many runs; see the cancellation of one."""
    return _begin(call, "cancel", lambda call, run_id: cancel_run(call, find_seen(call, run_id)))


def retry(call: Call) -> Answer:
    """Retry many runs; see the retry of one."""
    how = RetryRun()
    return _begin(call, "retry", lambda call, run_id: retry_run(call, find_seen(call, run_id), how))


def delete(call: Call) -> Answer:
    """Delete many runs that are over or paused, with all their records."""
    return _begin(call, "delete", lambda call, run_id: delete_run(call, find_seen(call, run_id)))


def get_bulk(call: Call) -> Answer:
    """Tell how far a change of many runs has come, and which runs were refused, and why."""
    return _told(call.parts.bulks.find(call.names["id"], call.who.token_id), status=200)


def _begin(call: Call, action: str, change: Change) -> Answer:
    asked = call.body(BulkChange)
    if asked.filter is not None and asked.expect is None:
        raise Refusal(
            400,
            "bad-request",
            "A change by conditions says how many runs it expects.",
            hint="Count them first: POST /api/v1/bulk/check",
        )
    run_ids = _chosen(call, asked)
    if asked.expect is not None and len(run_ids) > asked.expect:
        raise Refusal(
            409,
            "changed",
            f"{len(run_ids):,} runs are chosen, and {asked.expect:,} were expected.",
            hint="Count them again: POST /api/v1/bulk/check",
        )
    bulk = Bulk(call.who.token_id, action, len(run_ids))
    call.parts.bulks.begin(bulk, lambda: _change_all(call, bulk, run_ids, change))
    return _told(bulk, status=202)


def _chosen(call: Call, asked: ChosenRuns) -> tuple[str, ...]:
    """The ids of the runs that are meant, each once. Raises `Refusal`."""
    if (asked.ids is None) == (asked.filter is None):
        raise Refusal(400, "bad-request", "Runs are chosen by `ids` or by a `filter`.")
    if asked.ids is not None:
        return tuple(dict.fromkeys(asked.ids))
    assert asked.filter is not None
    found = tuple(islice(_found(call, asked.filter), MOST_RUNS + 1))
    if len(found) > MOST_RUNS:
        raise Refusal(422, "too-many-runs", f"More than {MOST_RUNS:,} runs are chosen.")
    return found


def _found(call: Call, conditions: RunConditions) -> Iterator[str]:
    filters, before = filters_of(call, conditions), None
    while True:
        page = find_runs(call.parts.runs, filters, call.who.sees, before=before, limit=_PAGE)
        yield from (run.id for run, _ in page.runs)
        if (before := page.before) is None:
            return


def _change_all(call: Call, bulk: Bulk, run_ids: Sequence[str], change: Change) -> None:
    """Make a change to one run after the other, until all are done or the server stops."""
    try:
        for run_id in run_ids:
            if call.parts.watch.is_closed:
                return
            problem = _refusal(call, run_id, change)
            if problem is not None:
                bulk.refuse(run_id, problem)
            _note(call, bulk.action, run_id, 202 if problem is None else problem.status)
            bulk.done += 1
    finally:
        bulk.is_over = True


def _refusal(call: Call, run_id: str, change: Change) -> Problem | None:
    """Make a change to a run, and return why it can't be made, if so."""
    try:
        change(call, run_id)
    except Refusal as refusal:
        return refusal.problem
    except FanwiseError as error:
        return problem_of(error)
    except Exception:
        _log.exception("run %s (request %s)", run_id, call.request_id)
        return Refusal(500, "internal", "This is a fault of fanwise.").problem
    return None


def _note(call: Call, action: str, run_id: str, status: int) -> None:
    entry = AuditEntry(
        action=f"bulk-{action}",
        token_id=call.who.token_id,
        name=call.who.name,
        address=address_of(call.request, call.parts.site),
        target=f"/api/v1/runs/{run_id}",
        status=status,
        request_id=call.request_id,
    )
    try:
        call.parts.store.note_audit(entry)
    except StoreError as error:
        _log.error("%s of run %s isn't in the audit: %s", action, run_id, error)


def _told(bulk: Bulk, *, status: int) -> Answer:
    shown = {
        "id": bulk.id,
        "action": bulk.action,
        "runs": bulk.runs,
        "done": bulk.done,
        "refusals": bulk.refusals,
        "refused": [
            {"run_id": run_id, "code": each.code, "detail": each.detail, "hint": each.hint}
            for run_id, each in list(bulk.refused)
        ],
        "is_over": bulk.is_over,
    }
    return json_answer(shown, status=status)


_BULK: Final = "/api/v1/bulk"

ROUTES: Final = (
    Route(
        method="POST",
        path=f"{_BULK}/check",
        handler=check,
        role=Role.RUN,
        body=ChosenRuns,
        answer=BulkChoice,
        refuses=(422,),
        audit="check-bulk",
    ),
    *(
        Route(
            method="POST",
            path=f"{_BULK}/{handler.__name__}",
            handler=handler,
            role=Role.ADMIN if handler is delete else Role.RUN,
            body=BulkChange,
            answer=BulkView,
            status=202,
            refuses=(409, 422),
            audit=f"begin-bulk-{handler.__name__}",
        )
        for handler in (pause, resume, cancel, retry, delete)
    ),
    Route(method="GET", path=f"{_BULK}/{{id}}", handler=get_bulk, role=Role.RUN, answer=BulkView),
)
