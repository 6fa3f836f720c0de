"""The answers and signals of a rehearsal, which come as soon as they are waited for.

A rehearsal waits in its own process: a question that nobody answers sleeps until its deadline, and
that takes no time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from fanwise.catalog import ASKING_ACTION, ActionContext
from fanwise.engine.settling import outcome_of
from fanwise.errors import AttemptError, ParameterError, UsageError
from fanwise.model import Wait, WaitKind, WaitRequest, WaitState
from fanwise.plan import Plan
from fanwise.plan.questions import check_answer, read_question
from fanwise.testing.jumping_loop import STARTS_AT
from fanwise.testing.stand_ins import choose, moment_of
from fanwise.values import Json, encode, freeze

_BY: Final = "rehearsal"


class Waiting:
    """The answers by the task that asks, and the data of signals and events by their names."""

    def __init__(self, answers: Mapping[str, object], signals: Mapping[str, object]) -> None:
        self._answers = answers
        self._signals = signals

    def check(self, plan: Plan) -> None:
        """Raise `UsageError` if an answer is given for a task that doesn't ask."""
        for path in self._answers:
            if not _asks(plan, path):
                asking = list(_asking(plan, ()))
                known = f"These ask: {', '.join(asking)}." if asking else "No task asks."
                raise UsageError(
                    f'no task "{path}" asks, and an answer is given for it.', hint=known
                )

    async def settle(self, request: WaitRequest, context: ActionContext, before: int) -> Json:
        """The result of a wait. Raises the task's error, and `UsageError` for one without end."""
        now = STARTS_AT + asyncio.get_running_loop().time()
        wait = _wait(request, context, now)
        is_question = request.waits_for is WaitKind.QUESTION
        found = self._answer(wait, context, before) if is_question else self._signal(wait)
        if found is None:
            found = await _expired(wait, context, now)
        outcome = outcome_of(found)
        if isinstance(outcome, AttemptError):
            raise outcome
        return outcome

    def _answer(self, wait: Wait, context: ActionContext, before: int) -> Wait | None:
        path = moment_of(context, before).task
        if path not in self._answers:
            return None
        given = choose(self._answers[path], context, before)
        choice, fields = given, {}
        if isinstance(given, Mapping):
            choice, fields = given.get("choice"), given.get("answer", {})
        try:
            answer = check_answer(read_question(wait.form), choice, fields, place=path)
        except ParameterError as error:
            raise UsageError(f"{error}", hint="Give another one in `answers`.") from None
        return _answered(wait, encode(answer))

    def _signal(self, wait: Wait) -> Wait | None:
        for name in wait.names:
            if name in self._signals:
                value = {"name": name, "key": wait.key, "payload": self._signals[name]}
                return _answered(wait, encode(freeze(value, where="signals")))
        return None


def _asks(plan: Plan, path: str) -> bool:
    """Say whether the task at a path such as `check.approve` asks a question."""
    *callers, name = path.split(".")
    for caller in callers:
        called = plan.tasks[plan.numbers[caller]].spec.workflow if caller in plan.numbers else None
        if called is None:
            return False
        plan = called()
    return name in plan.numbers and plan.tasks[plan.numbers[name]].spec.name == ASKING_ACTION


def _asking(plan: Plan, callers: Sequence[Plan]) -> Iterator[str]:
    """The paths of the tasks that ask, without those of workflows that call themselves."""
    for task in plan.tasks:
        if task.spec.name == ASKING_ACTION:
            yield task.name
        elif task.spec.workflow is not None and plan not in callers:
            for path in _asking(task.spec.workflow(), (*callers, plan)):
                yield f"{task.name}.{path}"


def _wait(request: WaitRequest, context: ActionContext, now: float) -> Wait:
    return Wait(
        waits_for=request.waits_for,
        form=request.form,
        names=request.names,
        key=request.key,
        takes_earlier=request.takes_earlier,
        run_no=0,
        path=context.task,
        turn=context.attempt,
        state=WaitState.OPEN,
        opened_at=now,
        deadline=context.deadline,
        settled_at=now,
    )


def _answered(wait: Wait, answer: bytes) -> Wait:
    return replace(wait, state=WaitState.ANSWERED, answer=answer, by=_BY, via=_BY)


async def _expired(wait: Wait, context: ActionContext, now: float) -> Wait:
    """The wait at its deadline; just before it, when the attempt itself isn't cut off yet."""
    if wait.deadline is None:
        what = "asks a question" if wait.waits_for is WaitKind.QUESTION else "waits for a signal"
        raise UsageError(
            f'task "{context.task}" {what}, and the rehearsal gives none.',
            hint="Give it in `answers`, `signals` or `events`, or give the task a timeout.",
        )
    await asyncio.sleep((wait.deadline - now) * (1 - 1e-6))
    return replace(wait, state=WaitState.EXPIRED, settled_at=wait.deadline, via="deadline")
