"""The watch over runs: no change between a look and the waiting for the next one is missed."""

import asyncio
from collections.abc import Collection

from fanwise.ports import Heads
from fanwise.server.watch import Watch, known


class Store:
    """A store of two runs, whose heads are set by hand."""

    def __init__(self) -> None:
        self.now = Heads({1: 1, 2: 5}, 2)

    def heads(self, run_nos: Collection[int]) -> Heads:
        return Heads({no: self.now.runs.get(no, 0) for no in run_nos}, self.now.newest)

    def await_heads(self, seen: Heads, timeout_s: float) -> Heads:
        return self.heads(seen.runs)


def test_a_run_that_was_not_looked_at_before_counts_as_changed() -> None:
    """A page that shows another run than before hears of it at once, and then of changes."""

    async def follow() -> None:
        store = Store()
        watch = Watch(store)
        seen = known(Heads(), {1})
        assert await watch.await_change(seen, 60.0, with_new=False) != seen
        before = store.heads({1})
        assert before == Heads({1: 1}, 2)
        store.now = Heads({1: 1, 2: 6}, 2)
        seen = known(before, {1, 2})
        found = await watch.await_change(seen, 60.0)
        assert found.runs == {1: 1, 2: 6}
        watch.close()

    asyncio.run(follow())


def test_a_new_run_is_a_change_for_those_alone_who_show_new_ones() -> None:
    """A page of one run isn't rendered because another run was made."""

    async def follow() -> None:
        store = Store()
        watch = Watch(store)
        seen = store.heads({1})
        lists = asyncio.create_task(watch.await_change(seen, 60.0))
        one = asyncio.create_task(watch.await_change(seen, 60.0, with_new=False))
        await asyncio.sleep(0)
        store.now = Heads(store.now.runs, 3)
        assert (await lists).newest == 3
        assert not one.done()
        watch.close()
        assert await one == seen

    asyncio.run(follow())
