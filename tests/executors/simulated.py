"""Workers that are made up: what they do, and how long messages are under way, is left to chance.

They keep to the protocol of `fanwise.worker`, on the time of a `JumpingLoop`. The engine, its pool
and its visits are real. A `World` is one run of a fan-out with them.
"""

from __future__ import annotations

import asyncio
import errno
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fanwise.engine import LOCAL, PROCESS
from fanwise.executors.frames import (
    Attempts,
    Close,
    Ended,
    Open,
    Opened,
    Outcome,
    Recall,
    Refused,
    Returned,
    SentAttempt,
    Stop,
    ToWorker,
    VisitMessage,
)
from fanwise.executors.pool import ProcessPool
from fanwise.executors.remote import RemoteVisit
from fanwise.executors.workers import ServingWorker, WorkerEnd
from fanwise.model import ItemOutcome, Limits, Run
from fanwise.plan import Plan
from fanwise.ports import ActionCall, ChunkFeed
from fanwise.testing.jumping_loop import JumpingLoop
from fanwise.testing.stores import MemoryStore
from fanwise.wiring import Settings, build_engine
from tests.one_thread import OneThreadLoop

LONGEST_S = 60.0
"""The time by which every run is over, whatever happens."""

SLOW_S = 30.0


@dataclass(frozen=True)
class Chances:
    """What the workers of a world do. Times are the longest ones, in seconds."""

    seed: int = 0
    workers: int = 2
    latency_s: float = 0.0
    import_s: float = 0.0
    item_s: float = 0.0
    refuses: float = 0.0
    """The share of workers that refuse the visit."""
    unstarted: float = 0.0
    """The share of workers that the system doesn't start."""
    deaths: int = 0
    """Workers that are killed from outside."""
    killers: frozenset[int] = frozenset()
    """The indexes of items that kill their worker."""
    slow: frozenset[int] = frozenset()
    """The indexes of items that take `SLOW_S`."""
    knows: bool = True
    """Whether it is known what a worker ran when it died."""
    worn_after: int = 1_000_000
    stops_after_s: float | None = None
    """When the run is paused."""


@dataclass
class World:
    """One run with such workers, and what really happens there."""

    chances: Chances
    loop: JumpingLoop = field(default_factory=OneThreadLoop)
    running: Counter[int] = field(default_factory=Counter)
    """The attempts that run, by their visits."""
    most_running: int = 0
    last_began_s: float = 0.0
    """The time at which an attempt began last."""
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.chances.seed)
        self.deaths = self.chances.deaths

    def run(self, plan: Plan) -> Run:
        """The end of a run."""
        start = partial(SimulatedWorker, self)
        pool = ProcessPool(self.chances.workers, start, least_s=0.003)
        executor = _Executor(pool, self.loop)
        engine = build_engine(
            self.store,
            Settings(store="", limits=Limits(), environment={}),
            clock=self.loop,
            executors={LOCAL: executor, PROCESS: executor},
            grace_s=0.0,
        )

        async def run() -> Run:
            if self.chances.stops_after_s is not None:
                self.loop.call_later(self.chances.stops_after_s, engine.pause)
            async with asyncio.timeout(LONGEST_S):
                return await engine.arun(plan)

        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            return runner.run(run())

    def items(self, visit_no: int = 1) -> list[ItemOutcome]:
        """The items of a visit that are recorded."""
        return list(self.store.items(self.store.runs(limit=1)[0].run_no, visit_no, limit=10_000))

    def up_to(self, most: float) -> float:
        """A time."""
        return self.chance.random() * most

    def begins(self, visit: int) -> None:
        """Note that an item of a visit runs."""
        self.running[visit] += 1
        self.most_running = max(self.most_running, self.running[visit])
        self.last_began_s = self.loop.time()


class _Executor:
    def __init__(self, pool: ProcessPool[SimulatedWorker], clock: JumpingLoop) -> None:
        self._pool = pool
        self._clock = clock

    async def execute(self, feed: ChunkFeed, call: ActionCall) -> None:
        await RemoteVisit(feed, call, self._pool, self._clock, call.portable(), b"{}").run()


