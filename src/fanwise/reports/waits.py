"""Open waits as people see them: the question that is asked, or the signal that is waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fanwise.model import Wait, WaitKind
from fanwise.values import Json, decode

if TYPE_CHECKING:
    from fanwise.plan.questions import Question


class Answered(NamedTuple):
    """An answer that counts: where it was asked, by whom and when it was given, and what it is.

    The last two are None for an answer that is kept for its question.
    """

    path: str
    by: str | None
    at: float | None
    given: Mapping[str, Json] | None


def answered(wait: Wait | None, path: str, by: str) -> Answered:
    """The answer that has settled a wait, or that `by` has given for a question at `path`."""
    if wait is None:
        return Answered(path, by, None, None)
    given = {} if wait.answer is None else decode(wait.answer)
    return Answered(wait.path, wait.by, wait.settled_at, given)


def is_question(wait: Wait) -> bool:
    """Say whether an answer ends the wait."""
    return wait.waits_for is WaitKind.QUESTION


def is_asked(wait: Wait, name: str, starter: str) -> bool:
    """Say whether a question of a run that `starter` has started is for a person of this name."""
    return _question(wait).asks(name, starter)


def what_for(wait: Wait) -> str:
    """The prompt of a question, or the names of the signals and their key."""
    if is_question(wait):
        return _question(wait).prompt
    key = "" if wait.key is None else f' with the key "{wait.key}"'
    return f"signal {' or '.join(wait.names)}{key}"


def options_of(wait: Wait) -> Sequence[str]:
    """The options of a question; none of a wait for a signal."""
    return _question(wait).options if is_question(wait) else ()


def _question(wait: Wait) -> Question:
    from fanwise.plan.questions import read_question  # it brings the compiler of workflows

    return read_question(wait.form)
