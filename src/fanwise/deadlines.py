"""Deadlines of many short blocks on one event loop, kept by one timer. Spans are in seconds.

`asyncio.timeout` sets a timer for each block. The loop holds timers in a heap that it sorts in
Python, and a cancelled one stays there for a while, so thousands of blocks a second pay for it
about as much as for the rest of asyncio. Here a deadline is a number, and a block that ends in time
has no timer to cancel.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Final

_REST_S: Final = 0.01
"""The least time between two looks at all deadlines; thousands may strike one after the other."""


class Deadlines:
    """The deadlines of the blocks on the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.next_look = math.inf
        """The time at which the timer strikes, by the clock of the loop."""
        self.blocks: set[_Block] = set()
        """The blocks that have begun and haven't ended."""

    def within(self, seconds: float) -> _Block:
        """A block, for a `with` in a task, that is cut off by `TimeoutError` after so many seconds.

        It behaves as `asyncio.timeout` does, and strikes up to 10 ms later.
        """
        return _Block(self, self._loop.time() + seconds)

    def look_at(self, at: float) -> None:
        """Have the timer strike at a time of the clock of the loop."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look)
        self.next_look = at

    def _look(self) -> None:
        """Cut off the blocks that are overdue, and look again when the next one may be."""
        now = self._loop.time()
        self._timer = None
        self.next_look = math.inf
        later = [block.at for block in self.blocks if not block.is_overdue(now)]
        if later:
            self.look_at(max(min(later), now + _REST_S))


class _Block:
    # It is entered and left for each request, so it calls as little as it can.

    __slots__ = ("_cancelling", "_deadlines", "_is_cut_off", "_task", "at")

    def __init__(self, deadlines: Deadlines, at: float) -> None:
        self._deadlines = deadlines
        self._is_cut_off = False
        self.at = at

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a block that runs in a task")
        self._task = task
        self._cancelling = task.cancelling()
        deadlines = self._deadlines
        deadlines.blocks.add(self)
        if self.at < deadlines.next_look:
            deadlines.look_at(self.at)

    def is_overdue(self, now: float) -> bool:
        """Say whether the deadline has passed; the block is cut off then, once."""
        if self.at <= now and not self._is_cut_off:
            self._is_cut_off = True
            self._task.cancel()
        return self._is_cut_off

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._deadlines.blocks.discard(self)
        if self._is_cut_off:
            is_ours = self._task.uncancel() <= self._cancelling
            if is_ours and kind is asyncio.CancelledError:
                raise TimeoutError from error
