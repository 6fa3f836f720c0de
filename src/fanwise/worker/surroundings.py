"""The surroundings of a visit's call in a worker: logs and sleeps are kept by the engine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Final

from fanwise.engine.capture import AttemptLog
from fanwise.engine.folders import locate
from fanwise.engine.masking import Masker
from fanwise.errors import WorkerRefusedError
from fanwise.executors.frames import FromWorker, Sleeping
from fanwise.model import Arrival, KvChange
from fanwise.plan import Value
from fanwise.ports import CallSpec, Ticket
from fanwise.worker.feed import LinkFeed, LinkTicket

_SPARE_LOG_BYTES: Final = 2**16
"""Printed text that is sent beyond the limit: the engine masks before it cuts."""


class LinkSurroundings:
    """Implements `attempt.Surroundings`. Secrets are masked by the engine, and not here."""

    def __init__(
        self, visit: int, spec: CallSpec, feed: LinkFeed, send: Callable[[FromWorker], None]
    ) -> None:
        self.limits = spec.limits
        self.masker = Masker(())
        self.stop = feed.stop
        self.workflow_folder = Path(spec.workflow_folder)
        self.caller_folder = Path(spec.caller_folder)
        self.given = frozenset(spec.given)
        self.traceparent = spec.traceparent
        self.now = time.time
        self._visit = visit
        self._feed = feed
        self._send = send
        self._loops_thread = threading.get_ident()
        self._numbers = count(1)
        self._sleeps: dict[int, asyncio.Future[None]] = {}

    def locate(self, text: str, value: Value) -> str:
        """The absolute path that `text`, which `value` gave, means."""
        return locate(
            text,
            value,
            workflow_folder=self.workflow_folder,
            caller_folder=self.caller_folder,
            given=self.given,
        )

    def sleeper(self, ticket: Ticket) -> Callable[[float], Awaitable[None]]:
        """The sleeps of one attempt, which the engine records and ends."""
        assert isinstance(ticket, LinkTicket)
        if threading.get_ident() != self._loops_thread:
            return _no_sleep
        number, own_task = ticket.number, asyncio.current_task()

        async def sleep(seconds: float) -> None:
            alone = asyncio.current_task() is own_task
            sleep_no = next(self._numbers)
            over = self._sleeps[sleep_no] = asyncio.get_running_loop().create_future()
            self._send(Sleeping(self._visit, number, sleep_no, seconds, alone))
            try:
                await over
            finally:
                del self._sleeps[sleep_no]

        return sleep

    async def change_key(self, change: KvChange) -> int:
        """Refuse: the store is written by the engine alone."""
        raise WorkerRefusedError(f'the key "{change.name}" can\'t be changed from a worker.')

    async def emit(self, event: Arrival) -> bool:
        """Refuse, in the same way."""
        raise WorkerRefusedError(f'the event "{event.name}" can\'t be emitted from a worker.')

    async def new_links(self, ticket: Ticket, form: bytes) -> Mapping[str, str] | None:
        """Refuse, in the same way."""
        raise WorkerRefusedError("no question can be asked from a worker.")

    def slept(self, sleep_no: int) -> None:
        """Wake the attempt whose sleep is over."""
        over = self._sleeps.get(sleep_no)
        if over is not None and not over.done():
            over.set_result(None)

    def open_log(self, _path: Callable[[Ticket], str]) -> AttemptLog:
        """The log of attempts, one after the other."""
        return _LinkLog(self, self._feed)


async def _no_sleep(_seconds: float) -> None:
    raise RuntimeError("context.sleep is for `async def` actions; a `def` calls time.sleep")


class _LinkLog(AttemptLog):
    """A log that says in a number how much it has left out, so that the engine can add to it."""

    def __init__(self, around: LinkSurroundings, feed: LinkFeed) -> None:
        def send(ticket: Ticket, _written_at: float, text: str) -> None:
            feed.log(ticket, text, 0)

        limit_bytes = around.limits.log_bytes + _SPARE_LOG_BYTES
        super().__init__(limit_bytes, around.masker, around.now, send)
        self._feed = feed

    def keep(self, ticket: Ticket) -> None:
        text, left_out = self._end()
        if text or left_out:
            self._feed.log(ticket, text, left_out)
