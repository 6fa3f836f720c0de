"""The outcome of an attempt that waited, from its wait once that is settled."""

from __future__ import annotations

from fanwise.errors import ActionError, AttemptError, AttemptTimeoutError
from fanwise.model import Wait, WaitKind, WaitState
from fanwise.plan.questions import REJECT, read_question
from fanwise.values import Json, decode


def outcome_of(wait: Wait) -> Json | AttemptError:
    """The result of the attempt, or the error that it ends with."""
    if wait.waits_for is WaitKind.SIGNAL:
        return _signal(wait)
    question = read_question(wait.form)
    default = question.default
    if wait.state is WaitState.ANSWERED:
        assert wait.answer is not None
        answer = decode(wait.answer)
    elif default is not None:
        answer = default
    else:
        return _overdue(wait, "nobody has answered the question")
    result: Json = {
        "choice": answer["choice"],
        "answer": answer["answer"],
        "by": wait.by,
        "at": wait.settled_at,
        "via": wait.via,
        "timed_out": wait.state is WaitState.EXPIRED,
    }
    if question.reject_fails and answer["choice"] == REJECT:
        who = "by default" if wait.by is None else f"by {wait.by}"
        return ActionError(f"rejected {who}", type="Rejected", data=result, retry=False)
    return result


def _signal(wait: Wait) -> Json | AttemptError:
    if wait.state is not WaitState.ANSWERED:
        return _overdue(wait, "no signal has come")
    assert wait.answer is not None
    return {**decode(wait.answer), "by": wait.by, "at": wait.settled_at}


def _overdue(wait: Wait, what: str) -> AttemptError:
    assert wait.deadline is not None
    span_s = wait.deadline - wait.opened_at
    return AttemptTimeoutError(f"{what} within {span_s:,.0f} s, the task's timeout")
