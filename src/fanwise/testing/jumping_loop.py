"""An event loop whose time jumps: nobody waits, and every wait is as long as it says.

Time stands still while code runs and while threads of the loop's executors work, such as a commit.
When nothing is left to do but to wait for a timer, time jumps to it. While something acts on the
world outside (`acting`), which takes the time that it takes, time passes as it really does.

What else takes real time, such as a thread that nobody told the loop of, is not seen: a timer may
strike before it is done. Times are seconds, and the loop's time starts at 0.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, Final, TypeVar, TypeVarTuple

from fanwise.errors import UsageError

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

STARTS_AT: Final = 1_000_000_000.0
"""The time of day at a loop's start, in seconds since the epoch: the same in every rehearsal."""

_RESOLUTION_S = time.get_clock_info("monotonic").resolution
_OWN_FILES = 1  # the pipe with which other threads wake the loop


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop for one rehearsal. It is its own clock: implements `ports.Clock`."""

    def __init__(self) -> None:
        self._waits = _Waits()
        super().__init__(self._waits)

    def time(self) -> float:
        """Seconds since the loop was made, jumps included."""
        return self._waits.elapsed_s

    monotonic = time

    def now(self) -> float:
        """Seconds since the epoch."""
        return STARTS_AT + self._waits.elapsed_s

    @contextmanager
    def acting(self) -> Iterator[None]:
        """A block that waits for the world outside: meanwhile time passes as it really does."""
        self._waits.acting += 1
        try:
            yield
        finally:
            self._waits.acting -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*_Ts], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        """The same as in any loop; time stands still until the thread is done."""
        future = super().run_in_executor(executor, func, *args)
        self._waits.jobs += 1
        future.add_done_callback(self._end_job)
        return future

    async def shutdown_default_executor(self, *arguments: object) -> None:
        """The same as in any loop, which waits for a thread of its own."""
        with self.acting():
            await super().shutdown_default_executor(*arguments)

    def _end_job(self, _: asyncio.Future[Any]) -> None:
        self._waits.jobs -= 1


class _Waits(selectors.DefaultSelector):
    """The selector that the loop waits with, and so the place where its time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed_s = 0.0
        self.acting = 0
        self.jobs = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Files that are ready; if none is, jump, or wait for what is really going on."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.acting:
            started = time.monotonic()
            ready = super().select(timeout)
            self.elapsed_s += time.monotonic() - started
            return ready
        if self.jobs:
            return super().select(None)
        if timeout is not None:
            self._jump(timeout)
            return []
        if len(self.get_map()) <= _OWN_FILES:
            raise UsageError(
                "the rehearsal waits for something that never happens.",
                hint="If a stand-in is to hang, give its task a timeout.",
            )
        return super().select(None)

    def _jump(self, seconds: float) -> None:
        self.elapsed_s += seconds
        # A loop strikes what is due before its time plus the clock's resolution. After a hundred
        # days the sum is no larger than the time itself, and nothing would ever be due.
        if self.elapsed_s + _RESOLUTION_S == self.elapsed_s:
            self.elapsed_s = math.nextafter(self.elapsed_s, math.inf)
