"""Reports for the command line of another machine: records as they are, of one version alone."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from fanwise.errors import ConflictError, RunNotFoundError, TaskNotFoundError, UsageError
from fanwise.model import Role
from fanwise.reports.asking import answered
from fanwise.reports.sight import Sight
from fanwise.server.problems import Refusal
from fanwise.server.routes import Answer, Call, Fields, Route

_TYPE: Final = "application/msgpack"


class ReportQuery(Fields, frozen=True, kw_only=True):
    """The version of fanwise that asks, and the arguments of the question, a JSON object."""

    version: str
    given: str = "{}"


def get_report(call: Call) -> Answer:
    """Answer a question of `fanwise --server`, in MessagePack.

    Questions and answers are those of one version of fanwise, and change with it: programs use the
    other paths.
    """
    query, own = call.query(ReportQuery), version("fanwise")
    if query.version != own:
        raise Refusal(
            409,
            "other-version",
            f"The server has fanwise {own}, and the command line {query.version}.",
            hint=f"Install the same version: pip install fanwise=={own}",
        )
    parts, who = call.parts, call.who
    sees = who.sees if who.workflows else None
    sight = Sight(parts.store, parts.runs, parts.settings.limits, parts.clock.now(), who.name, sees)
    answer = answered(call.names["question"], query.given, sight)
    if answer is None:
        raise Refusal(404, "not-found", "There is no such question.")
    return Answer(answer, _TYPE)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/reports/{question}",
        handler=get_report,
        role=Role.READ,
        query=ReportQuery,
        errors=(ConflictError, RunNotFoundError, TaskNotFoundError, UsageError),
    ),
)
