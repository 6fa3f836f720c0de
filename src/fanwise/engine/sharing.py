"""Named limits over all engines of a store, by shares: an attempt costs no access to the store.

An engine leases slots of each limit that its attempts ask for, and reserves times at which some may
start. A share is renewed four times a second for as long as it is used, by demand: an engine whose
attempts wait asks for all there is, and gets its fair part. A share that couldn't be renewed in
time is another engine's by now, so nothing starts under it.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from fanwise.engine.limits import Slots
from fanwise.errors import StoreError
from fanwise.model import SHARE_S, NamedLimit, Share, ShareWish
from fanwise.ports import Clock, Future, Shares, Timer

_RENEW_S: Final = 0.25
_AHEAD_S: Final = 2 * _RENEW_S
"""Seconds for which starts are reserved ahead."""

_LATE_S: Final = 0.010
_UNBOUNDED: Final = 10**9
_MOST_STARTS: Final = 100_000


class SharedLimit:
    """A named limit in this engine: its share, the attempts that run, and those that wait."""

    def __init__(self, limit: NamedLimit, clock: Clock, on_wish: Callable[[], None]) -> None:
        self.limit = limit
        self._clock = clock
        self._on_wish = on_wish
        self._share = 0
        self._cap = 0  # what is used of the share: others need the rest, but don't have it yet
        self._valid_until = 0.0
        self._running = 0
        self._peak = 0  # of the attempts that ran at once since the last wish
        self._has_waited = False  # since the last wish
        self._starts: deque[float] = deque()
        self._waiting: dict[Callable[[], None], None] = {}
        self._timer: Timer | None = None

    @property
    def free(self) -> int:
        """The number of attempts that may start now."""
        now = self._clock.monotonic()
        if now >= self._valid_until:
            return 0
        room = _UNBOUNDED if self.limit.most is None else self._cap - self._running
        if room > 0 and self.limit.per_s is not None:
            return min(room, self._due(now, self.limit.per_s))
        return room

    def _due(self, now: float, per_s: float) -> int:
        """1 if a start is due; one that was missed by far is gone, so that none pile up."""
        starts, late_s = self._starts, max(1 / per_s, _LATE_S)
        while starts and starts[0] < now - late_s:
            starts.popleft()
        return int(bool(starts) and starts[0] <= now)

    @property
    def is_used(self) -> bool:
        """Say whether attempts run or wait, or a share is held."""
        return bool(self._running or self._waiting or self._share or self._valid_until)

    def start(self) -> None:
        """Note the start of an attempt, which `free` has allowed."""
        self._running += 1
        self._peak = max(self._peak, self._running)
        if self.limit.per_s is not None:
            self._starts.popleft()

    def end(self) -> None:
        """Note the end of an attempt."""
        self._running -= 1
        self.offer()

    def when_free(self, look_again: Callable[[], None]) -> None:
        """Have `look_again` called once, when an attempt may start."""
        self._waiting[look_again] = None
        self._has_waited = True
        self._arm()
        if not self._valid_until:
            self._on_wish()

    def offer(self) -> None:
        """Have those that wait look again, one after the other, while an attempt may start."""
        if not self._waiting:
            return
        if self.free <= 0:
            self._arm()
            return
        look_again = next(iter(self._waiting))
        del self._waiting[look_again]
        look_again()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self.offer)

    def wish(self) -> ShareWish:
        """Return the wish for a share: all there is if something waits, else what is in use.

        Both are meant of the time since the last wish: those that wait are told one after the
        other of a slot, so at a moment few of them may run, and none wait.
        """
        most, per_s = self.limit.most, self.limit.per_s
        wants, has_waited = max(self._peak, self._running), self._has_waited
        self._peak, self._has_waited = self._running, bool(self._waiting)
        starts = 0
        if has_waited or self._waiting:
            wants = self._running + 1 if most is None else most
        if self._waiting and per_s is not None:
            ahead = max(1, math.ceil(per_s * _AHEAD_S)) - len(self._starts)
            starts = min(max(0, ahead), _MOST_STARTS)
        return ShareWish(
            self.limit.name,
            most,
            per_s,
            self._running,
            wants,
            starts,
            holds=self._holds(),
        )

    def _holds(self) -> int:
        """The slots that others mustn't get; of a share that ran out just those in use are left."""
        if self.limit.most is None:
            return 0
        is_valid = self._clock.monotonic() < self._valid_until
        return max(self._running, self._cap if is_valid else 0)

    def renew(self, share: Share, asked_at: float) -> None:
        """Take a share that was asked for at `asked_at`."""
        self._share = share.slots
        self._cap = min(share.slots, share.target)
        is_over = not (share.slots or self._running or self._waiting)
        self._valid_until = 0.0 if is_over else asked_at + SHARE_S
        if share.starts and self.limit.per_s is not None:
            first = self._clock.monotonic() + share.first_in_s
            self._starts += [first + n / self.limit.per_s for n in range(share.starts)]
        self.offer()

    def _arm(self) -> None:
        if self._starts and self._waiting and self._timer is None:
            wait_s = max(0.0, self._starts[0] - self._clock.monotonic())
            self._timer = self._clock.call_later(wait_s, self._strike)

    def _strike(self) -> None:
        self._timer = None
        self.offer()


