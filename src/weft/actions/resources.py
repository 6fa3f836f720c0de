"""What actions share on one event loop, such as a pool of HTTP connections.

A resource is made when it is first used on a loop and closed by `close_resources`, which the engine
calls when a run on that loop has ended. What is in use at that moment, by another run on the same
loop, is closed when its last user leaves. No resource ever passes from one loop to another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

R = TypeVar("R")


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
