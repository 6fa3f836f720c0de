"""Resources of an event loop: made once, closed once, never under somebody's hands."""

from __future__ import annotations

import asyncio

import pytest

from weft.actions.resources import close_resources, resource


class Pool:
    def __init__(self) -> None:
        self.is_closed = False


async def close_pool(pool: Pool) -> None:
    assert not pool.is_closed
    pool.is_closed = True


def test_a_resource_is_shared_on_a_loop_and_closed_at_its_end() -> None:
    """All users on a loop get the same one; closing makes way for a new one."""

    async def main() -> None:
        async with resource(Pool, close_pool) as first, resource(Pool, close_pool) as second:
            assert first is second
        assert not first.is_closed
        await close_resources()
        assert first.is_closed
        async with resource(Pool, close_pool) as third:
            assert third is not first
        await close_resources()

    asyncio.run(main())


def test_what_is_in_use_is_closed_by_its_last_user() -> None:
    """The end of one run doesn't take the connections of another."""

    async def main() -> None:
        async with resource(Pool, close_pool) as pool:
            async with resource(Pool, close_pool):
                await close_resources()
            assert not pool.is_closed
            async with resource(Pool, close_pool) as fresh:
                assert fresh is not pool
        assert pool.is_closed
        await close_resources()
        assert fresh.is_closed

    asyncio.run(main())


def test_loops_share_nothing() -> None:
    """A resource never passes from one event loop to another."""

    async def main() -> Pool:
        async with resource(Pool, close_pool) as pool:
            return pool

    first, second = asyncio.run(main()), asyncio.run(main())
    assert first is not second


def test_one_that_cannot_be_closed_does_not_keep_the_others_open() -> None:
    """All are closed, and the error is raised."""

    class Stubborn(Pool):
        pass

    async def refuse(_: Pool) -> None:
        raise OSError("no")

    async def main() -> Pool:
        async with resource(Pool, close_pool) as pool, resource(Stubborn, refuse):
            pass
        with pytest.raises(OSError, match="no"):
            await close_resources()
        return pool

    assert asyncio.run(main()).is_closed
