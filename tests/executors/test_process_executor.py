"""The executor of child processes keeps the contract of executors."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from fanwise.executors.process import ProcessExecutor
from fanwise.ports import Clock, Executor
from fanwise.system import SystemClock
from fanwise.testing.isolation_contract import IsolationContract


@contextmanager
def opened(size: int = 2) -> Iterator[ProcessExecutor]:
    """An executor of this size, whose processes end with the block."""
    executor = ProcessExecutor(SystemClock(), size, os.environ)
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[ProcessExecutor]:
    with opened() as executor:
        yield executor


class TestProcessExecutor(IsolationContract):
    """All tests share one executor, as runs do: each is on an event loop of its own."""

    width = 2

    @pytest.fixture(autouse=True)
    def _shares(self, shared: ProcessExecutor) -> None:
        self._executor = shared

    def open(self, clock: Clock) -> AbstractContextManager[Executor]:
        return nullcontext(self._executor)

    def workers(self) -> Collection[int]:
        return self._executor.processes
