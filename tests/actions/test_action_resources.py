"""What actions share on a loop or in a run: made once, closed once, never under anybody's hands."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref

import pytest

from fanwise.actions.resources import close_resources, loop_resource, resources, run_resource


class Pool:
    def __init__(self) -> None:
        self.is_closed = False


class Other(Pool):
    pass


class Another(Pool):
    pass


async def close_pool(pool: Pool) -> None:
    assert not pool.is_closed
    pool.is_closed = True


def shared() -> Pool:
    return loop_resource(Pool, close_pool)


def test_a_resource_is_shared_on_a_loop_and_closed_at_its_end() -> None:
    """All users on a loop get the same one; closing makes way for a new one."""

    async def main() -> None:
        first = shared()
        assert shared() is first
        assert not first.is_closed
        await close_resources()
        assert first.is_closed
        assert shared() is not first
        await close_resources()

    asyncio.run(main())


def test_the_last_run_on_a_loop_closes() -> None:
    """The end of one run doesn't take the connections of another."""

    async def main() -> None:
        async with resources():
            async with resources():
                pool = shared()
            assert not pool.is_closed
            assert shared() is pool
        assert pool.is_closed
        async with resources():
            fresh = shared()
            assert fresh is not pool
        assert fresh.is_closed

    asyncio.run(main())


def test_loops_share_nothing() -> None:
    """A resource never passes from one event loop to another."""

    async def main() -> Pool:
        return shared()

    first, second = asyncio.run(main()), asyncio.run(main())
    assert first is not second


def test_a_closed_loop_is_let_go() -> None:
    """Programs that start a loop for each run don't gather loops."""

    async def main() -> weakref.ref[asyncio.AbstractEventLoop]:
        shared()
        return weakref.ref(asyncio.get_running_loop())

    first = asyncio.run(main())
    asyncio.run(main())
    gc.collect()
    assert first() is None


def test_a_loop_in_a_thread_of_a_run_has_its_own() -> None:
    """An action that runs a loop of its own doesn't share that of its run."""

    async def inner() -> Pool:
        async with resources():
            return shared()

    async def main() -> None:
        async with resources():
            outer = shared()
            other = await asyncio.to_thread(lambda: asyncio.run(inner()))
            assert other is not outer
            assert (other.is_closed, outer.is_closed) == (True, False)

    asyncio.run(main())


def test_one_that_cannot_be_closed_does_not_keep_the_others_open() -> None:
    """All are closed, and the error is raised."""

    class Stubborn(Pool):
        pass

    async def refuse(_: Pool) -> None:
        raise OSError("no")

    async def main() -> list[Pool]:
        pools = [shared(), loop_resource(Other, close_pool)]
        loop_resource(Stubborn, refuse)
        pools.append(loop_resource(Another, close_pool))
        with pytest.raises(OSError, match="no"):
            await close_resources()
        return pools

    assert [pool.is_closed for pool in asyncio.run(main())] == [True] * 3


class Shelf:
    """What threads share."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def borrow() -> Shelf:
    with run_resource(Shelf) as shelf:
        return shelf


def test_the_threads_of_a_run_share_a_resource_until_its_end() -> None:
    """All get the same one, and it is closed once, also if the run fails."""
    shelves: list[Shelf] = []

    async def main() -> None:
        async with resources():
            shelves.extend(await asyncio.gather(*[asyncio.to_thread(borrow) for _ in range(9)]))
            assert shelves[0].closed == 0
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - any that ends the block
        asyncio.run(main())
    assert len({*shelves}) == 1
    assert shelves[0].closed == 1


def test_runs_on_one_loop_share_no_resource_of_threads() -> None:
    """The end of one run closes nothing of another."""

    async def one(met: asyncio.Barrier) -> Shelf:
        async with resources():
            shelf = await asyncio.to_thread(borrow)
            await met.wait()
            assert shelf is await asyncio.to_thread(borrow)
            return shelf

    async def main() -> None:
        met = asyncio.Barrier(2)
        first, second = await asyncio.gather(one(met), one(met))
        assert first is not second

    asyncio.run(main())


def test_without_a_run_a_thread_has_a_resource_of_its_own() -> None:
    """It is closed with the block; so it is in a thread that outlives its run."""
    assert borrow().closed == 1

    async def main() -> None:
        async with resources():
            late = contextvars.copy_context()
            shelf = await asyncio.to_thread(borrow)
        after = late.run(borrow)
        assert after is not shelf
        assert after.closed == 1

    asyncio.run(main())


def test_all_resources_of_a_run_are_closed_if_one_cannot_be() -> None:
    """Those of threads and those of the loop, and the error is raised."""

    class Stubborn(Shelf):
        def close(self) -> None:
            raise OSError("no")

    pools: list[Pool] = []
    shelves: list[Shelf] = []

    async def main() -> None:
        async with resources():
            pools.append(shared())
            with run_resource(Shelf) as shelf, run_resource(Stubborn):
                shelves.append(shelf)

    with pytest.raises(OSError, match="no"):
        asyncio.run(main())
    assert pools[0].is_closed
    assert shelves[0].closed == 1
