"""The executor of this process: `async def` on the event loop, `def` in threads.

Implements `ports.Executor`. It starts no process, and knows nothing of stores or workflows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context

from fanwise.catalog import Runs
from fanwise.executors.crew import Caller, WorkerPool
from fanwise.executors.threads import Threads
from fanwise.ports import ActionCall, Clock, Feed

# Actions in this process
# =======================
#
# Most fan-outs wait for a network, which one event loop does best: an `async def` is awaited by its
# worker directly, with nothing between. How workers take attempts, keep deadlines and share the
# loop is in `crew.py`; here is how the action itself is called.
#
# Threads. A `def` would block the loop, so the visit has threads of its own (`threads.py`) until it
# ends. `asyncio.to_thread` isn't enough, for three reasons. Its pool has at most 32 threads for the
# whole process, so `concurrency: 200` would mean 32. It copies the context for each call, where a
# worker has one copy for all of its calls: the log that hears the worker hears these too. And the
# interpreter waits for the pool's threads when it ends, so an action that never returns would keep
# a run that is over from exiting; ours are daemons.
#
# Timeouts of threads. Python can't stop a thread: `PyThreadState_SetAsyncExc` waits for the next
# bytecode, which a call that hangs in C never reaches, and kills whatever library is on the stack
# halfway through its own invariants. So the attempt fails on time, the worker's slot stays taken
# until the call returns or is left behind, and the run says so. A cancelled future no longer says
# when its call returns, so the call gets another one then.
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
        threads = Threads(asyncio.get_running_loop())

        def make_caller() -> Caller:
            if call.runs is Runs.ASYNC:
                return OnLoop(call.function)
            return InThread(call.function, threads)

        try:
            await WorkerPool(feed, call, self._clock, make_caller).work()
        finally:
            threads.close()


class OnLoop:
    """Calls an `async def`. Implements `crew.Caller`."""

    __slots__ = ("call",)

    holds_loop = True
    running: None = None  # a cancelled coroutine has ended

    def __init__(self, function: Callable[..., Awaitable[object]]) -> None:
        self.call = function

    def leave(self) -> None:
        """Nothing is left behind."""


class InThread:
    """Calls a `def` in one of the visit's threads. Implements `crew.Caller`."""

    __slots__ = ("_context", "_function", "_running", "_threads")

    holds_loop = False

    def __init__(self, function: Callable[..., object], threads: Threads) -> None:
        self._function = function
        self._threads = threads
        self._context: Context | None = None  # the worker's, copied at its first call
        self._running: asyncio.Future[object] | None = None

    @property
    def running(self) -> asyncio.Future[object] | None:
        """The interrupted call, unless it has returned."""
        running = self._running
        return None if running is None or running.done() else running

    async def call(self, **arguments: object) -> object:
        """The action's result."""
        if self._context is None:
            self._context = copy_context()
        call = self._threads.call(self._function, arguments, self._context)
        try:
            return await call.returned
        except asyncio.CancelledError:
            if call.returned.cancelled():  # by the worker's interruption, not by the action
                self._running = call.outlive()
            raise

    def leave(self) -> None:
        """Leave its context to the call that still runs."""
        self._context = self._running = None
