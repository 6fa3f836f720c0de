"""Chooses the executor of a visit, by the kind of its action and the executors that there are.

This is the only place that knows executors by their names. It starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from fanwise.catalog import Runs
from fanwise.errors import UsageError
from fanwise.ports import Executor

LOCAL: Final = "local"
"""The executor that every engine has: this process."""

PROCESS: Final = "process"
"""The executor whose attempts run in child processes."""

_WANTED: Final[Mapping[Runs, tuple[str, ...]]] = {
    Runs.ASYNC: (LOCAL,),
    Runs.THREAD: (LOCAL,),
    Runs.PROCESS: (PROCESS, LOCAL),
}
"""The names of executors for each kind of action, the best first."""

_NOTICES: Final[Mapping[tuple[Runs, str], str]] = {
    (Runs.PROCESS, LOCAL): "an action with cpu=True runs in a thread: there is no process pool yet"
}


class Placement(NamedTuple):
    """The executor of a visit, and a line for the run's observer if it isn't the best one."""

    executor: Executor
    notice: str = ""


def place(executors: Mapping[str, Executor], runs: Runs) -> Placement:
    """The executor for actions of this kind. Raises `UsageError` if there is none."""
    for name in _WANTED[runs]:
        if name in executors:
            return Placement(executors[name], _NOTICES.get((runs, name), ""))
    raise UsageError(
        f"an action runs in: {' or '.join(_WANTED[runs])}; "
        f"this engine has the executors: {', '.join(executors) or 'none'}.",
        hint=f'Give the engine an executor "{LOCAL}".',
    )
