"""The executor of this process keeps the contract of executors."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

import fanwise
from fanwise.executors.local import LocalExecutor
from fanwise.ports import Clock, Executor
from fanwise.testing.executor_contract import ExecutorContract


class TestLocalExecutor(ExecutorContract):
    width = 4

    def open(self, clock: Clock) -> AbstractContextManager[Executor]:
        return nullcontext(LocalExecutor(clock))


@pytest.mark.parametrize("runs", ["async", "thread"])
def test_no_more_workers_are_made_than_items_that_run(tmp_path: Path, runs: str) -> None:
    """A concurrency of 100,000 costs three items nothing."""

    @fanwise.action("test.count")
    async def count() -> int:
        return len(asyncio.all_tasks())

    @fanwise.action("test.count")
    def count_threads() -> int:
        return threading.active_count()

    flow = {
        "tasks": [
            {
                "name": "a",
                "action": "test.count",
                "with-items": {"range": 3},
                "concurrency": 100_000,
            }
        ],
        "output": "{{ task.a.output | max }}",
    }
    before = threading.active_count()
    action = count if runs == "async" else count_threads
    run = fanwise.run(flow, store=str(tmp_path / "runs.db"), actions=[action])
    assert run.output < before + 20
