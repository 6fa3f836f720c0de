"""A thread that makes one call after the other for an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from queue import SimpleQueue
from typing import TypeAlias

_PendingCall: TypeAlias = (
    "tuple[Callable[..., object], Mapping[str, object], asyncio.Future[object]]"
)


class Thread:
    """A daemon thread: a call that never returns doesn't keep the process from ending.

    (The standard library's pool waits for its threads when the interpreter ends.) It runs in a copy
    of the context that it is made in.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: SimpleQueue[_PendingCall | None] = SimpleQueue()
        threading.Thread(
            target=copy_context().run, args=(self._work,), name="fanwise-action", daemon=True
        ).start()

    def call(
        self, function: Callable[..., object], arguments: Mapping[str, object]
    ) -> asyncio.Future[object]:
        """Call `function` after all calls before; the future has its result or error."""
        returned: asyncio.Future[object] = self._loop.create_future()
        self._calls.put((function, arguments, returned))
        return returned

    def end(self) -> None:
        """Let the thread end when it has made its calls."""
        self._calls.put(None)

    def _work(self) -> None:
        while (pending := self._calls.get()) is not None:
            function, arguments, returned = pending
            result: object = None
            error: BaseException | None = None
            try:
                result = function(**arguments)
            except (StopIteration, GeneratorExit) as ending:  # a future can't carry them
                error = RuntimeError(f"the action raised {type(ending).__name__}")
                error.__cause__ = ending
            except BaseException as raised:
                error = raised
            try:
                self._loop.call_soon_threadsafe(_answer, returned, result, error)
            except RuntimeError:
                return  # the loop is closed, and no one waits any more


def _answer(returned: asyncio.Future[object], result: object, error: BaseException | None) -> None:
    if returned.done():
        return
    if error is None:
        returned.set_result(result)
    else:
        returned.set_exception(error)
        returned.exception()  # an overrun attempt's late error needs no warning
