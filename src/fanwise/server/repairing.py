"""Runs are retried with a repaired definition, which is code: an administrator gives it.

A server takes none unless it was started so.
"""

from __future__ import annotations

from typing import Final

from fanwise.errors import DefinitionError
from fanwise.model import Role
from fanwise.server.control import RETRY_ERRORS, RetryRun, changed, notes_of, retry_plan, retry_run
from fanwise.server.finding import run_of
from fanwise.server.problems import Refusal
from fanwise.server.project_views import ChangedRun, RetryPlan
from fanwise.server.routes import Answer, Call, Route


class RepairRun(RetryRun, frozen=True, kw_only=True):
    """A retry with the text of a repaired workflow.

    Workflows that it calls are those that are recorded of the run.
    """

    definition: str


def check_repair(call: Call) -> Answer:
    """Tell what a retry with a repaired definition would do with each task; nothing is changed."""
    body = _body(call)
    run = run_of(call)
    return retry_plan(run, notes_of(call, run, body, body.definition))


def repair(call: Call) -> Answer:
    """Retry a run with a repaired definition, which is the run's from then on.

    The server has to be started with `--allow-inline`.
    """
    body = _body(call)
    run = run_of(call)
    retry_run(call, run, body, body.definition)
    return changed(call, run, "retry")


def _body(call: Call) -> RepairRun:
    """The body, if this server takes definitions. Raises `Refusal`."""
    if not call.parts.takes_definitions:
        raise Refusal(
            403,
            "no-inline",
            "This server takes no definitions of workflows.",
            hint="Start it with --allow-inline, or repair the run where its store is: "
            f"fanwise retry {call.names['run_id']} --file FILE",
        )
    return call.body(RepairRun)


_RUN: Final = "/api/v1/runs/{run_id}"
_ERRORS: Final = (*RETRY_ERRORS, DefinitionError)

ROUTES: Final = (
    Route(
        method="POST",
        path=f"{_RUN}/repair",
        handler=repair,
        role=Role.ADMIN,
        body=RepairRun,
        answer=ChangedRun,
        status=202,
        errors=_ERRORS,
        audit="repair",
    ),
    Route(
        method="POST",
        path=f"{_RUN}/repair/check",
        handler=check_repair,
        role=Role.ADMIN,
        body=RepairRun,
        answer=RetryPlan,
        errors=_ERRORS,
        audit="check-repair",
    ),
)
