"""Runs actions in this process: `async def` on the event loop, `def` in threads.

A task has as many workers as it may run items at once, and they live as long as it does. A worker
takes a ticket, makes the attempt, hands back what came of it, and takes the next: no asyncio task
and no timeout context is made for an item. One timer sweeps the deadlines of all workers of a task.

A worker that never has to wait would keep the loop to itself, so each yields once 10 ms have passed
since the loop last came round. A `def` that overruns its timeout fails at once, but keeps its slot
until it returns, because a thread can't be stopped.

Actions are cancelled as asyncio tasks are, and may do anything about it: swallow it, cancel
themselves, raise another error. So a worker never asks the task whether it was cancelled; it goes
by what this module has noted itself.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fanwise.catalog import Runs
from fanwise.errors import AttemptTimeoutError
from fanwise.executors.threads import Thread
from fanwise.ports import AttemptLog, Call, Clock, Feed, Ticket, Timer

_TURN_S = 0.010


class LocalExecutor:
    """Implements `ports.Executor` in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def execute(self, feed: Feed, call: Call) -> None:
        """Make the attempts that `feed` hands out, until none will come any more."""
        await _WorkerPool(feed, call, self._clock).work()


class _Worker:
    """One slot: the attempt in it, when that must end, and why it was interrupted."""

    __slots__ = ("deadline", "interruption", "returned", "task", "thread", "ticket")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.ticket: Ticket | None = None
        self.deadline = math.inf
        self.interruption: str | None = None
        self.thread: Thread | None = None
        self.returned: asyncio.Future[Any] | None = None  # of the thread's latest call

    def interrupt(self, why: str) -> None:
        """Cancel the attempt; the worker itself goes on. A halt may follow a deadline."""
        if self.task is None or self.ticket is None:
            return
        if self.interruption is None or (why == "halt" and self.interruption != "halt"):
            self.interruption = why
            self.deadline = math.inf
            self.task.cancel()

    def forget_cancellation(self) -> None:
        """Let the task go on as if nobody had cancelled it."""
        while self.task is not None and self.task.cancelling():
            self.task.uncancel()