class SimulatedWorker(ServingWorker):
    """A worker. Implements `pool.PooledWorker`."""

    def __init__(self, world: World, gone: Callable[[SimulatedWorker], None]) -> None:
        if world.chance.random() < world.chances.unstarted:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        super().__init__(world.chances.worn_after)
        self._world = world
        self._gone = gone
        self._visits: dict[int, _Visit] = {}
        self._is_over = False
        self._is_dead = False
        self._ran: tuple[int, ...] | None = None
        self._to_worker: deque[Callable[[], None]] = deque()
        self._to_engine: deque[Callable[[], None]] = deque()
        if world.deaths:
            world.deaths -= 1
            world.loop.call_later(world.up_to(2.0), self.die)

    # As the engine sees it

    @property
    def is_alive(self) -> bool:
        return not self._is_over

    @property
    def has_ended(self) -> bool:
        return True

    def send(self, message: ToWorker) -> None:
        self._count(message)
        self._later(self._to_worker, partial(self._told, message))

    def running(self) -> tuple[int, ...] | None:
        return self._ran

    def kill(self) -> None:
        self._is_over = True
        self._later(self._to_worker, self.die)

    def close(self) -> None:
        self._is_over = True
        self._later(self._to_worker, self._end)

    def wait(self) -> None:
        pass

    # On the way

    def _later(self, way: deque[Callable[[], None]], callback: Callable[[], None]) -> None:
        """Have something happen on the other side, in the order in which it was sent."""
        way.append(callback)
        latency_s = self._world.up_to(self._world.chances.latency_s)
        self._world.loop.call_later(latency_s, lambda: way.popleft()())

    def say(self, message: VisitMessage) -> None:
        """Send a message to the engine."""
        self._later(self._to_engine, partial(self._pass_to_guest, message))

    # On its own side

    def _told(self, message: Any) -> None:
        if self._is_dead:
            return
        if isinstance(message, Open):
            assert message.visit not in self._visits
            self._visits[message.visit] = _Visit(self, self._world, message)
        elif (visit := self._visits.get(message.visit)) is not None:
            visit.told(message)
            if isinstance(message, Close):
                del self._visits[message.visit]

    def die(self) -> None:
        """End as if it were killed."""
        if self._is_dead:
            return
        ran = [number for visit in self._visits.values() for number in visit.running]
        self._end()
        self._ran = tuple(ran) if self._world.chances.knows else None
        self._later(self._to_engine, self._lost)

    def _end(self) -> None:
        self._is_dead = True
        for visit in self._visits.values():
            visit.end()
        self._visits = {}

    def _lost(self) -> None:
        self._is_over = True
        guests = self._dismiss()
        self._gone(self)
        for guest in guests.values():
            guest.lost(self, WorkerEnd("was killed by signal 9", signal=9))


class _Visit:
    """A visit on a worker's side."""

    def __init__(self, worker: SimulatedWorker, world: World, opening: Open) -> None:
        self._worker = worker
        self._world = world
        self._number = opening.visit
        self._width = opening.width
        self._waiting: deque[SentAttempt] = deque()
        self._is_open = False
        self._is_over = False
        self._is_halted = False
        self.running: dict[int, asyncio.TimerHandle] = {}
        world.loop.call_later(world.up_to(world.chances.import_s), self._imported)

    def _imported(self) -> None:
        if self._is_over:
            return
        if self._world.chance.random() < self._world.chances.refuses:
            self.end()
            self._worker.say(Refused(self._number, "no such device", "Plug it in."))
        else:
            self._is_open = True
            self._worker.say(Opened(self._number))
            self._begin()

    def told(self, message: ToWorker) -> None:
        """Take a message in. What has been refused answers no more."""
        if self._is_over:
            return
        match message:
            case Attempts():
                self._waiting += message.attempts
                if self._is_halted:
                    self._give_back()
                self._begin()
            case Recall():
                self._give_back()
            case Stop():
                self._is_halted = True
                self._give_back()
                for number in [*self.running]:
                    self._ended(number, Outcome(number, 0.0, 0.1))
            case Close():
                self.end()

    def _give_back(self) -> None:
        numbers = [each.number for each in self._waiting]
        self._waiting.clear()
        self._worker.say(Returned(self._number, numbers))

    def _begin(self) -> None:
        world = self._world
        while self._is_open and self._waiting and len(self.running) < self._width:
            sent = self._waiting.popleft()
            assert sent.index is not None
            world.begins(self._number)
            kills = sent.index in world.chances.killers
            duration_s = world.up_to(world.chances.item_s)
            if sent.index in world.chances.slow:
                duration_s = SLOW_S
            ends = self._worker.die if kills else partial(self._succeeded, sent.number, duration_s)
            self.running[sent.number] = world.loop.call_later(duration_s, ends)

    def _succeeded(self, number: int, duration_s: float) -> None:
        self._ended(number, Outcome(number, 0.0, duration_s, b"1"))
        self._begin()

    def _ended(self, number: int, outcome: Outcome) -> None:
        self.running.pop(number).cancel()
        self._world.running[self._number] -= 1
        self._worker.say(Ended(self._number, [outcome]))

    def end(self) -> None:
        """Run nothing any more."""
        self._is_over = True
        self._waiting.clear()
        self._world.running[self._number] -= len(self.running)
        for timer in self.running.values():
            timer.cancel()
        self.running = {}
