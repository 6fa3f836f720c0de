"""Makes the attempts of a `def` one after the other, in a thread that waits for nobody.

A hop between threads would cost as much as a short action. So one thread takes attempts, makes them
and hands back their outcomes, and the event loop beside it speaks with the engine. It also watches
deadlines: an attempt that is out of time fails, and the process ends, which stops it for certain.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import NoReturn

from fanwise.engine.attempt import VisitCall
from fanwise.errors import AttemptTimeoutError
from fanwise.ports import AttemptLog
from fanwise.worker.feed import LinkFeed, LinkTicket


class BlockingThread:
    """The thread of one visit. `end` ends the process."""

    def __init__(self, feed: LinkFeed, call: VisitCall, end: Callable[[], NoReturn]) -> None:
        self._feed = feed
        self._call = call
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._running: tuple[LinkTicket, float] | None = None  # with the time it began
        self._deciding = threading.Lock()  # whether an attempt has ended, or is out of time
        self._is_watched = False
        self._to_epoch = time.time() - time.monotonic()

    async def work(self) -> None:
        """Make attempts until the visit is closed."""
        with self._call.open_log() as log:
            context = copy_context()
            threading.Thread(
                target=context.run, args=(self._work, log), name="fanwise-action", daemon=True
            ).start()
            await self._feed.drained()

    def _work(self, log: AttemptLog) -> None:
        feed = self._feed
        while not feed.is_closed:
            ticket = feed.take()
            if ticket is None:
                feed.wait_in_thread()
            else:
                self._attempt(ticket, log)

    def _attempt(self, ticket: LinkTicket, log: AttemptLog) -> None:
        call, feed = self._call, self._feed
        started = time.monotonic()
        self._running = (ticket, started)
        if call.timeout_s is not None and not self._is_watched:
            self._is_watched = True
            self._loop.call_soon_threadsafe(self._watch)
        log.ticket = ticket
        output, error = b"", None
        try:
            output = call.result(call.function(**call.arguments(ticket)), ticket)
        except BaseException as raised:  # whatever class it is, it is the attempt's
            error = raised
        with self._deciding:
            self._running = None
            duration_s = time.monotonic() - started
        if error is not None or log.has_text:
            log.keep(ticket)
        log.ticket = None
        started_at = started + self._to_epoch
        if feed.is_halted:
            feed.cancelled(ticket, started_at, duration_s)
        elif error is not None:
            feed.failed(ticket, error, started_at, duration_s)
        else:
            feed.succeeded(ticket, output, started_at, duration_s)

    def _watch(self) -> None:
        """End an attempt that is out of time; on the event loop's thread."""
        timeout_s = self._call.timeout_s
        assert timeout_s is not None
        with self._deciding:
            running = self._running
            if running is None:
                self._is_watched = False
                return
            ticket, started = running
            ran_s = time.monotonic() - started
            if ran_s >= timeout_s:
                self._end_late(ticket, started, ran_s, timeout_s)
        self._loop.call_later(timeout_s - ran_s, self._watch)

    def _end_late(
        self, ticket: LinkTicket, started: float, ran_s: float, timeout_s: float
    ) -> NoReturn:
        error = AttemptTimeoutError(
            f"the attempt took longer than its timeout of {timeout_s:g} s, and its process was "
            "ended"
        )
        self._feed.failed(ticket, error, started + self._to_epoch, ran_s)
        self._feed.flush()
        self._end()
