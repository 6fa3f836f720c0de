"""The executor of this process keeps the contract of executors."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from fanwise.executors.local import LocalExecutor
from fanwise.ports import Clock, Executor
from fanwise.testing.executor_contract import ExecutorContract


class TestLocalExecutor(ExecutorContract):
    width = 4

    def open(self, clock: Clock) -> AbstractContextManager[Executor]:
        return nullcontext(LocalExecutor(clock))
