"""A handle pauses, cancels and awaits one run among those that an engine drives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import fanwise
from fanwise.engine import Engine, RunHandle
from fanwise.errors import (
    NothingToRetryError,
    ParameterError,
    RunExistsError,
    RunOverError,
    StoreError,
    TaskNotFoundError,
    UsageError,
)
from fanwise.model import Lease, Run, Status
from fanwise.plan import Plan
from fanwise.testing.stores import FailingStore, StoreWrapper

FLOW = """
parameters: {n: {type: integer, default: 1}}
tasks:
  - {name: first, action: test.do, input: {of: first}}
  - {name: second, action: test.do, input: {of: second}}
finally:
  - {name: clean, action: test.do, input: {of: clean}}
"""


class Doing:
    """An action whose call for `first` waits until it is let go."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()

    def action(self) -> Any:
        @fanwise.action("test.do")
        async def do(of: str) -> None:
            if of == "first":
                self.has_begun.set()
                await self.may_end.wait()
            self.done.append(of)

        return do


Body = Callable[[Engine, Plan, Doing], Awaitable[None]]


def driving(loom: Any, body: Body) -> Doing:
    """Run `body` with an engine of the loom's, the plan of `FLOW`, and its action."""
    doing = Doing()

    async def work() -> None:
        await body(loom.make_engine(), loom.plan(FLOW, doing.action()), doing)

    asyncio.run(work())
    return doing


def test_a_start_returns_when_the_run_is_recorded(loom) -> None:
    """Nothing has to have run by then; `wait` gives the run at its end, however often."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        handle = await engine.start(plan, run_id="mine")
        assert (handle.id, doing.done) == ("mine", [])
        assert engine.find("mine").id == "mine"
        doing.may_end.set()
        run = await handle.wait()
        assert (run.id, run.status) == ("mine", Status.SUCCEEDED)
        assert await handle.wait() is run

    assert driving(loom, body).done == ["first", "second", "clean"]


def test_a_paused_run_is_resumed_with_a_new_handle(loom) -> None:
    """What was in flight finishes, and nothing is done twice."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        handle = await engine.start(plan)
        await doing.has_begun.wait()
        await handle.pause()
        doing.may_end.set()
        assert (await handle.wait()).status is Status.PAUSED
        assert doing.done == ["first"]
        resumed = await engine.start_resume(plan, engine.find(handle.id))
        assert resumed.id == handle.id
        assert (await resumed.wait()).status is Status.SUCCEEDED

    assert driving(loom, body).done == ["first", "second", "clean"]


def test_a_cancelled_run_cleans_up_and_can_be_retried(loom) -> None:
    """A pause that is asked for afterwards doesn't take the cancellation back."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        handle = await engine.start(plan)
        await doing.has_begun.wait()
        await handle.cancel()
        await handle.pause()
        assert (await handle.wait()).status is Status.CANCELLED
        assert doing.done == ["clean"]
        doing.may_end.set()
        retried = await engine.start_retry(plan, engine.find(handle.id))
        assert (await retried.wait()).status is Status.SUCCEEDED

    assert driving(loom, body).done == ["clean", "first", "second", "clean"]


def test_a_request_right_after_the_start_is_heard(loom) -> None:
    """Before anything of the run has begun."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        handle = await engine.start(plan)
        await handle.cancel()
        assert (await handle.wait()).status is Status.CANCELLED

    assert driving(loom, body).done == ["clean"]


def test_a_handle_concerns_no_other_run_of_its_engine(loom) -> None:
    """`Engine.pause` concerns them all."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        one, two, three = [await engine.start(plan) for _ in range(3)]
        await doing.has_begun.wait()
        await one.cancel()
        assert (await one.wait()).status is Status.CANCELLED
        engine.pause()
        doing.may_end.set()
        runs = await asyncio.gather(two.wait(), three.wait())
        assert [run.status for run in runs] == [Status.PAUSED] * 2

    driving(loom, body)


def test_a_request_to_a_run_that_is_over_changes_nothing(loom) -> None:
    """And isn't an error: the run may have ended while the request was on its way."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        doing.may_end.set()
        handle = await engine.start(plan)
        run = await handle.wait()
        await handle.cancel()
        await handle.pause()
        assert await handle.wait() is run
        assert engine.find(handle.id).status is Status.SUCCEEDED

    driving(loom, body)


