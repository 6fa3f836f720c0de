"""A loop whose time jumps where nothing is left to do, and passes where something goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from fanwise.errors import UsageError
from fanwise.testing.jumping_loop import STARTS_AT, JumpingLoop


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """What comes of a coroutine on such a loop."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)


def this_loop() -> JumpingLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    return loop


def test_timers_strike_in_their_order_and_at_their_times():
    """However long that is, and whichever was set first."""

    async def work() -> list[tuple[str, float]]:
        loop, struck = this_loop(), []

        async def wait(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            struck.append((name, loop.monotonic()))

        await asyncio.gather(wait("year", 3e7), wait("day", 86_400), wait("tick", 1e-3))
        assert loop.now() == STARTS_AT + loop.monotonic()
        return struck

    (tick, day, year) = run(work())
    assert (tick, day) == (("tick", 1e-3), ("day", 86_400.0))
    assert year == ("year", pytest.approx(3e7, abs=1e-6))


def test_time_stands_still_while_a_thread_of_the_loop_works():
    """A timer strikes after the thread has answered, although it is due at once."""

    async def work() -> tuple[bool, float]:
        may_end, has_struck = threading.Event(), asyncio.Event()
        job = asyncio.create_task(asyncio.to_thread(may_end.wait))
        await asyncio.sleep(0)
        this_loop().call_later(5, has_struck.set)
        threading.Timer(0.02, may_end.set).start()
        await job
        return has_struck.is_set(), this_loop().time()

    assert run(work()) == (False, 0.0)


def test_time_passes_as_it_does_in_an_acting_block():
    """So what waits for the world outside has the time that it needs."""

    async def work() -> float:
        loop = this_loop()
        answered = asyncio.Event()
        thread = threading.Timer(0.02, loop.call_soon_threadsafe, [answered.set])
        with loop.acting():
            thread.start()
            async with asyncio.timeout(60):
                await answered.wait()
        return loop.time()

    assert 0.01 < run(work()) < 60


def test_waiting_for_what_never_happens_is_an_error():
    """There is no timer, no thread and no file that could end it."""

    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(UsageError, match="never happens"):
        run(work())