class NamedSlots(Slots):
    """The slots of a task under a named limit: an attempt needs one here and one of the process."""

    __slots__ = ("_process", "_shared")

    def __init__(self, process: Slots, shared: SharedLimit) -> None:
        self._process = process
        self._shared = shared
        self.waiting = {_nothing: None}  # so that a slot is always given back, never just counted

    @property
    def free(self) -> int:
        """The number of attempts that may start now."""
        return min(self._process.free, self._shared.free)

    @free.setter
    def free(self, _: int) -> None:
        """Take a slot: `free -= 1`."""
        self._process.free -= 1
        self._shared.start()

    def give_back(self) -> None:
        """Free a slot, and have the first that waits for one look again."""
        self._process.give_back()
        self._shared.end()

    def leave(self, call: Future) -> bool:
        """Count a call that was left behind until it returns; False if too many are left by now."""
        return self._process.leave(call)

    def when_free(self, look_again: Callable[[], None]) -> None:
        """Have `look_again` called once, when a slot is free."""
        if self._shared.free <= 0:
            self._shared.when_free(look_again)
        else:
            self._process.when_free(look_again)


def _nothing() -> None:
    pass


class SharedLimits:
    """The named limits that the runs of an engine are under, and the renewal of its shares."""

    def __init__(self, shares: Shares, engine_no: Callable[[], int], clock: Clock) -> None:
        self._shares = shares
        self._engine_no = engine_no
        self._clock = clock
        self._limits: dict[str, SharedLimit] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._is_closing = False
        self._wished = asyncio.Event()

    def slots(self, limit: NamedLimit, process: Slots) -> Slots:
        """Return the slots of a task under a limit, beside those of the process."""
        if limit.name not in self._limits:
            self._limits[limit.name] = SharedLimit(limit, self._clock, self._wish)
        shared = self._limits[limit.name]
        shared.limit = limit  # as the run that was made last knows it
        return NamedSlots(process, shared)

    async def close(self) -> None:
        """Give all shares back, since this engine drives nothing any more."""
        if self._renewing is None:
            return
        self._is_closing = True
        self._wished.set()
        await self._renewing
        self._renewing, self._is_closing = None, False
        self._limits.clear()
        with suppress(StoreError):
            engine_no = await asyncio.to_thread(self._engine_no)
            await asyncio.to_thread(self._shares.give_back, engine_no)

    def _wish(self) -> None:
        self._wished.set()
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        """Renew the shares in use, at once when something begins to wait."""
        while not self._is_closing:
            self._wished.clear()
            used = [limit for limit in self._limits.values() if limit.is_used]
            if used:
                with suppress(StoreError):  # the journal meets and reports it
                    await self._exchange(used)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wished.wait(), _RENEW_S if used else None)

    async def _exchange(self, used: list[SharedLimit]) -> None:
        wishes, asked_at = [limit.wish() for limit in used], self._clock.monotonic()
        engine_no = await asyncio.to_thread(self._engine_no)
        found = await asyncio.to_thread(self._shares.exchange, engine_no, wishes)
        for limit, wish in zip(used, wishes, strict=True):
            limit.renew(found[wish.name], asked_at)
