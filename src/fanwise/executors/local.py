"""The executor of this process: `async def` on the event loop, `def` in threads.

Implements `ports.Executor`. It starts no process, and knows nothing of stores or workflows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fanwise.catalog import Runs
from fanwise.executors.crew import Caller, WorkerPool
from fanwise.executors.threads import Thread
from fanwise.ports import ActionCall, Clock, Feed

# Actions in this process
# =======================
#
# Most fan-outs wait for a network, which one event loop does best: an `async def` is awaited by its
# worker directly, with nothing between. How workers take attempts, keep deadlines and share the
# loop stands in `crew.py`; here stands how the action itself is called.
#
# Threads. A `def` would block the loop, so each worker has a thread of its own, made at its first
# call and kept until the visit ends. `asyncio.to_thread` isn't enough, for three reasons. Its pool
# has at most 32 threads for the whole process, so `concurrency: 200` would mean 32. It copies the
# context for each call, where a worker's thread inherits it once: the log that hears the worker
# hears its thread too. And the interpreter waits for the pool's threads when it ends, so an
# action that never returns would keep a run that is over from exiting; ours are daemons.
#
# Timeouts of threads. Python can't stop a thread: `PyThreadState_SetAsyncExc` waits for the next
# bytecode, which a call that hangs in C never reaches, and kills whatever library is on the stack
# halfway through its own invariants. So the attempt fails on time, the worker's slot stays taken
# until the thread returns or is left behind, and the run says so. The call is awaited through
# `asyncio.shield`, since a cancelled future would no longer say when its thread returns.
#
# What a halt can't stop. When a run is cut off, the pool leaves a busy thread behind and doesn't
# wait for it: the attempt is recorded as cancelled, and its late result is dropped.
#
# `cpu=True`. Such actions are for an executor with processes. Here they run in threads and share
# one interpreter lock; the engine, which chose this executor (`engine/placement.py`), reports that.


class LocalExecutor:
    """Implements `ports.Executor` in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def execute(self, feed: Feed, call: ActionCall) -> None:
        """Make the attempts that `feed` hands out, until none will come any more."""

        def make_caller() -> Caller:
            return OnLoop(call.function) if call.runs is Runs.ASYNC else InThread(call.function)

        await WorkerPool(feed, call, self._clock, make_caller).work()


class OnLoop:
    """Calls an `async def`. Implements `crew.Caller`."""

    __slots__ = ("call",)

    holds_loop = True
    running: None = None  # a cancelled coroutine has ended

    def __init__(self, function: Callable[..., Awaitable[object]]) -> None:
        self.call = function

    def leave(self) -> None:
        """Nothing is left behind."""

    def close(self) -> None:
        """Nothing is held."""


class InThread:
    """Calls a `def` in a thread of its own, made at the first call. Implements `crew.Caller`."""

    __slots__ = ("_function", "_latest", "_thread")

    holds_loop = False

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._thread: Thread | None = None
        self._latest: asyncio.Future[object] | None = None

    @property
    def running(self) -> asyncio.Future[object] | None:
        """The latest call, unless it has returned."""
        latest = self._latest
        return None if latest is None or latest.done() else latest

    async def call(self, **arguments: object) -> object:
        """The action's result."""
        if self._thread is None:
            self._thread = Thread(asyncio.get_running_loop())
        self._latest = self._thread.call(self._function, arguments)
        return await asyncio.shield(self._latest)

    def leave(self) -> None:
        """Let the thread end after its call, and take another one for the next."""
        self.close()
        self._thread = self._latest = None

    def close(self) -> None:
        """Let the thread end after its calls."""
        if self._thread is not None:
            self._thread.end()
