"""Errors of evaluations: `EvaluationError` inside this package, `TemplateError` outside of it.

An operation knows the reason, but neither the expression nor the file; `located` adds both. A
reason quotes names and types, never a value from a context: it may be a secret.
"""

from __future__ import annotations

from fanwise.errors import AttemptError, LimitError, Place, ResultError, TemplateError

QUOTED = 100
"""Characters of a template's text that a message quotes at most."""


class EvaluationError(Exception):  # It is an error only once it is located.
    """An evaluation can't go on: `reason` says why, `hint` what to do, `setting` names a limit."""

    def __init__(self, reason: str, hint: str = "", *, setting: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.setting = setting


MISFITS = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError)
"""Python's errors for unfit values of an operation. Their texts may quote the values."""

REFUSALS = (EvaluationError, ResultError, RecursionError, *MISFITS)
"""All errors of an evaluation before `located` has added the place."""


def located(error: Exception, text: str, place: Place | None) -> AttemptError:
    """The error to raise for one of `REFUSALS`, which came out of the template text `text`."""
    reason, hint, setting = "its values don't fit what is done with them.", "", ""
    if isinstance(error, EvaluationError):
        reason, hint, setting = error.reason, error.hint, error.setting
    elif isinstance(error, ResultError):
        reason, hint = error.message, error.hint
    elif isinstance(error, RecursionError):
        reason = "it is nested too deeply to be evaluated."
    message = f"in {quoted(text)}: {reason}"
    if place is not None:
        message = f"{place}  {message}"
    if setting:
        return LimitError(message, setting=setting, hint=hint)
    return TemplateError(message, hint=hint)


def quoted(text: str) -> str:
    """A template's text as messages quote it: one line, cut after `QUOTED` characters."""
    line = " ".join(text[: 4 * QUOTED].split())
    return line if len(line) <= QUOTED else f"{line[:QUOTED]}..."
