"""Deadlines of blocks: each is cut off as one of `asyncio.timeout` is, and one timer keeps all.

The loop's clock jumps, so nothing here waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.deadlines import Deadlines
from fanwise.testing.jumping_loop import JumpingLoop

T = TypeVar("T")

LATE_S = 0.01
SPANS = st.floats(0.001, 100)


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


async def cut_off_after(deadlines: Deadlines, least_s: float, work_s: float) -> float | None:
    """The seconds after which a block of so much work was cut off, or None."""
    now = asyncio.get_running_loop().time
    started = now()
    try:
        with deadlines.within(least_s):
            await asyncio.sleep(work_s)
    except TimeoutError:
        return now() - started
    return None


@given(st.lists(st.tuples(SPANS, SPANS, SPANS), max_size=20))
def test_a_block_is_cut_off_at_its_deadline_and_no_other_is(
    blocks: list[tuple[float, float, float]],
) -> None:
    """Whatever begins when: those that take longer are cut off, at most 10 ms late."""

    async def main() -> None:
        deadlines = Deadlines()

        async def one(begins_s: float, least_s: float, work_s: float) -> None:
            await asyncio.sleep(begins_s)
            found = await cut_off_after(deadlines, least_s, work_s)
            if work_s < least_s:
                assert found is None
            elif found is not None:
                assert least_s - 1e-6 <= found <= least_s + LATE_S + 1e-6
            else:
                assert work_s <= least_s + LATE_S + 1e-6

        await asyncio.gather(*(one(*block) for block in blocks))

    run(main())


def test_all_blocks_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand blocks one after the other set it no more often than it strikes."""
    made = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines()
        make = loop.call_at

        def counted(at: float, call: Any, *given: Any, **more: Any) -> asyncio.TimerHandle:
            if getattr(call, "__self__", None) is deadlines:
                made.append(at)
            return make(at, call, *given, **more)

        monkeypatch.setattr(loop, "call_at", counted)
        for _ in range(1_000):
            with deadlines.within(30):
                await asyncio.sleep(0.1)

    run(main())
    assert 1 <= len(made) <= 5


def test_a_block_inside_another_may_end_later_and_raise_first() -> None:
    """The outer one is cut off through the inner one, which isn't the one at fault."""

    async def main() -> list[str]:
        deadlines = Deadlines()
        told = []
        try:
            with deadlines.within(1):
                try:
                    with deadlines.within(2):
                        await asyncio.sleep(9)
                except TimeoutError:
                    told.append("inner")
        except TimeoutError:
            told.append("outer")
        return told

    assert run(main()) == ["outer"]


def test_another_cancellation_stays_one() -> None:
    """A task that is cancelled by others ends as cancelled, and the block keeps nothing of it."""

    async def main() -> None:
        deadlines = Deadlines()
        task = asyncio.ensure_future(cut_off_after(deadlines, 5, 9))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await cut_off_after(deadlines, 1, 2) is not None

    run(main())


def test_a_deadline_and_a_cancellation_at_once_end_the_task() -> None:
    """The block gives up its own cancellation alone."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(cut_off_after(Deadlines(), 1, 9))
        await asyncio.sleep(0)
        loop.call_at(loop.time() + 1, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    """Also if the deadline has struck meanwhile."""

    async def main() -> None:
        with Deadlines().within(1):
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                raise ValueError("own") from None

    with pytest.raises(ValueError, match="own"):
        run(main())


def test_the_task_can_wait_again_after_a_block_was_cut_off() -> None:
    """No cancellation is left over."""

    async def main() -> int:
        assert await cut_off_after(Deadlines(), 1, 2) is not None
        await asyncio.sleep(1)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert run(main()) == 0
