"""The workers that make the attempts of one visit, shared by executors that hand out attempts.

A `WorkerPool` takes tickets from a feed, makes each attempt within its deadline, and hands back
its outcome. Where the action itself runs is the affair of the `Caller` that each worker has: the
pool knows no threads, processes or machines. Spans are seconds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from fanwise.errors import AttemptTimeoutError
from fanwise.interrupts import is_from_outside
from fanwise.ports import ActionCall, AttemptLog, Clock, Feed, Ticket, Timer

# A pool of workers
# =================
#
# A visit may have ten million items, so each microsecond that an item costs here is ten seconds of
# a run. These are the rules of the hot loop, `WorkerPool._attempts`, and their reasons.
#
# Workers, not tasks. A visit has at most as many workers as it may run items at once, and they live
# as long as it does. A worker takes a ticket, makes the attempt, hands back its outcome, and takes
# the next. The obvious way, an asyncio task for each item under a semaphore, creates, schedules and
# collects a task and two futures for an item; an `asyncio.timeout` adds a timer and a context. Each
# costs as much as all the rest together. It also has to bound the tasks that wait, since a million
# of them would be a million contexts; workers that pull bound themselves. Whatever holds items
# back (slots, a rate, a queue that is full, a retry that isn't due) is the feed's affair: `take`
# gives None then, and `wait` returns once another look is worth while.
#
# One lookout. Of the workers that have nothing to do one waits for the feed, and the others stand
# in line behind it. A lookout that gets a ticket sends the next of the line, or, if there is none,
# a new worker. So there are never more workers than items that have run at once, and one, whatever
# the `concurrency`; and a feed that wakes its workers, as for each slot that comes free, wakes one.
# If all of them waited, each item would cost a look of each of them: with a concurrency of 30,000
# the square of that. A worker that finds no ticket and no lookout is the lookout, so that none is
# missing if an action's stray cancellation hits the worker that was sent.
#
# One timer for all deadlines. A worker notes its deadline as a number. One timer is set for the
# soonest; when it strikes, it interrupts the workers that are overdue and is set for the soonest
# of the others. A worker whose attempt has ended needs no cancellation of anything, its number is
# merely overwritten. So with a timeout of 30 s and items of 1 ms the timer strikes about once in
# 30 s, and not a thousand times a second.
#
# Interruptions. An attempt that is overdue, or that the run cuts off, is cancelled through its
# worker's task, and the worker lives on. An action may do anything about `CancelledError`: swallow
# it, answer with an error of its own, cancel itself, or return a result too late. So a worker never
# asks the task whether it was cancelled, or the exception what it means. It goes by the worker's
# `interruption`, which only this module writes, and takes back every cancellation afterwards
# (`Task.uncancel`), so that the next attempt begins clean. A halt may follow a deadline, since the
# action may have swallowed the first cancellation; a deadline never follows a halt.
#
# Overruns. A call that can't be stopped, as in a thread, keeps its slot for a while: the attempt
# fails at once with `AttemptTimeoutError`, and the feed gets a future as `busy`, so that neither a
# retry of this item nor another item starts before the call returns. Otherwise `concurrency: 10`
# would mean ten, and then twenty, calls of a service that hangs. But a call may never return. So
# once it has taken the timeout twice, or nothing is left to do but to wait for it, it is left
# behind: the worker continues with another thread and log, and the feed counts the call. As many
# calls as `limits.running` allows may be left behind in a process.
#
# Blocked loops. An `async def` that blocks holds up the timer of its own deadline. So the worker
# looks at its duration once more when it returns, which costs a comparison.
#
# Turns of 10 ms. A worker that never has to wait keeps the event loop to itself, and with it the
# journal, the progress and Ctrl-C. So each worker yields once 10 ms have passed since the first
# attempt that ended after the loop last came round: that attempt begins the turn, and has the loop
# end it in its next round. Where attempts wait for something the loop comes round by itself, and
# nobody yields. `asyncio.sleep(0)` after each item would cost more than the item. Reading the clock
# costs nothing: it is read anyway, for the duration that is recorded.
#
# The log. Printed text is kept apart by a context variable (`engine/capture.py`), which is set once
# for each worker, and inherited by whatever a `Caller` starts in a copy of the worker's context. An
# item that prints nothing costs two assignments and a look at whether the buffer is empty.

_TURN_S: Final = 0.010
_NO_TURN: Final = -math.inf


class Caller(Protocol):
    """One worker's way to call the action; it makes one call at a time."""

    @property
    def call(self) -> Callable[..., Awaitable[object]]:
        """The function that a worker awaits, with the action's arguments."""

    @property
    def holds_loop(self) -> bool:
        """True if a call runs on the event loop, so that it can block it."""

    @property
    def running(self) -> asyncio.Future[object] | None:
        """The latest call, if it still runs although its attempt was interrupted."""

    def leave(self) -> None:
        """Make the next call apart from the latest, which may never return."""


