"""Taking runs from queues and driving several of them at once, in one process and event loop.

The engine is recorded and beats also while it drives nothing. It looks for waiting runs when it has
room: when the store gives a hint that something has changed, when a run ends, and each second in
any case, since a hint can be missed. It also watches the other engines, and puts the runs of those
that are gone back into their queues, where any engine takes them.
"""

# Statements. A look that finds nothing is one query, and hints come with every commit of other
# processes. So vain looks are bounded by a bucket of five that gains five a second: the first
# hints after a quiet time are followed at once, and a store that is busy with other things costs
# an idle engine no more than that and its beats. Looks that find runs are free, and so are those
# of an engine that drives some, or has just done so: its own commits give hints.
#
# Failures. What is wrong with one run harms only that run: it fails with the error, or goes back
# into its queue. A store that can't be written any more ends the work as a whole, since the leases
# that are held then can't be given back: with the process they are known to be nobody's.

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from fanwise.engine.claimed import LoadPlans
from fanwise.engine.claiming import ClaimingEngine
from fanwise.engine.services import Services
from fanwise.engine.watch import EngineWatch
from fanwise.errors import LeaseLostError, RecordRefusedError, StoreError, StoreUnusableError
from fanwise.model import Claim, EngineRecord
from fanwise.ports import Observer

MOST_RUNS: Final = 10
"""Runs that are driven at once, if nothing else is asked for."""

_POLL_S: Final = 1.0
_HINT_S: Final = 0.25  # a thread that waits for a hint holds up the end of the process
_LOOKS: Final = 5  # with fewer a run in a file may wait for more than 250 ms
_LOOKS_IN_LEASE: Final = 3
"""Looks at the other engines in the time for which a lease holds."""


class LookBudget:
    """A bucket of vain looks: at most five at once, and five more each second."""

    def __init__(self) -> None:
        self._left = float(_LOOKS)
        self._at: float | None = None

    def wait_s(self, now: float) -> float:
        """Return the seconds until the next look may be made; `now` is monotonic."""
        if self._at is not None:
            self._left = min(float(_LOOKS), self._left + (now - self._at) * _LOOKS)
        self._at = now
        return max(0.0, (1.0 - self._left) / _LOOKS)

    def take(self) -> None:
        """Note a look that found nothing."""
        self._left -= 1.0


class Takings:
    """A watcher of the runs that are taken, and of the rest that happens; methods do nothing."""

    def observe(self, claim: Claim) -> Observer:
        """Return an observer for a run that was taken."""
        return Observer()

    def run_broke_off(self, run_id: str, why: str) -> None:
        """React to a run that this engine drives no more although it isn't over."""

    def engine_gone(self, engine: EngineRecord, run_ids: Sequence[str]) -> None:
        """React to an engine that is gone, and whose runs wait again."""

    def store_failed(self, error: StoreError) -> None:
        """React to a store that can't be used at the moment; it is tried again."""


class Taking:
    """Takes runs from `queues`, at most `most` at once, and drives them with an engine.

    `load` makes the plans of a recorded run. `lease_s` is for how long this engine's leases hold.
    """

    def __init__(
        self,
        engine: ClaimingEngine,
        services: Services,
        load: LoadPlans,
        *,
        queues: Sequence[str],
        most: int = MOST_RUNS,
        lease_s: float,
        takings: Takings,
    ) -> None:
        self._engine = engine
        self._services = services
        self._load = load
        self._queues = queues
        self._most = most
        self._look_s = lease_s / _LOOKS_IN_LEASE
        self._takings = takings
        self._watch = EngineWatch(services.processes, most_gap_s=2 * self._look_s)
        self._budget = LookBudget()
        self._runs: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._has_driven = False
        self._broken: StoreError | None = None

    def stop(self) -> None:
        """Take nothing more, and give back what can't be finished within the engine's grace.

        To be called on the event loop's thread.
        """
        self._stop.set()
        self._wake.set()
        self._engine.pause()

    async def work(self) -> None:
        """Take and drive runs until `stop`. Raises `StoreError` if the store can't be written."""
        async with self._engine.staying() as engine_no:
            helpers = [asyncio.create_task(each) for each in (self._hear(), self._look_around())]
            try:
                while not self._stop.is_set():
                    self._wake.clear()
                    await self._take(engine_no)
                    await self._rest()
                while self._runs:
                    await asyncio.wait(self._runs)
            finally:
                await _end([*helpers, *self._runs])
        if self._broken is not None:
            raise self._broken

    async def _take(self, engine_no: Callable[[], int]) -> None:
        """Take as many runs as there is room for."""
        room = self._most - len(self._runs)
        if room <= 0:
            return
        claims: Sequence[Claim] = ()
        try:
            if await asyncio.to_thread(self._services.queue.has_work, self._queues):
                await asyncio.to_thread(self._services.waits.wake_due)
                claims = await asyncio.to_thread(self._claim, engine_no, room)
        except StoreUnusableError as error:
            self._broken = error
            self.stop()
            return
        except StoreError as error:
            self._takings.store_failed(error)
        if not (claims or self._runs or self._has_driven):
            self._budget.take()
        self._has_driven = False
        for each in claims:
            task = asyncio.create_task(self._drive(each))
            self._runs.add(task)
            task.add_done_callback(self._end_run)

    def _claim(self, engine_no: Callable[[], int], room: int) -> Sequence[Claim]:
        return self._services.queue.claim(engine_no(), self._queues, room)

    async def _rest(self) -> None:
        """Return when the next look is worth its while."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), _POLL_S)
        wait_s = self._budget.wait_s(self._services.clock.monotonic())
        if wait_s > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s)

    async def _drive(self, claim: Claim) -> None:
        """Drive a run for as long as this engine does."""
        observer = self._takings.observe(claim)
        try:
            starting = self._engine.start_claimed(claim, self._load, observer=observer)
            async with await starting as handle:
                if self._stop.is_set():  # which a run that was only beginning didn't hear
                    await handle.pause()
                await handle.wait()
        except (LeaseLostError, RecordRefusedError) as error:
            self._takings.run_broke_off(claim.run_id, str(error))
        except StoreError as error:
            self._broken = self._broken or error
            self.stop()
        except Exception as error:  # a fault of fanwise's own harms no other run
            why = f"internal error: {type(error).__name__}"
            self._takings.run_broke_off(claim.run_id, why)

    def _end_run(self, task: asyncio.Task[None]) -> None:
        self._runs.discard(task)
        self._has_driven = True
        self._wake.set()

    async def _hear(self) -> None:
        """Have a look taken when the store gives a hint, if there is room for a run."""
        while True:
            hint = await asyncio.to_thread(self._services.queue.await_change, _HINT_S)
            if hint and len(self._runs) < self._most:
                self._wake.set()

    async def _look_around(self) -> None:
        while True:
            await self.look_for_gone_engines()
            await asyncio.sleep(self._look_s)

    async def look_for_gone_engines(self) -> None:
        """Look at the other engines, and put back the submitted runs of those that are gone."""
        queue = self._services.queue
        try:
            engines = await asyncio.to_thread(queue.engines)
            now = self._services.clock.monotonic()
            for engine in await asyncio.to_thread(self._watch.gone, engines, now):
                if engine.submitted or not engine.runs:
                    put_back = await asyncio.to_thread(queue.reap, engine.engine_no, engine.beats)
                    if put_back or not engine.submitted:  # else another engine was faster
                        self._takings.engine_gone(engine, put_back)
        except StoreError as error:
            self._watch.forget()
            self._takings.store_failed(error)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they have ended in whatever way."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