def test_a_wait_that_is_cancelled_leaves_the_run_in_progress(loom) -> None:
    """A server may stop waiting for a run without ending it."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        handle = await engine.start(plan)
        waiting = asyncio.create_task(handle.wait())
        await doing.has_begun.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        doing.may_end.set()
        assert (await handle.wait()).status is Status.SUCCEEDED

    driving(loom, body)


def require_left_for_later(loom: Any, run_id: str) -> None:
    """The run has stopped where it was, and another process may take it."""
    assert loom.store.run(run_id).status is Status.RUNNING
    require_given_back(loom, run_id)


def require_given_back(loom: Any, run_id: str) -> None:
    """Nobody drives the run."""
    lease = loom.store.lease(loom.store.run(run_id).run_no)
    assert lease is None or lease.owner is None


def test_the_end_of_a_handles_block_cuts_the_run_off(loom) -> None:
    """It keeps its records, is given back, and can be resumed."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        async with await engine.start(plan) as handle:
            await doing.has_begun.wait()
        require_left_for_later(loom, handle.id)
        with pytest.raises(asyncio.CancelledError):
            await handle.wait()
        doing.may_end.set()
        run = await engine.aresume(plan, engine.find(handle.id))
        assert run.status is Status.SUCCEEDED

    assert driving(loom, body).done == ["first", "second", "clean"]


def test_a_run_is_bound_to_the_call_that_runs_it_to_its_end(loom) -> None:
    """Cancelling `arun` cuts it off."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        running = asyncio.create_task(engine.arun(plan, run_id="mine"))
        await doing.has_begun.wait()
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        require_left_for_later(loom, "mine")

    assert driving(loom, body).done == []


async def _start(engine: Engine, plan: Plan, run: Run) -> RunHandle:
    return await engine.start(plan, run_id=run.id)


async def _start_malformed(engine: Engine, plan: Plan, _run: Run) -> RunHandle:
    return await engine.start(plan, {"n": "one"})


async def _start_without_items(engine: Engine, plan: Plan, _run: Run) -> RunHandle:
    return await engine.start(plan, items=0)


async def _resume(engine: Engine, plan: Plan, run: Run) -> RunHandle:
    return await engine.start_resume(plan, engine.find(run.id))


async def _retry(engine: Engine, plan: Plan, run: Run) -> RunHandle:
    return await engine.start_retry(plan, engine.find(run.id))


async def _retry_from_nowhere(engine: Engine, plan: Plan, run: Run) -> RunHandle:
    return await engine.start_retry(plan, engine.find(run.id), from_task="third")


@pytest.mark.parametrize(
    ("start", "error", "message"),
    [
        (_start, RunExistsError, "mine"),
        (_start_malformed, ParameterError, "n"),
        (_start_without_items, UsageError, "`items` takes a whole number from 1, not 0"),
        (_resume, RunOverError, "run mine is over"),
        (_retry, NothingToRetryError, "nothing of run mine has failed"),
        (_retry_from_nowhere, TaskNotFoundError, 'has not run a task "third"'),
    ],
)
def test_what_keeps_a_run_from_being_driven_is_raised_by_its_start(
    loom, start: Any, error: type[Exception], message: str
) -> None:
    """There is no handle then, and the run's record stays as it was."""

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        doing.may_end.set()
        run = await engine.arun(plan, run_id="mine")
        before = engine.find("mine")
        with pytest.raises(error, match=message):
            await start(engine, plan, run)
        assert engine.find("mine") == before
        assert len(loom.store.runs()) == 1

    driving(loom, body)


def test_a_store_that_fails_later_is_raised_by_the_wait(loom) -> None:
    """Whoever only pauses or cancels the run isn't concerned."""
    loom.store = FailingStore(loom.store, 2, "before")

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        handle = await engine.start(plan)
        doing.may_end.set()
        with pytest.raises(StoreError):
            await handle.wait()
        await handle.pause()

    driving(loom, body)


class SlowToAcquire(StoreWrapper):
    """A store in which no run is taken over while the gate is closed."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.is_asked = threading.Event()
        self.gate = threading.Event()

    def acquire(self, *args: Any, **options: Any) -> Lease | None:
        self.is_asked.set()
        self.gate.wait()
        return super().acquire(*args, **options)


def test_a_start_that_is_cancelled_leaves_no_lease_behind(loom) -> None:
    """Also if the lease is about to be taken, in a thread that can't be cancelled."""
    loom.store = store = SlowToAcquire(loom.store)

    async def body(engine: Engine, plan: Plan, doing: Doing) -> None:
        handle = await engine.start(plan)
        await handle.pause()
        doing.may_end.set()
        assert (await handle.wait()).status is Status.PAUSED
        doing.done.clear()
        starting = asyncio.create_task(engine.start_resume(plan, engine.find(handle.id)))
        await asyncio.to_thread(store.is_asked.wait)
        starting.cancel()
        asyncio.get_running_loop().call_soon(store.gate.set)
        await asyncio.wait([starting])
        assert starting.cancelled()
        require_given_back(loom, handle.id)

    assert driving(loom, body).done == []