class _WorkerPool:
    """The workers of one task."""

    def __init__(self, feed: Feed, call: Call, clock: Clock) -> None:
        self._feed = feed
        self._call = call
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._workers = [_Worker() for _ in range(feed.width)]
        self._is_over = False
        self._turn_ends = 0.0
        self._turn_is_over = False
        self._sweep: Timer | None = None
        self._halted: asyncio.Future[None] = self._loop.create_future()
        if call.runs is Runs.PROCESS:
            feed.notice("an action with cpu=True runs in a thread: there is no process pool yet")
        feed.on_halt(self._halt)

    async def work(self) -> None:
        """Run until the feed has nothing more. Raises what a worker could not hand back."""
        tasks = []
        for worker in self._workers:
            worker.task = self._loop.create_task(self._run(worker))
            tasks.append(worker.task)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            self._is_over = True
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if self._sweep is not None:
                self._sweep.cancel()
            for worker in self._workers:
                if worker.thread is not None:
                    worker.thread.end()

    async def _run(self, worker: _Worker) -> None:
        with self._call.open_log() as log:
            while True:
                try:
                    await self._attempts(worker, log)
                except asyncio.CancelledError:
                    if self._is_over:
                        raise
                    worker.forget_cancellation()  # an action has left it behind
                else:
                    return

    async def _attempts(self, worker: _Worker, log: AttemptLog) -> None:
        # The hot loop. What doesn't change is bound to local names.
        feed, call = self._feed, self._call
        take, succeeded = feed.take, feed.succeeded
        arguments, result = call.arguments, call.result
        invoke: Callable[..., Awaitable[Any]] = (
            call.function if call.runs is Runs.ASYNC else partial(self._in_thread, worker)
        )
        monotonic, timeout_s = self._clock.monotonic, call.timeout_s
        to_epoch = self._clock.now() - monotonic()

        now = monotonic()
        while True:
            ticket = take()
            if ticket is None:
                if not await feed.wait():
                    return
                now = monotonic()
                continue
            started = now
            worker.ticket = ticket
            if timeout_s is not None:
                worker.deadline = started + timeout_s
                if self._sweep is None:
                    self._arm(timeout_s)
            log.is_open = True
            try:
                output = result(await invoke(**arguments(ticket)), ticket)
                if worker.interruption is not None or self._is_over:
                    raise asyncio.CancelledError  # which the action has swallowed
            except BaseException as error:
                now = monotonic()
                log.keep(ticket, started + to_epoch)
                await self._failed(worker, ticket, error, started + to_epoch, now - started)
            else:
                now = monotonic()
                worker.ticket = None
                log.is_open = False
                if log.written:
                    log.keep(ticket, started + to_epoch)
                succeeded(ticket, output, started + to_epoch, now - started)
            if now >= self._turn_ends:
                await self._yield()
                now = monotonic()

    async def _failed(
        self,
        worker: _Worker,
        ticket: Ticket,
        error: BaseException,
        started_at: float,
        duration_s: float,
    ) -> None:
        """Hand back an attempt that raised, was too slow, or was stopped."""
        why = worker.interruption
        worker.ticket = worker.interruption = None
        worker.deadline = math.inf
        if self._is_over or isinstance(error, KeyboardInterrupt | GeneratorExit):
            raise error
        worker.forget_cancellation()
        if why == "halt":
            self._feed.cancelled(ticket, started_at, duration_s)
        elif why == "deadline":
            overrun = AttemptTimeoutError(
                f"the attempt took longer than its timeout of {self._call.timeout_s:g} s"
            )
            await self._overran(worker, ticket, overrun, started_at, duration_s)
        else:
            self._feed.failed(ticket, error, started_at, duration_s)

    async def _overran(
        self,
        worker: _Worker,
        ticket: Ticket,
        error: AttemptTimeoutError,
        started_at: float,
        duration_s: float,
    ) -> None:
        """Fail an attempt that was too slow; keep the slot while a thread still runs it."""
        returned = worker.returned
        if returned is None or returned.done():
            self._feed.failed(ticket, error, started_at, duration_s)
            return
        self._feed.failed(ticket, error, started_at, duration_s, busy=returned)
        self._feed.notice(
            f"{self._call.describe(ticket)} has overrun its timeout and can't be stopped; "
            "it keeps its slot until it returns"
        )
        await asyncio.wait([returned, self._halted], return_when=asyncio.FIRST_COMPLETED)

    def _arm(self, wait_s: float) -> None:
        self._sweep = self._clock.call_later(wait_s, self._sweep_deadlines)

    def _sweep_deadlines(self) -> None:
        """Interrupt what is overdue, and come back when the next attempt could be."""
        now = self._clock.monotonic()
        soonest = math.inf
        for worker in self._workers:
            if worker.ticket is None:
                continue
            if worker.deadline <= now:
                worker.interrupt("deadline")
            elif worker.deadline < soonest:
                soonest = worker.deadline
        self._sweep = None
        if soonest < math.inf:
            self._arm(soonest - now)

    def _halt(self) -> None:
        if not self._halted.done():
            self._halted.set_result(None)
        for worker in self._workers:
            worker.interrupt("halt")

    async def _yield(self) -> None:
        """Let the loop come round. The first to ask has the next turn begin when it has."""
        if not self._turn_is_over:
            self._turn_is_over = True
            self._loop.call_soon(self._begin_turn)
        await asyncio.sleep(0)

    def _begin_turn(self) -> None:
        self._turn_is_over = False
        self._turn_ends = self._clock.monotonic() + _TURN_S

    async def _in_thread(self, worker: _Worker, **arguments: Any) -> Any:
        if worker.thread is None:
            worker.thread = Thread(self._loop)
        worker.returned = worker.thread.call(self._call.function, arguments)
        # Shielded: a cancelled attempt still needs to know when its thread returns.
        return await asyncio.shield(worker.returned)
