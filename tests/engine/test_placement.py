"""Which executor a visit has, and that the engine hands every visit to that one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import fanwise
from fanwise.catalog import LOCAL, PROCESS, ActionSpec, Runs
from fanwise.engine.placement import place
from fanwise.errors import UsageError
from fanwise.executors.local import LocalExecutor
from fanwise.model import Status


class Recording:
    """An executor that notes which actions it was given, and runs them in this process."""

    def __init__(self, clock) -> None:
        self._local = LocalExecutor(clock)
        self.given: list[str] = []

    async def execute(self, feed, call) -> None:
        self.given.append(call.function.__name__)
        await self._local.execute(feed, call)


def spec(runs: Runs, **parts: object) -> ActionSpec:
    return ActionSpec("test.action", print, runs, {}, **parts)


BOTH = {LOCAL: SimpleNamespace(), PROCESS: SimpleNamespace()}


@pytest.mark.parametrize("runs", [Runs.ASYNC, Runs.THREAD])
def test_an_action_that_waits_runs_in_this_process_whatever_else_there_is(runs: Runs) -> None:
    """Other executors cost a trip to another process, so they are for actions that compute."""
    assert place(BOTH, spec(runs), None) == (LOCAL, BOTH[LOCAL], False, "")


def test_an_action_that_computes_runs_in_processes_if_there_are_some() -> None:
    """Nothing is told then: that is what its author has asked for."""
    assert place(BOTH, spec(Runs.PROCESS), None) == (PROCESS, BOTH[PROCESS], False, "")


def test_an_action_that_computes_runs_here_without_processes_and_the_observer_hears_of_it() -> None:
    """The run works all the same, only slower than its author may think."""
    name, _, _, notice = place({LOCAL: SimpleNamespace()}, spec(Runs.PROCESS), None)
    assert name == LOCAL
    assert "cpu=True" in notice


@pytest.mark.parametrize("runs", list(Runs))
@pytest.mark.parametrize("asked", [LOCAL, PROCESS])
def test_an_executor_that_was_asked_for_is_taken(runs: Runs, asked: str) -> None:
    """Whatever the kind of the action, and without a notice."""
    assert place(BOTH, spec(runs), asked) == (asked, BOTH[asked], True, "")


def test_a_workflow_that_is_called_stays_here() -> None:
    """Its steps are placed one by one."""
    called = spec(Runs.ASYNC, workflow=lambda: None)
    assert place(BOTH, called, PROCESS) == (LOCAL, BOTH[LOCAL], False, "")


def test_an_engine_without_the_executor_says_which_it_has() -> None:
    """The names are those of the mapping that the engine was given."""
    with pytest.raises(UsageError, match=r'no executor "local"; it has: process\.'):
        place({PROCESS: SimpleNamespace()}, spec(Runs.ASYNC), None)
    with pytest.raises(UsageError, match=r'no executor "process"; it has: none\.'):
        place({}, spec(Runs.ASYNC), PROCESS)


@fanwise.action("test.wait")
async def wait() -> str:
    return "waited"


@fanwise.action("test.compute", cpu=True)
def compute(number: int) -> int:
    return number + 1


FLOW = """
tasks:
  - {name: wait, action: test.wait}
  - {name: compute, action: test.compute, EXECUTOR with-items: [1, 2],
     input: {number: "{{ item }}"}}
output: ["{{ task.wait.output }}", "{{ task.compute.output }}"]
"""


@pytest.mark.parametrize(
    ("asked", "in_local", "in_process"),
    [("executor: process,", ["wait"], ["compute"]), ("", ["wait", "compute"], [])],
)
def test_each_visit_goes_to_its_executor(
    loom, asked: str, in_local: list[str], in_process: list[str]
) -> None:
    """A function that no other process can find stays here, unless its task asks for another."""
    loom.use_real_time()
    local, process = Recording(loom.clock), Recording(loom.clock)
    loom.executors = {LOCAL: local, PROCESS: process}
    run = loom.run(FLOW.replace("EXECUTOR", asked), wait, compute)
    assert (run.status, run.output) == (Status.SUCCEEDED, ["waited", [2, 3]])
    assert (local.given, process.given) == (in_local, in_process)
    told = [notice for notice in loom.watcher.notices if "a function of this process" in notice]
    assert len(told) == (not asked)
