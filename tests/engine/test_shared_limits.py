"""Named limits: over tasks, runs and engines, only while attempts run, and evenly spaced."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

import fanwise
from fanwise.engine.limits import Slots
from fanwise.engine.sharing import NamedSlots, SharedLimit
from fanwise.errors import ActionError
from fanwise.model import SHARE_S, NamedLimit, Share, Status
from fanwise.stores import open_store
from fanwise.system import SystemClock
from fanwise.testing.clock import ManualClock

TWO = """
tasks:
  - {name: each, action: test.work, needs: [], with-items: {range: 12}, limit: db}
  - {name: one, action: test.work, needs: [], limit: db}
"""
RETRIED = """
tasks:
  - {name: a, action: test.fail, needs: [], limit: db, retry: {count: 1, delay: 1h}}
  - {name: b, action: test.work, needs: [], limit: db, delay: 1ms}
"""


class Counted:
    """An action, and how many attempts of it have run at once."""

    def __init__(self) -> None:
        self.running = self.most = self.done = 0

        @fanwise.action("test.work")
        async def work() -> None:
            self.running += 1
            self.most = max(self.most, self.running)
            for _ in range(20):
                await asyncio.sleep(0)
            self.running -= 1
            self.done += 1

        self.action = work


def test_a_limit_holds_over_the_tasks_of_a_run(loom: Any) -> None:
    """With items or without; when the run is over its engine has no share any more."""
    loom.clock, loom.named_limits = SystemClock(), [NamedLimit("db", 2)]
    counted = Counted()
    assert loom.run(TWO, counted.action).status is Status.SUCCEEDED
    assert (counted.most, counted.done) == (2, 13)
    assert loom.store.shares() == []


@pytest.mark.parametrize("where", ["file", "server"])
def test_a_limit_holds_over_the_engines_of_a_store(
    loom: Any, where: str, request: pytest.FixtureRequest
) -> None:
    """Each gets its part, and all of them come to their ends."""
    is_file = where == "file"
    url = str(loom.folder / "fanwise.db") if is_file else request.getfixturevalue("postgres_url")()
    loom.clock, loom.named_limits = SystemClock(), [NamedLimit("db", 3)]
    counted = Counted()
    plan = loom.plan(TWO, counted.action)

    async def run_all(stores: ExitStack) -> None:
        engines = []
        for _ in range(3):
            loom.store = stores.enter_context(open_store(url))
            engines.append(loom.make_engine())
        runs = [engine.arun(plan, run_id=f"run-{n}") for n, engine in enumerate(engines)]
        assert {run.status for run in await asyncio.gather(*runs)} == {Status.SUCCEEDED}

    with ExitStack() as stores:
        asyncio.run(run_all(stores))
    assert counted.done == 39
    assert counted.most <= 3


def test_an_attempt_that_is_to_be_retried_holds_no_slot(loom: Any) -> None:
    """Another task has the only one meanwhile."""
    loom.clock, loom.named_limits = SystemClock(), [NamedLimit("db", 1)]

    async def run() -> None:
        done = asyncio.Event()

        @fanwise.action("test.fail")
        async def fail() -> None:
            raise ActionError("no")

        @fanwise.action("test.work")
        async def work() -> None:
            done.set()

        plan = loom.plan(RETRIED, fail, work)
        async with await loom.make_engine().start(plan) as handle:
            await done.wait()
            await handle.cancel()
            await handle.wait()

    asyncio.run(run())


def test_a_limit_is_recorded_with_its_run(loom: Any) -> None:
    """So that an engine elsewhere knows it."""
    loom.clock, loom.named_limits = SystemClock(), [NamedLimit("db", 2, 1e6)]
    loom.run(TWO, Counted().action)
    assert loom.record().origin.named_limits == (NamedLimit("db", 2, 1e6),)


class Held:
    """The slots of a task under a limit, by a clock that the test moves."""

    def __init__(self, **limit: Any) -> None:
        self.clock = ManualClock()
        self.shared = SharedLimit(NamedLimit("db", **limit), self.clock, lambda: None)
        self.slots = NamedSlots(Slots(100), self.shared)

    def renew(self, **share: Any) -> None:
        self.shared.renew(Share(**share), self.clock.monotonic())


def test_attempts_start_at_the_times_that_are_reserved() -> None:
    """None earlier, and of times that were missed by far none is caught up."""
    held = Held(per_s=10.0)
    held.shared.when_free(lambda: None)
    assert held.shared.wish().starts == 5
    held.renew(slots=0, target=0, first_in_s=0.3, starts=4)
    assert held.slots.free == 0
    held.clock.advance(0.3)
    assert held.slots.free == 1
    held.slots.free -= 1
    assert held.slots.free == 0
    held.clock.advance(0.3)
    assert held.slots.free == 1
    held.slots.free -= 1
    assert held.slots.free == 1
    held.slots.free -= 1
    assert held.slots.free == 0


def test_who_waits_for_a_start_is_woken_at_its_time() -> None:
    """By the clock, without a look at the store."""

    async def wait() -> list[str]:
        held, woken = Held(per_s=10.0), []
        held.shared.when_free(lambda: woken.append("first"))
        held.renew(slots=0, target=0, first_in_s=0.5, starts=1)
        held.clock.advance(0.4)
        assert woken == []
        held.clock.advance(0.1)
        return woken

    assert asyncio.run(wait()) == ["first"]


def test_a_share_that_was_not_renewed_in_time_starts_nothing() -> None:
    """It may be another engine's by now."""
    held = Held(most=4)
    held.shared.when_free(lambda: None)
    held.shared.renew(Share(4, 4), held.clock.monotonic() - SHARE_S)
    assert held.slots.free == 0
    held.renew(slots=4, target=4)
    assert held.slots.free == 4
    held.clock.advance(SHARE_S)
    assert held.slots.free == 0


@pytest.mark.parametrize("running", [0, 1])
def test_of_a_share_that_ran_out_an_engine_keeps_what_it_uses_alone(running: int) -> None:
    """An engine that was stopped for long would take back what others have been given meanwhile."""
    held = Held(most=4)
    held.shared.when_free(lambda: None)
    held.renew(slots=4, target=4)
    for _ in range(running):
        held.slots.free -= 1
    assert held.shared.wish().holds == 4
    held.clock.advance(SHARE_S)
    assert held.shared.wish().holds == running


@pytest.mark.parametrize(("running", "free"), [(1, 1), (2, 0), (3, 0)])
def test_a_share_that_others_need_is_used_no_further(running: int, free: int) -> None:
    """Attempts that run go on, and the wish says what is still held."""
    held = Held(most=4)
    held.shared.when_free(lambda: None)
    held.renew(slots=4, target=4)
    for _ in range(running):
        held.slots.free -= 1
    held.renew(slots=4, target=2)
    assert max(0, held.slots.free) == free
    assert held.shared.wish().holds == max(2, running)


def test_a_share_is_wished_for_by_the_demand_since_the_last_wish() -> None:
    """At a moment few attempts may run and none wait, since each is told of a slot in its turn."""
    held = Held(most=10)
    held.shared.when_free(lambda: None)
    assert held.shared.wish().wants == 10
    held.renew(slots=10, target=10)
    assert held.shared.wish().wants == 10  # it has waited
    for _ in range(7):
        held.slots.free -= 1
    for _ in range(6):
        held.slots.give_back()
    assert [held.shared.wish().wants for _ in range(2)] == [7, 1]
