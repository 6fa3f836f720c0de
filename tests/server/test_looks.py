"""Looks that streams share: one for all that show the same, and none that misses a change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection

import pytest

from fanwise.errors import StoreError
from fanwise.ports import Heads
from fanwise.server.looks import Look, Looks
from fanwise.testing.clock import ManualClock


class Store:
    """Changes of a run, as a store tells these, and a look at it that counts."""

    def __init__(self) -> None:
        self.head = 1
        self.looks = 0
        self.may_look = threading.Event()
        self.may_look.set()
        self.while_looking: Callable[[], None] = lambda: None

    def heads(self, run_nos: Collection[int]) -> Heads:
        return Heads(dict.fromkeys(run_nos, self.head), self.head)

    def read(self) -> int:
        self.may_look.wait()
        self.looks += 1
        found = self.head
        self.while_looking()
        return found


def look_of(store: Store, clock: ManualClock) -> Look[int]:
    return Look(store, clock, store.read, lambda _: [7])


def test_streams_that_ask_at_once_share_one_look() -> None:
    """Also one that ends while it waits; a later one looks again."""
    store, clock = Store(), ManualClock()

    async def play() -> None:
        look = look_of(store, clock)
        store.may_look.clear()
        asking = [asyncio.create_task(look.again()) for _ in range(50)]
        await asyncio.sleep(0)
        asking[0].cancel()
        store.may_look.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert store.looks == 1
        await look.again()
        assert store.looks == 1, "it has just begun"
        clock.advance(1.0)
        await look.again()
        assert store.looks == 2

    asyncio.run(play())


def test_a_new_stream_sees_what_was_there_when_it_began() -> None:
    """Not an earlier look, also one that hasn't ended; those that wait for its end share one."""
    store, clock = Store(), ManualClock()

    async def play() -> None:
        look = look_of(store, clock)
        store.may_look.clear()
        early = asyncio.create_task(look.from_now())
        await asyncio.sleep(0)
        clock.advance(0.01)
        late = [asyncio.create_task(look.from_now()) for _ in range(9)]
        await asyncio.sleep(0)

        def change() -> None:
            store.head = 2

        store.while_looking = change
        store.may_look.set()
        assert (await early).found == 1
        assert [each.found for each in await asyncio.gather(*late)] == [2] * 9
        assert store.looks == 2

    asyncio.run(play())


def test_a_change_during_a_look_is_a_change_after_it() -> None:
    """The state that comes with the look is that of before, so waiting for another one ends."""
    store, clock = Store(), ManualClock()

    async def play() -> None:
        look = look_of(store, clock)
        assert (await look.again()).before == Heads({}, 1)
        clock.advance(1.0)

        def change() -> None:
            store.head = 2

        store.while_looking = change
        looked = await look.again()
        assert (looked.found, looked.before) == (1, Heads({7: 1}, 1))

    asyncio.run(play())


def test_an_error_is_everybodys_and_the_next_look_may_go_well() -> None:
    """A store that is away for a moment ends nothing for good."""
    store, clock = Store(), ManualClock()

    def fail() -> int:
        raise StoreError("away")

    async def play() -> None:
        look = Look(store, clock, fail, lambda _: [7])
        found = await asyncio.gather(look.again(), look.again(), return_exceptions=True)
        assert all(isinstance(each, StoreError) for each in found)
        clock.advance(1.0)
        with pytest.raises(StoreError):
            await look.again()

    asyncio.run(play())


def test_a_look_is_forgotten_with_its_last_stream() -> None:
    """Others of another key are apart."""
    store = Store()
    looks = Looks(store, ManualClock())

    def shared(key: str):
        return looks.shared(key, store.read, lambda _: [7])

    with shared("a") as first, shared("b") as other:
        with shared("a") as second:
            assert second is first
            assert other is not first
        with shared("a") as again:
            assert again is first
    with shared("a") as new:
        assert new is not first
