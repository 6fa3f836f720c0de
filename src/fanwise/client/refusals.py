"""Errors of answers: a problem that a server tells becomes the error that it was there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from fanwise import errors
from fanwise.errors import (
    ConflictError,
    DefinitionError,
    Diagnostic,
    FanwiseError,
    NotFoundError,
    ParameterError,
    Place,
    ServerError,
    StoreError,
    UsageError,
)

_TOLD: Final = (NotFoundError, ConflictError, ParameterError, UsageError, StoreError)
_CLASSES: Final[Mapping[str, type[FanwiseError]]] = {
    each.code: each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, _TOLD)
}


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""

    def diagnostic(self) -> Diagnostic:
        return Diagnostic(
            Place(self.file, self.line, self.column), self.code, self.message, self.hint
        )


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    detail: str
    hint: str = ""
    problems: tuple[_Placed, ...] = ()
    facts: Mapping[str, str] = {}


_read = msgspec.json.Decoder(_Problem).decode


def error_of(status: int, body: bytes, place: str) -> FanwiseError:
    """Return the error that the answer of the server at `place` tells.

    It is a `ServerError` for a refusal that only servers have, and for an answer of something else.
    """
    try:
        problem = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ServerError(
            f"{place} answers with the status {status}, and not as a fanwise server does.",
            reason="foreign",
            status=status,
            hint="Check the address, and what is in front of the server.",
        )
    if problem.problems:
        return DefinitionError(tuple(each.diagnostic() for each in problem.problems))
    kind = _CLASSES.get(problem.code)
    if kind is not None:
        try:
            return kind(problem.detail, hint=problem.hint, **problem.facts)
        except TypeError:  # a refusal of the server's own under this code, which has no facts
            pass
    message = f"{place} refuses the request ({problem.code}): {problem.detail}"
    return ServerError(message, reason=problem.code, status=status, hint=problem.hint)
