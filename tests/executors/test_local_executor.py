"""The executor of this process keeps the contract of executors."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from pathlib import Path

import pytest

import fanwise
from fanwise.executors.local import LocalExecutor
from fanwise.executors.threads import Threads
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


def test_calls_that_wait_for_each_other_all_get_a_thread() -> None:
    """However many were made by one thread before."""

    async def main() -> list[object]:
        threads = Threads(asyncio.get_running_loop())
        for _ in range(100):
            await threads.call(int, {}, copy_context()).returned
        meeting = threading.Barrier(50, timeout=60)
        calls = [threads.call(meeting.wait, {}, copy_context()) for _ in range(50)]
        indexes = await asyncio.gather(*(call.returned for call in calls))
        threads.close()
        return indexes

    assert sorted(map(str, asyncio.run(main()))) == sorted(map(str, range(50)))


def test_a_cancelled_call_tells_when_it_has_returned() -> None:
    """Also one that has returned before that was asked."""

    async def main() -> None:
        threads = Threads(asyncio.get_running_loop())
        gate = threading.Event()
        late = threads.call(gate.wait, {}, copy_context())
        late.returned.cancel()
        returned = late.outlive()
        quick = threads.call(int, {}, copy_context())
        quick.returned.cancel()
        await threads.call(int, {}, copy_context()).returned  # which stands behind it in line
        await quick.outlive()
        assert not returned.done()
        gate.set()
        await returned
        threads.close()

    asyncio.run(main())


def test_a_call_that_is_cancelled_in_line_is_never_made() -> None:
    """Its attempt is over."""

    async def main() -> list[int]:
        threads = Threads(asyncio.get_running_loop())
        gate = threading.Event()
        first = threads.call(gate.wait, {}, copy_context())
        made: list[int] = []
        second = threads.call(lambda: made.append(2), {}, copy_context())
        second.returned.cancel()
        await second.outlive()
        gate.set()
        await first.returned
        await threads.call(lambda: made.append(3), {}, copy_context()).returned
        threads.close()
        return made

    assert asyncio.run(main()) == [3]
