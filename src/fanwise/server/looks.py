"""Looks at the store for streams: those that show the same share one, so any number costs little.

Each look comes with the state of its runs as it was before, so no stream misses a change during the
look, however old the look that it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Hashable, Iterator
from functools import partial
from typing import Final, Generic, NamedTuple, TypeVar, cast

from fanwise.ports import Changes, Clock, Heads

_FRESH_S: Final = 0.15
"""The age up to which a look is given; streams wait longer than this after a change."""

T = TypeVar("T")


class Looked(NamedTuple, Generic[T]):
    """A look: its result, the state of the runs that it shows before it began, and its duration."""

    found: T
    before: Heads
    took_s: float


class Look(Generic[T]):
    """A look that any number of streams share; used on the event loop's thread alone.

    `read` runs in a thread, and `runs_of` names the runs that its result shows.
    """

    def __init__(
        self,
        store: Changes,
        clock: Clock,
        read: Callable[[], T],
        runs_of: Callable[[T], Collection[int]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._read = read
        self._runs_of = runs_of
        self._run_nos: Collection[int] = ()
        self._begun_at = float("-inf")
        self._looking: asyncio.Task[Looked[T]] | None = None
        self._ended = asyncio.Event()
        self.shared = 0
        """The number of streams that share it."""

    async def from_now(self) -> Looked[T]:
        """Return a look that begins from now on. Raises what `read` raises."""
        return await self._begun_since(self._clock.monotonic())

    async def again(self) -> Looked[T]:
        """Return a look that has just begun, or begin one. Raises what `read` raises."""
        return await self._begun_since(self._clock.monotonic() - _FRESH_S)

    async def _begun_since(self, at: float) -> Looked[T]:
        """One look at a time: those who wait for the end of one share the next.

        An event wakes hundreds of streams with a fraction of what `asyncio.wait` takes for each.
        """
        while (looking := self._looking) is None or self._begun_at < at:
            if looking is not None and not looking.done():
                await self._ended.wait()
                continue
            self._begun_at = self._clock.monotonic()
            self._ended = asyncio.Event()
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(partial(_tell_end, self._ended))
        if not looking.done():  # it is done also if this stream ends meanwhile
            await self._ended.wait()
        return looking.result()

    async def _look(self) -> Looked[T]:
        looked = await asyncio.to_thread(self._look_now)
        self._run_nos = self._runs_of(looked.found)
        return looked

    def _look_now(self) -> Looked[T]:
        before, begun = self._store.heads(self._run_nos), self._clock.monotonic()
        found = self._read()
        return Looked(found, before, self._clock.monotonic() - begun)


class Looks:
    """The looks that are shared, by what they show."""

    def __init__(self, store: Changes, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._looks: dict[Hashable, object] = {}

    @contextlib.contextmanager
    def shared(
        self, key: Hashable, read: Callable[[], T], runs_of: Callable[[T], Collection[int]]
    ) -> Iterator[Look[T]]:
        """A block that shares the look with a key; `read` is that of the first one which does."""
        new = Look(self._store, self._clock, read, runs_of)
        look = cast("Look[T]", self._looks.setdefault(key, new))
        look.shared += 1
        try:
            yield look
        finally:
            look.shared -= 1
            if not look.shared:
                del self._looks[key]


def _tell_end(ended: asyncio.Event, task: asyncio.Task[object]) -> None:
    """Wake those who wait, and take an error that none of them has waited for."""
    ended.set()
    if not task.cancelled():
        task.exception()
