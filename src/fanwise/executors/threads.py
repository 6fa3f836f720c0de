"""Threads that make calls for an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Context
from queue import SimpleQueue
from typing import Final

# One line for all threads
# ========================
#
# Calls wait in one line, and whichever thread is free takes the next. The first thread is made for
# the first call, a further one when a call has waited from one look to the next. So calls that take
# microseconds are all made by one thread, which takes the interpreter lock once for all in
# line, and calls that wait for something soon have a thread each. With a thread for each from the
# start the lock would change hands with every call, which costs several times a no-op's own time.
#
# Answers go back the same way: a thread adds to a list, and wakes the loop only if the loop hasn't
# been woken since it last emptied the list. Both sides rely on `deque` and `SimpleQueue` being safe
# without a lock of ours. Two threads may both find the loop asleep and wake it: that is harmless.

_LOOK_S: Final = 0.001


class PendingCall:
    """A call and the future that has its result or error once it has returned."""

    __slots__ = (
        "arguments",
        "context",
        "error",
        "function",
        "has_begun",
        "has_returned",
        "is_void",
        "result",
        "returned",
    )

    def __init__(
        self,
        function: Callable[..., object],
        arguments: Mapping[str, object],
        context: Context,
        returned: asyncio.Future[object],
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.context = context
        self.returned = returned
        self.has_begun = False
        self.has_returned = False
        self.is_void = False
        self.result: object = None
        self.error: BaseException | None = None

    def make(self) -> None:
        """Call the function, in a thread, unless the call has been cancelled in line."""
        self.has_begun = True
        if self.is_void:
            return
        try:
            self.result = self.context.run(self.function, **self.arguments)
        except (StopIteration, GeneratorExit) as ending:  # a future can't carry them
            self.error = RuntimeError(f"the action raised {type(ending).__name__}")
            self.error.__cause__ = ending
        except BaseException as raised:
            self.error = raised

    def answer(self) -> None:
        """Settle the future, on the loop."""
        self.has_returned = True
        returned = self.returned
        if returned.done():
            return
        if self.error is None:
            returned.set_result(self.result)
        else:
            returned.set_exception(self.error)
            returned.exception()  # an overrun attempt's late error needs no warning

    def outlive(self) -> asyncio.Future[object]:
        """The future that says when the call returns, after its own was cancelled."""
        self.returned = self.returned.get_loop().create_future()
        self.is_void = True  # before the look at `has_begun`, as `make` does it the other way round
        if self.has_returned or not self.has_begun:
            self.returned.set_result(None)
        return self.returned


class Threads:
    """Daemon threads, as many as calls need: one that never returns doesn't keep a process alive.

    (The standard library's pool waits for its threads when the interpreter ends.)
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._line: SimpleQueue[PendingCall | None] = SimpleQueue()
        self._answers: deque[PendingCall] = deque()
        self._is_woken = False
        self._count = 0
        self._given = 0  # calls that were put in line
        self._given_before = 0  # of these, those that the last look has seen
        self._look: asyncio.TimerHandle | None = None

    def call(
        self, function: Callable[..., object], arguments: Mapping[str, object], context: Context
    ) -> PendingCall:
        """Put a call in line; it is made in `context`, which no other call may use meanwhile."""
        call = PendingCall(function, arguments, context, self._loop.create_future())
        self._line.put(call)
        self._given += 1
        if not self._count:
            self._add_thread()
        elif self._look is None:
            self._look_later()
        return call

    def close(self) -> None:
        """Let each thread end when it has made its call."""
        if self._look is not None:
            self._look.cancel()
        for _ in range(self._count):
            self._line.put(None)

    def _look_later(self) -> None:
        self._given_before = self._given
        self._look = self._loop.call_later(_LOOK_S, self._relieve)

    def _relieve(self) -> None:
        """Add a thread for each call that has stood in line since the last look."""
        waiting = self._line.qsize()
        for _ in range(self._given_before - (self._given - waiting)):
            self._add_thread()
        self._look = None
        if waiting:
            self._look_later()

    def _add_thread(self) -> None:
        self._count += 1
        threading.Thread(target=self._work, name="fanwise-action", daemon=True).start()

    def _work(self) -> None:
        while (call := self._line.get()) is not None:
            call.make()
            self._answers.append(call)
            if self._is_woken:
                continue
            self._is_woken = True
            try:
                self._loop.call_soon_threadsafe(self._answer)
            except RuntimeError:
                return  # the loop is closed, and no one waits any more

    def _answer(self) -> None:
        self._is_woken = False
        while self._answers:
            self._answers.popleft().answer()
