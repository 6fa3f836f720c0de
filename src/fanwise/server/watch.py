"""The watch over runs that streams look at: one look at the store for all of them.

While nobody watches it does nothing. Nothing is kept for those who are slow: a watcher asks for the
state of its runs, and hears once it is another one, however often it has changed meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

from fanwise.errors import StoreError
from fanwise.ports import Changes, Heads

_LOOK_S: Final = 0.2
"""The longest look: a run that is newly watched is part of the next one."""

_AWAY_S: Final = 1.0
"""The time until the next look at a store that is away."""

_UNKNOWN: Final = -1

_log = logging.getLogger(__name__)


def known(before: Heads, run_nos: Collection[int]) -> Heads:
    """Return the state in which runs were seen that are shown now.

    `before` was read before they were. A run that it lacks counts as changed since, so that no
    change between the two is missed.
    """
    return Heads({no: before.runs.get(no, _UNKNOWN) for no in run_nos}, before.newest)


def oldest(states: Sequence[Heads]) -> Heads:
    """Return the state of all runs of several states, of each run the oldest."""
    runs: dict[int, int] = {}
    for state in states:
        for no, head in state.runs.items():
            runs[no] = min(head, runs.get(no, head))
    return Heads(runs, min((state.newest for state in states), default=0))


class Watch:
    """Watches runs of a store for any number of streams. Called on the event loop's thread."""

    def __init__(self, store: Changes) -> None:
        self._store = store
        self._watched: Counter[int] = Counter()
        self._now = Heads()
        self._turned = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self.is_closed = False

    async def await_change(self, seen: Heads, timeout_s: float, *, with_new: bool = True) -> Heads:
        """Return the state of the runs in `seen` once it is another one, or after that time.

        A new run is a change as well, unless it is not `with_new` ones. It returns at once when
        the watch is closed.
        """
        self._watched.update(seen.runs.keys())
        if self._looking is None or self._looking.done():
            self._now = seen
            self._looking = asyncio.create_task(self._look())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    return await self._another(seen, with_new)
        finally:
            self._watched.subtract(seen.runs.keys())
            self._watched += Counter()  # without those that nobody watches
        return seen

    def close(self) -> None:
        """End all waiting."""
        self.is_closed = True
        self._turn()

    async def _another(self, seen: Heads, with_new: bool) -> Heads:
        while not self.is_closed:
            known = {no: self._now.runs.get(no, head) for no, head in seen.runs.items()}
            newest = max(seen.newest, self._now.newest) if with_new else seen.newest
            found = Heads(known, newest)
            if found != seen:
                return found
            await self._turned.wait()
        return seen

    def _turn(self) -> None:
        """Wake all that wait."""
        self._turned.set()
        self._turned = asyncio.Event()

    async def _look(self) -> None:
        """Look at the store while anybody waits."""
        await asyncio.sleep(0)  # the one that has begun this waits from now on
        idle = 0
        while not self.is_closed and idle < 2:
            runs = {no: self._now.runs.get(no, _UNKNOWN) for no in self._watched}
            seen = Heads(runs, self._now.newest)
            try:
                found = await asyncio.to_thread(self._store.await_heads, seen, _LOOK_S)
            except StoreError as error:
                _log.warning("runs can't be watched at the moment: %s", error)
                await asyncio.sleep(_AWAY_S)
                continue
            self._now = found
            if found != seen:
                self._turn()
            idle = 0 if self._watched else idle + 1
