"""The executor of a Ray cluster keeps the contract of executors, on a real cluster of a machine."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from fanwise.executors.ray import RayExecutor
from fanwise.ports import Clock, Executor
from fanwise.system import SystemClock
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
