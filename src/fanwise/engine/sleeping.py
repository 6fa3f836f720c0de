"""The sleeps of an attempt: the end of each is recorded first, so a crash doesn't restart it.

An attempt that runs again after a crash passes over the sleeps that are over, and sleeps the rest
of the sleep at hand. This holds for the first attempt of a resumed visit alone: a retried attempt
sleeps again. A pause cuts recorded sleeps off once nothing else is at work. Spans are in seconds.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from fanwise.engine.activity import Activity
from fanwise.engine.journal import JournalWriter
from fanwise.engine.visit import Visit
from fanwise.model import Sleep
from fanwise.ports import Clock, Records, Ticket

RECORDED_FROM_S: Final = 1.0
"""Shorter sleeps aren't recorded: a process takes longer than that to come back."""


class SleepServices(NamedTuple):
    """The services of a visit that the sleepers of its attempts share."""

    visit: Visit
    clock: Clock
    journal: JournalWriter
    records: Records
    activity: Activity


class Sleeper:
    """The sleeps of one attempt, which calls this for each.

    With `resumes` the attempt was begun by an earlier process. Made in the asyncio task of the
    attempt, for each attempt that asks for its context, whether it ever sleeps or not.
    """

    __slots__ = ("_found", "_own_task", "_resumes", "_services", "_ticket", "_turn")

    def __init__(self, services: SleepServices, ticket: Ticket, *, resumes: bool) -> None:
        self._services = services
        self._ticket = ticket
        self._own_task = asyncio.current_task()
        self._resumes = resumes
        self._found: Sleep | None = None
        self._turn = 0

    async def __call__(self, seconds: float) -> None:
        """Sleep, unless that is over since before a crash."""
        visit, clock, journal, records, activity = self._services
        path = visit.item(self._ticket.index)
        self._turn += 1
        if self._resumes:
            self._resumes = False
            self._found = await asyncio.to_thread(records.sleep, visit.run_no, path)
        last = 0 if self._found is None else self._found.turn
        if self._turn < last:
            return
        if self._found is not None and self._turn == last:
            # No longer than asked for: the clock may have been set back meanwhile.
            seconds = min(seconds, self._found.due_at - clock.now())
        elif seconds >= RECORDED_FROM_S:
            due_at = clock.now() + seconds
            await journal.commit(Sleep(visit.run_no, path, self._turn, due_at))
        # An action that sleeps in a task beside its own may be at work in that one.
        if seconds < RECORDED_FROM_S or asyncio.current_task() is not self._own_task:
            await self._wait(seconds)
            return
        until = clock.now() + seconds
        with (
            activity.staying(counts=self._ticket.attempt > 1),
            activity.sleeping(until, was_awake=True),
        ):
            await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        is_over = asyncio.Event()
        timer = self._services.clock.call_later(seconds, is_over.set)
        try:
            await is_over.wait()
        finally:
            timer.cancel()
