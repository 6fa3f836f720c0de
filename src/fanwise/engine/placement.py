"""Chooses the executor of a visit, by the kind of its action and the executors that there are.

This is the only place that knows executors by their names. It starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fanwise.catalog import ENGINE_ACTIONS, LOCAL, PROCESS, RAY, ActionSpec, Runs
from fanwise.errors import AttemptError, UsageError
from fanwise.ports import Executor


class Placement(NamedTuple):
    """The executor of a visit.

    One that was `asked` for runs the visit or fails it. With another one, a call that can't leave
    this process stays. `notice` is a line for the run's observer, or "".
    """

    name: str
    executor: Executor
    asked: bool = False
    notice: str = ""


def place(
    executors: Mapping[str, Executor],
    action: ActionSpec,
    asked: str | None,
    *,
    runs_on: Sequence[str] = (),
) -> Placement:
    """The executor for calls of an action: `asked`, or else one that fits the action's kind.

    A workflow that is called stays in this process, and its steps are placed one by one; so does an
    action that waits, or changes the store. Raises `UsageError` if there is no such executor, and
    `AttemptError` if it has no nodes with `runs_on`.
    """
    if action.workflow is not None or action.name in ENGINE_ACTIONS:
        return Placement(LOCAL, _named(executors, LOCAL))
    if runs_on and asked != RAY:
        raise AttemptError(
            f'"runs-on: [{", ".join(runs_on)}]" chooses nodes of a Ray cluster, and the action '
            f"runs in the executor {asked or LOCAL}.",
            hint="Give the task `executor: ray`, or the run --executor ray.",
        )
    if asked is not None:
        return Placement(asked, _named(executors, asked), asked=True)
    if action.runs is not Runs.PROCESS:
        return Placement(LOCAL, _named(executors, LOCAL))
    if PROCESS in executors:
        return Placement(PROCESS, executors[PROCESS])
    notice = "an action with cpu=True runs in a thread: this engine has no processes"
    return Placement(LOCAL, _named(executors, LOCAL), notice=notice)


def _named(executors: Mapping[str, Executor], name: str) -> Executor:
    if name not in executors:
        raise UsageError(
            f'this engine has no executor "{name}"; it has: {", ".join(executors) or "none"}.',
            hint="Name one of these, or give the engine this one.",
        )
    return executors[name]