class _Worker:
    """One slot: the attempt in it, its deadline, and the reason why it was interrupted."""

    __slots__ = ("caller", "deadline", "interruption", "task", "ticket")

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.task: asyncio.Task[None]
        self.ticket: Ticket | None = None
        self.deadline = math.inf
        self.interruption: str | None = None

    def interrupt(self, why: str) -> None:
        """Cancel the attempt; the worker itself lives on. A halt may follow a deadline."""
        if self.ticket is None:
            return
        if self.interruption is None or (why == "halt" and self.interruption != "halt"):
            self.interruption = why
            self.deadline = math.inf
            self.task.cancel()

    def forget_cancellation(self) -> None:
        """Let the task run as if it had never been cancelled."""
        while self.task.cancelling():
            self.task.uncancel()


class WorkerPool:
    """The workers of one visit: at most as many as its feed is wide, with a caller each."""

    def __init__(
        self, feed: Feed, call: ActionCall, clock: Clock, make_caller: Callable[[], Caller]
    ) -> None:
        self._feed = feed
        self._call = call
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._make_caller = make_caller
        self._workers: list[_Worker] = []
        self._at_work = 0  # workers whose tasks haven't ended
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._has_lookout = False
        self._line: list[asyncio.Future[None]] = []  # of workers behind the lookout
        self._is_over = False
        self._turn_ends = _NO_TURN
        self._has_noticed_overrun = False
        self._deadline_timer: Timer | None = None
        self._halted: asyncio.Future[object] = self._loop.create_future()
        feed.on_halt(self._halt)

    async def work(self) -> None:
        """Run until the feed has nothing more. Raises errors that belong to no attempt."""
        self._hire()
        try:
            await self._ended
        finally:
            self._is_over = True
            at_work = [worker.task for worker in self._workers if not worker.task.done()]
            for task in at_work:
                task.cancel()
            if at_work:
                await asyncio.wait(at_work)
            if self._deadline_timer is not None:
                self._deadline_timer.cancel()

    def _hire(self) -> None:
        worker = _Worker(self._make_caller())
        worker.task = self._loop.create_task(self._run(worker))
        worker.task.add_done_callback(self._note_end)
        self._workers.append(worker)
        self._at_work += 1

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Note that a worker has ended: the last one, or one with an error, ends the pool."""
        self._at_work -= 1
        error = None if task.cancelled() else task.exception()
        if self._ended.done():
            return
        if error is not None:
            self._ended.set_exception(error)
        elif not self._at_work:
            self._ended.set_result(None)

    async def _next_ticket(self) -> Ticket | None:
        """Wait for a ticket, as the lookout or in the line behind it; None if none will come."""
        while self._has_lookout:
            turn = self._loop.create_future()
            self._line.append(turn)
            await turn
        self._has_lookout = True
        try:
            while (ticket := self._feed.take()) is None:
                if not await self._feed.wait():
                    self._dismiss()
                    return None
        finally:
            self._has_lookout = False
        self._send_lookout()
        return ticket

    def _send_lookout(self) -> None:
        """Have the next worker of the line look out, or a new one."""
        while self._line:
            turn = self._line.pop()
            if not turn.done():
                turn.set_result(None)
                return
        if len(self._workers) < self._feed.width:
            self._hire()

    def _dismiss(self) -> None:
        """Have the whole line see for itself that no ticket will come."""
        line, self._line = self._line, []
        for turn in line:
            if not turn.done():
                turn.set_result(None)

    async def _run(self, worker: _Worker) -> None:
        is_over = False
        while not is_over:
            # A call that was left behind still prints into the log that it began with.
            with self._call.open_log() as log:
                try:
                    is_over = await self._attempts(worker, log)
                except asyncio.CancelledError:
                    if self._is_over:
                        raise
                    worker.forget_cancellation()  # an action has left it behind

    async def _attempts(self, worker: _Worker, log: AttemptLog) -> bool:
        """Make attempts until none will come any more; False if a call has been left behind."""
        # The hot loop. References that don't change are bound to local names.
        feed, call = self._feed, self._call
        take, succeeded = feed.take, feed.succeeded
        arguments, result = call.arguments, call.result
        invoke, holds_loop = worker.caller.call, worker.caller.holds_loop
        monotonic, timeout_s = self._clock.monotonic, call.timeout_s
        to_epoch = self._clock.now() - monotonic()

        ticket = None
        while True:
            if ticket is None:
                ticket = await self._next_ticket()
                if ticket is None:
                    return True
                now = monotonic()
            started = now
            worker.ticket = ticket
            if timeout_s is not None:
                worker.deadline = started + timeout_s
                if self._deadline_timer is None:
                    self._arm(timeout_s)
            log.ticket = ticket
            try:
                output = result(await invoke(**arguments(ticket)), ticket)
                if worker.interruption is not None or self._is_over:
                    raise asyncio.CancelledError  # which the action has swallowed
            except BaseException as error:
                now = monotonic()
                log.keep(ticket)
                if await self._failed(worker, ticket, error, started + to_epoch, now - started):
                    return False
            else:
                now = monotonic()
                worker.ticket = None
                log.ticket = None
                if log.has_text:
                    log.keep(ticket)
                if timeout_s is not None and holds_loop and now - started > timeout_s:
                    self._blocked(ticket, started + to_epoch, now - started)
                else:
                    succeeded(ticket, output, started + to_epoch, now - started)
            if now >= self._turn_ends:
                await self._take_turn(now)
                now = monotonic()
            ticket = take()

    async def _failed(
        self,
        worker: _Worker,
        ticket: Ticket,
        error: BaseException,
        started_at: float,
        duration_s: float,
    ) -> bool:
        """Hand back an attempt that raised, was too slow, or was stopped.

        True if its call still runs, and is left behind.
        """
        why = worker.interruption
        worker.ticket = worker.interruption = None
        worker.deadline = math.inf
        if self._is_over:  # also of a child workflow alone, and others wait for its slots
            self._feed.cancelled(ticket, started_at, duration_s)
            raise error
        if is_from_outside(error, can_be_ctrl_c=worker.caller.holds_loop):
            raise error
        worker.forget_cancellation()
        running = worker.caller.running
        if why == "deadline":
            overrun = AttemptTimeoutError(
                f"the attempt took longer than its timeout of {self._call.timeout_s:g} s"
            )
            if running is not None:
                return await self._overran(worker, running, ticket, overrun, started_at, duration_s)
            self._feed.failed(ticket, overrun, started_at, duration_s)
        elif why == "halt":
            self._feed.cancelled(ticket, started_at, duration_s)
            if running is not None:
                self._leave(worker, running)
                return True
        else:
            self._feed.failed(ticket, error, started_at, duration_s)
        return False

    def _blocked(self, ticket: Ticket, started_at: float, duration_s: float) -> None:
        """Fail an attempt that was too slow, and couldn't be interrupted in time."""
        error = AttemptTimeoutError(
            f"the attempt took {duration_s:.3g} s, longer than its timeout of "
            f"{self._call.timeout_s:g} s, and held up the event loop, so nothing could stop it.",
            hint="An action that blocks has to be a `def`, which gets a thread.",
        )
        self._feed.failed(ticket, error, started_at, duration_s)

    async def _overran(
        self,
        worker: _Worker,
        running: asyncio.Future[object],
        ticket: Ticket,
        error: AttemptTimeoutError,
        started_at: float,
        duration_s: float,
    ) -> bool:
        """Fail an attempt whose call still runs, and keep the slot for a while.

        True if the call is left behind in the end.
        """
        let_go = self._loop.create_future()
        self._feed.failed(ticket, error, started_at, duration_s, busy=let_go)
        if not self._has_noticed_overrun:
            self._has_noticed_overrun = True
            self._feed.notice(
                f"{self._call.describe(ticket)} has overrun its timeout and can't be stopped; it "
                f"keeps its slot until it returns, or for {self._call.timeout_s:g} s"
            )
        patience: asyncio.Future[object] = self._loop.create_future()
        timer = self._clock.call_later(self._call.timeout_s or 0.0, partial(_finish, patience))
        nothing_else = self._loop.create_task(self._feed.drained())
        nothing_else.add_done_callback(partial(_finish, patience))
        try:
            waits = [running, patience, self._halted]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            nothing_else.cancel()
        is_left = not running.done()
        if is_left:
            self._leave(worker, running)
        let_go.set_result(None)
        return is_left

    def _leave(self, worker: _Worker, running: asyncio.Future[object]) -> None:
        """Wait for a call no more."""
        self._feed.left_behind(running)
        worker.caller.leave()

    def _arm(self, wait_s: float) -> None:
        self._deadline_timer = self._clock.call_later(wait_s, self._interrupt_overdue)

    def _interrupt_overdue(self) -> None:
        """Interrupt overdue attempts, and set the timer for the soonest of the other deadlines."""
        now = self._clock.monotonic()
        soonest = math.inf
        for worker in self._workers:
            if worker.ticket is None:
                continue
            if worker.deadline <= now:
                worker.interrupt("deadline")
            elif worker.deadline < soonest:
                soonest = worker.deadline
        self._deadline_timer = None
        if soonest < math.inf:
            self._arm(soonest - now)

    def _halt(self) -> None:
        if not self._halted.done():
            self._halted.set_result(None)
        for worker in self._workers:
            worker.interrupt("halt")

    async def _take_turn(self, now: float) -> None:
        """Begin a turn, or let the loop come round at the end of one."""
        if self._turn_ends == _NO_TURN:
            self._turn_ends = now + _TURN_S
            self._loop.call_soon(self._end_turn)
        else:
            await asyncio.sleep(0)

    def _end_turn(self) -> None:
        self._turn_ends = _NO_TURN


def _finish(future: asyncio.Future[object], _: object = None) -> None:
    if not future.done():
        future.set_result(None)
