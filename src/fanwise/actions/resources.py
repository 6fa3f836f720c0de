"""Resources that actions share, such as a pool of connections.

The engine puts `resources` around each run.

`async def` actions share by event loop: a `resource` is made when it is first used on a loop and
closed by `close_resources`, when a run on that loop has ended. What is in use at that moment, by
another run on the same loop, is closed when its last user leaves. No resource ever passes from one
loop to another.

`def` actions share by run: a `run_resource` belongs to the threads of one run, whichever tasks and
children they work for, and is closed at the run's end, however that came about.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

R = TypeVar("R")


class Closable(Protocol):
    """A `run_resource`. Its methods are called by several threads at once.

    `close` returns at once. A thread that can't be stopped may outlive it, so what is used later
    must be closed after each use.
    """

    def close(self) -> None:
        """Give back what isn't in use, and from now on keep nothing."""


C = TypeVar("C", bound=Closable)


class _Shared:
    """A resource, how to close it, and how many use it."""

    __slots__ = ("close", "is_retired", "users", "value")

    def __init__(self, value: Any, close: Callable[[Any], Awaitable[None]]) -> None:
        self.value = value
        self.close = close
        self.users = 0
        self.is_retired = False


_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Callable[[], Any], _Shared]] = (
    WeakKeyDictionary()
)


class resource(Generic[R]):  # noqa: N801 - used as a function is: `async with resource(...)`
    """The running loop's resource that `make` makes, to use within an `async with`.

    `make` names the resource and must be the same function each time. `close` is awaited once.
    """

    __slots__ = ("_close", "_make", "_shared")

    def __init__(self, make: Callable[[], R], close: Callable[[R], Awaitable[None]]) -> None:
        self._make = make
        self._close = close

    async def __aenter__(self) -> R:
        loop = asyncio.get_running_loop()
        held = _of_loop.get(loop)
        if held is None:
            held = _of_loop[loop] = {}
        shared = held.get(self._make)
        if shared is None:
            shared = held[self._make] = _Shared(self._make(), self._close)
        shared.users += 1
        self._shared = shared
        value: R = shared.value
        return value

    async def __aexit__(self, *_: object) -> None:
        shared = self._shared
        shared.users -= 1
        if shared.is_retired and not shared.users:
            await shared.close(shared.value)


async def close_resources() -> None:
    """Close all resources of the running loop: those in use when their last user leaves."""
    held = _of_loop.pop(asyncio.get_running_loop(), {})
    async with AsyncExitStack() as closing:
        for shared in held.values():
            shared.is_retired = True
            if not shared.users:
                closing.push_async_callback(shared.close, shared.value)


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
    held = _OfRun()
    token = _of_run.set(held)
    try:
        yield
    finally:
        _of_run.reset(token)
        try:
            held.close()
        finally:
            await close_resources()
