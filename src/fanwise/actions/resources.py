"""Resources that actions share, such as a pool of connections.

The engine puts `resources` around each run.

`async def` actions share by event loop: a `loop_resource` is made when it is first used on a loop,
and closed when the last run on that loop has ended. No resource ever passes from one loop to
another.

`def` actions share by run: a `run_resource` belongs to the threads of one run, whichever tasks and
children they work for, and is closed at the run's end, however that came about.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

R = TypeVar("R")


class Closable(Protocol):
    """A `run_resource`. Its methods are called by several threads at once.

    `close` returns at once. A thread that can't be stopped may outlive it, so what is used later
    must be closed after each use.
    """

    def close(self) -> None:
        """Give back what isn't in use, and from now on keep nothing."""


C = TypeVar("C", bound=Closable)


class _OfLoop:
    """The resources of one loop, how to close each, and how many runs may use them."""

    __slots__ = ("made", "runs")

    def __init__(self) -> None:
        self.made: dict[Callable[[], Any], tuple[Any, Callable[[Any], Awaitable[None]]]] = {}
        self.runs = 0


# A plain dict, since each request looks here, and a weak one takes six times as long.
_of_loop: dict[asyncio.AbstractEventLoop, _OfLoop] = {}


def _of_running_loop() -> _OfLoop:
    loop = asyncio.get_running_loop()
    held = _of_loop.get(loop)
    if held is None:
        for other in list(_of_loop):
            if other.is_closed():
                _of_loop.pop(other, None)  # another thread may have done it
        held = _of_loop[loop] = _OfLoop()
    return held


def loop_resource(make: Callable[[], R], close: Callable[[R], Awaitable[None]]) -> R:
    """In an `async def` action: the running loop's resource that `make` makes.

    `make` names the resource and must be the same function each time. `close` is awaited once,
    after the last run on the loop, also if a task that is no run's still uses the resource.
    """
    made = _of_running_loop().made
    shared = made.get(make)
    if shared is None:
        shared = made[make] = (make(), close)
    value: R = shared[0]
    return value


async def close_resources() -> None:
    """Close all resources of the running loop."""
    made = _of_running_loop().made
    async with AsyncExitStack() as closing:
        while made:
            _, (value, close) = made.popitem()
            closing.push_async_callback(close, value)


class _OfRun:
    """The resources of one run's threads. A closed one makes no more of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[Callable[[], Any], Any] | None = {}

    def get(self, make: Callable[[], C]) -> C | None:
        with self._lock:
            if self._made is None:
                return None
            if make not in self._made:
                self._made[make] = make()
            value: C = self._made[make]
            return value

    def close(self) -> None:
        with self._lock:
            made, self._made = self._made or {}, None
        with ExitStack() as closing:
            for value in made.values():
                closing.callback(value.close)


# Threads run in a copy of the context in which their run's tasks were made.
_of_run: ContextVar[_OfRun | None] = ContextVar("_of_run", default=None)


@contextmanager
def run_resource(make: Callable[[], C]) -> Iterator[C]:
    """In a `def` action: the run's resource that `make` makes, to use within a `with`.

    `make` names the resource and must be the same each time. Outside of a run, and in a thread
    that has outlived it, the block has a resource of its own.
    """
    held = _of_run.get()
    shared = None if held is None else held.get(make)
    if shared is not None:
        yield shared
        return
    own = make()
    try:
        yield own
    finally:
        own.close()


@asynccontextmanager
async def resources() -> AsyncIterator[None]:
    """A block around a run on the running loop; what its actions share is closed in the end."""
    of_run, of_loop = _OfRun(), _of_running_loop()
    token = _of_run.set(of_run)
    of_loop.runs += 1
    try:
        yield
    finally:
        of_loop.runs -= 1
        _of_run.reset(token)
        try:
            of_run.close()
        finally:
            if not of_loop.runs:
                await close_resources()
