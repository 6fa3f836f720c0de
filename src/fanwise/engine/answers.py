"""Answers to questions and signals to runs, from people and programs.

The store decides which answer counts, whether an engine drives the run or nobody does.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Protocol

from fanwise.errors import NotAskedError, WaitNotFoundError, WaitSettledError
from fanwise.model import RunRecord, Signal, Wait, WaitKind, WaitState
from fanwise.plan.questions import Question, check_answer, read_question
from fanwise.plan.texts import require_text
from fanwise.ports import Waits
from fanwise.reports.lookup import require_open
from fanwise.values import Json, encode, freeze

_MOST_NAMED = 100


class ReadAnswer(Protocol):
    """Gives the fields of an answer to a question, by their names."""

    def __call__(self, form: bytes, place: str) -> Mapping[str, Json]:
        """The fields for the question that was recorded as `form`. Raises `ParameterError`."""


def answer_question(
    waits: Waits,
    run: RunRecord,
    path: str,
    choice: str | None,
    read: ReadAnswer,
    *,
    by: str,
    via: str,
    turn: int | None = None,
    identity: str | None = None,
) -> Wait:
    """Answer the question of the task or item at `path`, and return its wait.

    With a `turn` it is the question of that attempt, and no later one. `by` is the name that the
    one who answers gives, and `identity` the one that is proven, if one is.

    Raises `WaitNotFoundError` if nothing is asked there, `NotAskedError` if the question isn't for
    the one who answers, `WaitSettledError` if it has been answered already or its deadline has
    come, `ParameterError` for an answer that doesn't fit, `UsageError` for a name of nobody, and
    `RunOverError`.
    """
    require_open(run)
    require_text("the name of who answers", by, "such as ada")
    wait = _find_question(waits, run, path, turn)
    place = f"{run.id} {wait.path}"
    question = read_question(wait.form)
    if wait.state is WaitState.OPEN:
        _require_asked(run, place, question, by, identity)
        answer = check_answer(question, choice, read(wait.form, place), place=place)
        given = encode(answer, where="answer")
        wait = waits.answer_wait(run.run_no, wait.path, wait.turn, given, by=by, via=via)
        if (wait.state, wait.answer, wait.by, wait.via) == (WaitState.ANSWERED, given, by, via):
            return wait
    raise WaitSettledError(
        f"{place}  {settled_words(wait)}.", run_id=run.id, hint=f"See: fanwise show {run.id}"
    )


def _require_asked(
    run: RunRecord, place: str, question: Question, by: str, identity: str | None
) -> None:
    """Raise `NotAskedError` for who has started the run, and whose identity isn't asked."""
    starter = run.origin.starter
    name = by if identity is None else identity
    if not (question.may_answer(by, starter) and question.may_answer(name, starter)):
        raise NotAskedError(
            f"{place}  the question isn't for {starter}, who has started the run.",
            run_id=run.id,
            hint="Somebody else has to answer it.",
        )
    if identity is not None and not question.asks(identity, starter):
        raise NotAskedError(
            f"{place}  the question is for {' or '.join(question.who)}, and not for {identity}.",
            run_id=run.id,
            hint="Answer it with a token, or a link, of one of these names.",
        )


def send_signal(
    waits: Waits, run: RunRecord, name: str, key: str | None, payload: Json, *, by: str
) -> Wait | None:
    """Send a signal to a run, and return the wait that it ends; None if it is kept for later.

    Raises `RunOverError`, and `UsageError` for a name, a key or a sender that can't be.
    """
    require_open(run)
    require_text("the name of a signal", name, "that the workflow names as `event`")
    if key is not None:
        require_text("the key of a signal", key, "such as order-7")
    require_text("the sender of a signal", by, "such as ada")
    data = encode(freeze(payload, where="payload"))
    return waits.send_signal(run.run_no, Signal(name, key, data, by))


def _find_question(waits: Waits, run: RunRecord, path: str, turn: int | None) -> Wait:
    """The latest question at a path, or the open one of a later visit of the task there."""
    found = waits.waits_at(run.run_no, path)
    for each in found:
        if each.turn == turn:
            return each
    if not found or found[-1].state is not WaitState.OPEN:
        is_open = waits.waits_open(run_no=run.run_no, limit=_MOST_NAMED)
        later = [each.wait for each in is_open if _without_visits(each.wait.path) == path]
        found = later[:1] or found
    if found and found[-1].waits_for is WaitKind.QUESTION:
        return found[-1]
    paths = [
        each.wait.path
        for each in waits.waits_open(run_no=run.run_no, limit=_MOST_NAMED)
        if each.wait.waits_for is WaitKind.QUESTION
    ]
    near = difflib.get_close_matches(path, paths, n=1) or paths[:1]
    hint = f'It asks at "{near[0]}".' if near else "`fanwise asks` lists the open questions."
    if found:
        hint = f"It waits for a signal there: fanwise signal {run.id} {found[-1].names[0]}"
    raise WaitNotFoundError(
        f'run {run.id} asks nothing at "{path}".', run_id=run.id, path=path, hint=hint
    )


def _without_visits(path: str) -> str:
    """A path without the visits of its tasks: `poll` for `poll#2`."""
    parts = [part.partition("#") for part in path.split(".")]
    return ".".join(head + "[" * ("[" in tail) + tail.partition("[")[2] for head, _, tail in parts)


def settled_words(wait: Wait) -> str:
    """The words for what has settled a question."""
    match wait.state:
        case WaitState.ANSWERED:
            return f"the question has been answered by {wait.by}, so this answer comes too late"
        case WaitState.EXPIRED:
            return "the question's deadline has come, so this answer comes too late"
        case _:
            return "the question is closed: its task has ended without an answer"
