"""Answers to questions and signals to runs, from people and programs.

The store decides which answer counts, whether an engine drives the run or nobody does. An answer
that comes before its question is kept until this is asked.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from msgspec.structs import replace

from fanwise.errors import (
    DefinitionError,
    NotAskedError,
    WaitNotFoundError,
    WaitSettledError,
)
from fanwise.model import (
    GivenAnswer,
    RunRecord,
    Signal,
    Wait,
    WaitKind,
    WaitState,
    without_visits,
)
from fanwise.plan import Plan
from fanwise.plan.asking import asking_paths, asking_task, foreseen_question
from fanwise.plan.questions import Question, check_answer, read_fields, read_question
from fanwise.plan.texts import require_text
from fanwise.ports import Waits
from fanwise.reports.lookup import require_open
from fanwise.values import Json, encode, freeze

_MOST_NAMED: Final = 100

PlanOf: TypeAlias = Callable[[RunRecord], Plan]
"""Gives the plan of a recorded run. Raises `DefinitionError`."""


def answer_question(
    waits: Waits,
    run: RunRecord,
    path: str,
    given: GivenAnswer,
    *,
    turn: int | None = None,
    plan_of: PlanOf | None = None,
) -> Wait | None:
    """Answer the question of the task or item at `path`, and return its wait.

    With a `turn` it is the question of that attempt, and no later one. With `plan_of` the answer to
    a question that the run hasn't asked yet is kept for it: None then.

    Raises `WaitNotFoundError` if nothing is asked there, `NotAskedError` if the question isn't for
    the one who answers, `WaitSettledError` if it has been answered already or its deadline has
    come, `ParameterError` for an answer that doesn't fit, `UsageError` for a name of nobody, and
    `RunOverError`.
    """
    require_open(run)
    require_text("the name of who answers", given.by, "such as ada")
    wait = _find_question(waits, run, path, turn)
    if wait is None and plan_of is not None:
        given = replace(given, fields=freeze(given.fields, where="fields"))
        _require_asks(waits, run, path, given, plan_of)
        if waits.keep_answer(run.run_no, path, given):
            return None
        wait = _find_question(waits, run, path, turn)  # it is asked meanwhile
    if wait is None:
        raise _no_question(waits, run, path)
    if wait.state is WaitState.OPEN:
        text = check_given(run, wait, given)
        settled = waits.answer_wait(
            run.run_no, wait.path, wait.turn, text, by=given.by, via=given.via
        )
        is_this = (settled.answer, settled.by, settled.via) == (text, given.by, given.via)
        if settled.state is WaitState.ANSWERED and is_this:
            return settled
        wait = settled
    raise WaitSettledError(
        f"{run.id} {wait.path}  {settled_words(wait)}.",
        run_id=run.id,
        hint=f"See: fanwise show {run.id}",
    )


def check_given(run: RunRecord, wait: Wait, given: GivenAnswer) -> bytes:
    """The answer to an open question as JSON text. Raises `NotAskedError` and `ParameterError`."""
    return _checked(run, wait.path, read_question(wait.form), given)


def _checked(run: RunRecord, path: str, question: Question, given: GivenAnswer) -> bytes:
    place = f"{run.id} {path}"
    _require_asked(run, place, question, given.by, given.identity)
    fields = {**given.fields, **read_fields(question, given.texts, place=place)}
    return encode(check_answer(question, given.choice, fields, place=place), where="answer")


def _require_asks(
    waits: Waits, run: RunRecord, path: str, given: GivenAnswer, plan_of: PlanOf
) -> None:
    """Raise the error for an answer that no question of the run will take, as far as is known."""
    try:
        plan = plan_of(run)
    except DefinitionError:  # of another version of fanwise
        raise _no_question(waits, run, path) from None
    task = asking_task(plan, path)
    if task is None:
        raise _no_question(waits, run, path, asking_paths(plan))
    question = foreseen_question(task)
    if question is not None:
        _checked(run, path, question, given)


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


def _find_question(waits: Waits, run: RunRecord, path: str, turn: int | None) -> Wait | None:
    """The latest question at a path, or the open one of a later visit of the task there."""
    found = waits.waits_at(run.run_no, path)
    for each in found:
        if each.turn == turn:
            return each
    if not found or found[-1].state is not WaitState.OPEN:
        is_open = waits.waits_open(run_no=run.run_no, limit=_MOST_NAMED)
        later = [each.wait for each in is_open if without_visits(each.wait.path) == path]
        found = later[:1] or found
    if found and found[-1].waits_for is not WaitKind.QUESTION:
        hint = f"It waits for a signal there: fanwise signal {run.id} {found[-1].names[0]}"
        raise WaitNotFoundError(
            f'run {run.id} asks nothing at "{path}".', run_id=run.id, path=path, hint=hint
        )
    return found[-1] if found else None


def _no_question(
    waits: Waits, run: RunRecord, path: str, planned: Sequence[str] = ()
) -> WaitNotFoundError:
    """The error for a path at which nothing is asked, with a path at which something is.

    `planned` are paths of questions to come.
    """
    is_open = waits.waits_open(run_no=run.run_no, limit=_MOST_NAMED)
    questions = [each.wait for each in is_open if each.wait.waits_for is WaitKind.QUESTION]
    paths = [*(each.path for each in questions), *planned]
    near = difflib.get_close_matches(path, paths, n=1) or paths[:1]
    hint = f'It asks at "{near[0]}".' if near else "`fanwise asks` lists the open questions."
    return WaitNotFoundError(
        f'run {run.id} asks nothing at "{path}".', run_id=run.id, path=path, hint=hint
    )


def settled_words(wait: Wait) -> str:
    """The words for what has settled a question."""
    match wait.state:
        case WaitState.ANSWERED:
            return f"the question has been answered by {wait.by}, so this answer comes too late"
        case WaitState.EXPIRED:
            return "the question's deadline has come, so this answer comes too late"
        case _:
            return "the question is closed: its task has ended without an answer"
