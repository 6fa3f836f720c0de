"""Which executor a visit has, and that the engine hands every visit to that one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import fanwise
from fanwise.catalog import Runs
from fanwise.engine.placement import LOCAL, PROCESS, place
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


@pytest.mark.parametrize("runs", [Runs.ASYNC, Runs.THREAD])
def test_what_waits_runs_in_this_process_whatever_else_there_is(runs: Runs) -> None:
    """Other executors cost a trip to another process, so they are for what computes."""
    executors = {PROCESS: SimpleNamespace(), LOCAL: SimpleNamespace()}
    assert place(executors, runs) == (executors[LOCAL], "")


def test_what_computes_runs_in_processes_if_there_are_some() -> None:
    """Nothing is told then: that is what its author has asked for."""
    executors = {LOCAL: SimpleNamespace(), PROCESS: SimpleNamespace()}
    assert place(executors, Runs.PROCESS) == (executors[PROCESS], "")


def test_what_computes_runs_here_without_processes_and_the_observer_hears_of_it() -> None:
    """The run works all the same, only slower than its author may think."""
    executors = {LOCAL: SimpleNamespace()}
    executor, notice = place(executors, Runs.PROCESS)
    assert executor is executors[LOCAL]
    assert "cpu=True" in notice


def test_an_engine_without_any_fitting_executor_says_which_it_has() -> None:
    """The names are those of the mapping that the engine was given."""
    with pytest.raises(UsageError, match=r"runs in: local; .* executors: process\.") as caught:
        place({PROCESS: SimpleNamespace()}, Runs.ASYNC)
    assert '"local"' in str(caught.value)
    with pytest.raises(UsageError, match=r"runs in: process or local; .* executors: none\."):
        place({}, Runs.PROCESS)


def test_each_visit_goes_to_the_executor_of_its_actions_kind(loom) -> None:
    """Tasks of one run, with and without items, may run in different places."""

    @fanwise.action("test.wait")
    async def wait() -> str:
        return "waited"

    @fanwise.action("test.compute", cpu=True)
    def compute(number: int) -> int:
        return number + 1

    loom.use_real_time()
    local, process = Recording(loom.clock), Recording(loom.clock)
    loom.executors = {LOCAL: local, PROCESS: process}
    run = loom.run(
        """
        tasks:
          - {name: wait, action: test.wait}
          - {name: compute, action: test.compute, with-items: [1, 2], input: {number: "{{ item }}"}}
        output: ["{{ task.wait.output }}", "{{ task.compute.output }}"]
        """,
        wait,
        compute,
    )
    assert (run.status, run.output) == (Status.SUCCEEDED, ["waited", [2, 3]])
    assert (local.given, process.given) == (["wait"], ["compute"])
    assert loom.watcher.notices == []
