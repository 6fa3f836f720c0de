"""The logs and the sleeps of attempts that workers make, kept by the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from fanwise.executors.frames import Logged, Sleeping, Slept, ToWorker
from fanwise.ports import ActionCall, AttemptLog, Ticket


class Sender(Protocol):
    """The way to a worker."""

    def send(self, message: ToWorker) -> None:
        """Send a message."""


class Traces:
    """The logs and sleeps of a visit's attempts, as far as they have any.

    `numbers` are the attempts that have; all others cost nothing.
    """

    def __init__(self, visit: int, call: ActionCall) -> None:
        self._visit = visit
        self._call = call
        self._logs: dict[int, AttemptLog] = {}
        self._sleepers: dict[int, _Sleeps] = {}
        self.numbers: set[int] = set()

    def logged(self, ticket: Ticket, message: Logged) -> None:
        """Record a text of an attempt."""
        log = self._logs.get(message.number)
        if log is None:
            log = self._logs[message.number] = self._call.log_of(ticket)
            self.numbers.add(message.number)
        log.take(message.text, message.left_out)

    def sleeps(self, worker: Sender, ticket: Ticket, message: Sleeping) -> None:
        """Let an attempt sleep, and tell its worker at the end."""
        number = message.number
        sleeps = self._sleepers.get(number)
        if sleeps is None:
            sleeps = self._sleepers[number] = _Sleeps(lambda: self._call.sleeper(ticket))
            self.numbers.add(number)

        def over() -> None:
            worker.send(Slept(self._visit, number, message.sleep))

        sleeps.begin(message.seconds, over, alone=message.alone)

    def end(self, number: int, ticket: Ticket) -> None:
        """End the log and the sleeps of an attempt."""
        self.numbers.discard(number)
        if (log := self._logs.pop(number, None)) is not None:
            log.keep(ticket)
        if (sleeps := self._sleepers.pop(number, None)) is not None:
            sleeps.cancel()

    def close(self) -> None:
        """End all sleeps."""
        for sleeps in self._sleepers.values():
            sleeps.cancel()


class _Sleeps:
    """The sleeps of one attempt. Those in which it does nothing else are made by one task.

    That task stands for the attempt: a sleeper tells by it that nothing is at work.
    """

    def __init__(self, make_sleeper: Callable[[], Callable[[float], Awaitable[None]]]) -> None:
        self._queue: asyncio.Queue[tuple[float, Callable[[], None]]] = asyncio.Queue()
        self._make_sleeper = make_sleeper
        self._sleeper: Callable[[float], Awaitable[None]] | None = None
        self._tasks = {asyncio.create_task(self._sleep_in_turn())}

    def begin(self, seconds: float, over: Callable[[], None], *, alone: bool) -> None:
        """Begin a sleep, at whose end `over` is called."""
        if alone:
            self._queue.put_nowait((seconds, over))
        else:
            task = asyncio.create_task(self._sleep(seconds, over))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _sleep_in_turn(self) -> None:
        while True:
            await self._sleep(*await self._queue.get())

    async def _sleep(self, seconds: float, over: Callable[[], None]) -> None:
        if self._sleeper is None:
            self._sleeper = self._make_sleeper()
        await self._sleeper(seconds)
        over()

    def cancel(self) -> None:
        """End them before their time."""
        for task in self._tasks:
            task.cancel()
