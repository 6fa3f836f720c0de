"""The executor of a Ray cluster keeps the contract of executors, on a real cluster of a machine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import pytest

from fanwise.engine import Engine
from fanwise.executors.ray import RayExecutor
from fanwise.model import Status
from fanwise.ports import Clock, Executor
from fanwise.system import SystemClock
from fanwise.testing.executor_workbench import Workbench
from fanwise.testing.isolation_contract import CANARY, IsolationContract

V4_IN_V6 = "0000000000000000FFFF00000100007F"
"""127.0.0.1 as an address of IPv6."""


@pytest.fixture(scope="module")
def shared() -> Iterator[RayExecutor]:
    """An executor on a cluster that it has started, whose node has a secret."""
    environment = {**os.environ, "FANWISE_SECRET_TOKEN": CANARY}
    executor = RayExecutor(SystemClock(), None, 2, environment)
    yield executor
    executor.close()


def is_worker(process: int) -> bool:
    """True of a process that a host has started to make attempts."""
    try:
        folder = Path(f"/proc/{process}")
        if b"fanwise.worker\0" not in (folder / "cmdline").read_bytes():
            return False
        parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        return (Path("/proc") / parent / "cmdline").read_bytes().startswith(b"ray::")
    except OSError:
        return False


def family(process: int) -> Collection[int]:
    """A process, and all that it and these have started."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit():
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(folder.name))
    found = [process]
    for each in found:
        found += children.get(each, [])
    return found


def listeners(processes: Collection[int]) -> Collection[str]:
    """The addresses at which processes listen, as the kernel writes them, without ports."""
    sockets = set()
    for process in processes:
        for file in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                sockets.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets]


class TestRayExecutor(IsolationContract):
    """All tests share one cluster, as runs do: each is on an event loop of its own."""

    width = 2

    @pytest.fixture(autouse=True)
    def _shares(self, shared: RayExecutor) -> None:
        self._executor = shared

    def open(self, clock: Clock) -> AbstractContextManager[Executor]:
        return nullcontext(self._executor)

    def workers(self) -> Collection[int]:
        """Those of this cluster: other tests may have one at the same time."""
        bridge = self._executor.bridge
        return [] if bridge is None else [each for each in family(bridge) if is_worker(each)]

    @pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of processes")
    def test_a_cluster_that_is_started_listens_on_the_loopback_address_alone(
        self, bench: Workbench
    ) -> None:
        """Nobody else reaches it."""
        bench.run("tasks: [{name: a, action: contract.give_async}]")
        assert self._executor.bridge is not None
        found = {*listeners(family(self._executor.bridge))}
        assert found
        assert found <= {"0100007F", "00000000000000000000000001000000", V4_IN_V6}

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
