"""The sleeps of an attempt: the end of each is recorded first, so a crash doesn't restart it.

An attempt that runs again after a crash passes over the sleeps that are over, and sleeps the rest
of the sleep at hand. This holds for the first attempt of a resumed visit alone: a retried attempt
sleeps again. A pause cuts recorded sleeps off once nothing else is at work. Spans are in seconds.
"""

from __future__ import annotations

import asyncio
from typing import Final

from fanwise.engine.activity import Activity
from fanwise.engine.journal import JournalWriter
from fanwise.model import Sleep
from fanwise.ports import Clock, Records

RECORDED_FROM_S: Final = 1.0
"""Shorter sleeps aren't recorded: a process takes longer than that to come back."""


class Sleeper:
    """The sleeps of one attempt, which calls this for each.

    `path` is that of its task or item. With `resumes` it was begun by an earlier process, and
    `is_later_try` says that it isn't the first one. Made in the asyncio task of the attempt.
    """

    def __init__(
        self,
        run_no: int,
        path: str,
        clock: Clock,
        journal: JournalWriter,
        records: Records,
        activity: Activity,
        *,
        resumes: bool,
        is_later_try: bool,
    ) -> None:
        self._run_no = run_no
        self._path = path
        self._clock = clock
        self._journal = journal
        self._records = records
        self._activity = activity
        self._own_task = asyncio.current_task()
        self._resumes = resumes
        self._is_later_try = is_later_try
        self._found: Sleep | None = None
        self._turn = 0

    async def __call__(self, seconds: float) -> None:
        """Sleep, unless that is over since before a crash."""
        self._turn += 1
        if self._resumes:
            self._resumes = False
            self._found = await asyncio.to_thread(self._records.sleep, self._run_no, self._path)
        last = 0 if self._found is None else self._found.turn
        if self._turn < last:
            return
        if self._found is not None and self._turn == last:
            # No longer than asked for: the clock may have been set back meanwhile.
            seconds = min(seconds, self._found.due_at - self._clock.now())
        elif seconds >= RECORDED_FROM_S:
            due_at = self._clock.now() + seconds
            await self._journal.commit(Sleep(self._run_no, self._path, self._turn, due_at))
        # An action that sleeps in a task beside its own may be at work in that one.
        if seconds < RECORDED_FROM_S or asyncio.current_task() is not self._own_task:
            await self._wait(seconds)
            return
        until = self._clock.now() + seconds
        with (
            self._activity.staying(counts=self._is_later_try),
            self._activity.sleeping(until, was_awake=True),
        ):
            await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        is_over = asyncio.Event()
        timer = self._clock.call_later(seconds, is_over.set)
        try:
            await is_over.wait()
        finally:
            timer.cancel()
