"""Problems as answers: RFC 9457's `application/problem+json`, from the errors of fanwise. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from fanwise.errors import (
    ActionLoadError,
    ConflictError,
    DefinitionError,
    Diagnostic,
    FanwiseError,
    LimitError,
    NotAskedError,
    NotFoundError,
    ParameterError,
    SignatureError,
    StoreError,
    UsageError,
)

PROBLEM_TYPE: Final = "application/problem+json"


class PlacedProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One of the problems of a workflow's file: its line and column count from 1."""

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request that wasn't carried out: its status, a code for programs, the cause and the remedy.

    `problems` are those of a workflow's file. `facts` name what an error is about: the `run_id`,
    and the `status`, the `task` or the `path` that it has.
    """

    status: int
    title: str
    code: str
    detail: str
    hint: str = ""
    problems: tuple[PlacedProblem, ...] = ()
    facts: Mapping[str, str] = {}
    type: str = "about:blank"
    request_id: str = ""


class Refusal(Exception):  # noqa: N818 - the word for what is no fault of the server
    """A request that is refused before its handler, or by it, with the headers of the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(
            status=status, title=TITLES[status], code=code, detail=detail, hint=hint
        )
        self.headers = headers or {}


TITLES: Final[Mapping[int, str]] = {
    400: "Bad request",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    410: "Gone",
    413: "Too large",
    415: "Unsupported type",
    421: "Wrong host",
    422: "Unprocessable",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}

_STATUSES: Final[Mapping[type[FanwiseError], int]] = {
    NotFoundError: 404,
    ConflictError: 409,
    NotAskedError: 403,
    DefinitionError: 422,
    ParameterError: 422,
    ActionLoadError: 422,
    LimitError: 413,
    SignatureError: 401,
    UsageError: 400,
    StoreError: 503,
}


def status_of(error: type[FanwiseError]) -> int:
    """Return the status of an answer that tells an error of this class."""
    return next((_STATUSES[each] for each in error.__mro__ if each in _STATUSES), 500)


def problem_of(error: FanwiseError) -> Problem:
    """Return an error as a problem, in its own words."""
    status = status_of(type(error))
    is_listed = isinstance(error, DefinitionError)
    return Problem(
        status=status,
        title=TITLES[status],
        code=error.code,
        detail="The workflow has problems." if is_listed else error.message,
        hint=error.hint,
        problems=placed(error.problems) if isinstance(error, DefinitionError) else (),
        facts=_facts(error) if isinstance(error, NotFoundError | ConflictError) else {},
    )


def placed(problems: Sequence[Diagnostic]) -> tuple[PlacedProblem, ...]:
    """Return problems of a workflow's file as answers tell them."""
    return tuple(
        PlacedProblem(
            file=each.place.file,
            line=each.place.line,
            column=each.place.column,
            code=each.code,
            message=each.message,
            hint=each.hint,
        )
        for each in problems
    )


def _facts(error: FanwiseError) -> Mapping[str, str]:
    told = {name: value for name, value in vars(error).items() if isinstance(value, str)}
    return {name: value for name, value in told.items() if name not in ("message", "hint")}
