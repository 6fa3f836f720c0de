"""The executor of a Ray cluster keeps the contract of executors, on a real cluster of a machine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from fanwise.engine import Engine
from fanwise.executors.ray import RayExecutor
from fanwise.model import Status
from fanwise.ports import Clock, Executor
from fanwise.system import SystemClock
from fanwise.testing.executor_workbench import Workbench
from fanwise.testing.isolation_contract import CANARY, IsolationContract


@pytest.fixture(scope="module")
def shared() -> Iterator[RayExecutor]:
    """An executor on a cluster that it has started, whose node has a secret."""
    environment = {**os.environ, "FANWISE_SECRET_TOKEN": CANARY}
    executor = RayExecutor(SystemClock(), None, 2, environment)
    yield executor
    executor.close()


def workers() -> Collection[int]:
    """The processes of this machine that hosts have started."""
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and _is_worker(folder)
    ]


def _is_worker(folder: Path) -> bool:
    try:
        if b"fanwise.worker\0" not in (folder / "cmdline").read_bytes():
            return False
        parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        return (Path("/proc") / parent / "cmdline").read_bytes().startswith(b"ray::")
    except OSError:
        return False


class TestRayExecutor(IsolationContract):
    """All tests share one cluster, as runs do: each is on an event loop of its own."""

    width = 2

    @pytest.fixture(autouse=True)
    def _shares(self, shared: RayExecutor) -> None:
        self._executor = shared

    def open(self, clock: Clock) -> AbstractContextManager[Executor]:
        return nullcontext(self._executor)

    def workers(self) -> Collection[int]:
        return workers()

    def test_a_cluster_that_goes_away_fails_its_task_and_the_next_run_has_a_new_one(
        self, bench: Workbench
    ) -> None:
        """What is recorded stays, and the run can be retried."""

        async def lose(engine: Engine) -> None:
            plan = bench.plan(
                """
                tasks:
                  - {name: fan, action: contract.hang_def, with-items: {range: 4},
                      input: {folder: FOLDER}}
                """
            )
            run = asyncio.create_task(engine.arun(plan))
            await bench.arrivals(2)
            assert self._executor.bridge is not None
            os.kill(self._executor.bridge, signal.SIGKILL)
            done = await run
            error = done.tasks["fan"].error
            assert error is not None
            assert error.type == "WorkerRefused"
            assert (
                "the local Ray cluster has gone. Once it is back, `fanwise retry`" in error.message
            )
            bench.open_gate()
            (record,) = bench.store.runs(limit=1)
            assert (await engine.aretry(plan, record)).status is Status.SUCCEEDED

        bench.during(lose)
