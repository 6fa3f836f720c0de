"""Waiting for a slot: a run that this process drives itself begins once its limit has room.

A process that waits has a place in the store, which orders those that wait and says that it is
still there. Nothing of its run is recorded before the run has its slot.
"""

# Looks. A look is one query, four a second, since a commit of another process says nothing about
# this key. The place is renewed each second: a process that is gone or stopped loses its turn
# within three, and holds up nobody.

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from msgspec.structs import replace

from fanwise.engine.handle import RunInbox
from fanwise.engine.services import Services
from fanwise.errors import NoSlotError, StoreError
from fanwise.model import ErrorInfo, Run, RunRecord, SlotWish
from fanwise.ports import is_driven

_Entered = TypeVar("_Entered")

_LOOK_S: Final = 0.25
_LOOKS_TO_RENEW: Final = 4
_LOOKS_AT_HOLDERS: Final = 20


class LeftOutError(Exception):
    """A new run that is recorded, but isn't run, for the reason `error`."""

    def __init__(self, error: ErrorInfo) -> None:
        super().__init__()
        self.error = error


class _PlaceLostError(Exception):
    """The place in which this process has waited is gone."""


def wish_of(record: RunRecord) -> SlotWish | None:
    """Return the wish of a run for a slot, or None if it is under no limit."""
    origin = record.origin
    if origin.limit is None:
        return None
    return SlotWish(record.id, origin.limit, origin.priority)


def each_once(notice: Callable[[str], None]) -> Callable[[str], None]:
    """Wrap `notice` so that it is told no text again."""
    told: set[str] = set()

    def tell(text: str) -> None:
        if text not in told:
            told.add(text)
            notice(text)

    return tell


class Entrance:
    """The way of a run to its slot, for at most `wait_s` seconds, or without a bound.

    `is_new` says that the run isn't recorded yet, so that it may make way for a newer one. `notice`
    may be told the same several times; see `each_once`.
    """

    def __init__(
        self,
        services: Services,
        inbox: RunInbox,
        notice: Callable[[str], None],
        *,
        wait_s: float | None,
        is_new: bool,
    ) -> None:
        self._services = services
        self._inbox = inbox
        self._notice = notice
        self._wait_s = wait_s
        self._is_new = is_new

    async def enter(
        self, wish: SlotWish | None, begin: Callable[[SlotWish | None], Awaitable[_Entered]]
    ) -> _Entered:
        """Return the result of `begin` once there is a slot; it raises `NoSlotError` before.

        Raises `NoSlotError` if the wait is over or given up, `QueueFullError` if too many wait
        already, and `LeftOutError`.
        """
        try:
            return await begin(wish)
        except NoSlotError as error:
            full = error
        assert wish is not None
        rule = wish.limit.when_full if self._is_new else "queue"
        if self._wait_s == 0:
            raise await self._with_interrupted(full)
        if rule == "skip":
            raise LeftOutError(ErrorInfo("RunSkipped", f"{full.message} It was skipped."))
        clock = self._services.clock
        until = None if self._wait_s is None else clock.monotonic() + self._wait_s
        while True:
            try:
                return await self._wait_in_line(wish, begin, full, until)
            except _PlaceLostError:
                if rule != "queue":
                    text = "a newer run has taken the place in which this one waited for a slot."
                    raise LeftOutError(ErrorInfo("RunReplaced", text)) from None

    async def _wait_in_line(
        self,
        wish: SlotWish,
        begin: Callable[[SlotWish | None], Awaitable[_Entered]],
        full: NoSlotError,
        until: float | None,
    ) -> _Entered:
        slots = self._services.run_slots
        wish = replace(wish, most_waiting=self._services.limits.queued)
        waiter_no = await asyncio.to_thread(slots.line_up, wish, is_new=self._is_new)
        self._notice(f"{full.message} Waiting for it.")
        try:
            return await self._wait(replace(wish, waiter_no=waiter_no), begin, full, until)
        finally:
            with suppress(StoreError):
                await asyncio.to_thread(slots.step_out, waiter_no)

    async def _wait(
        self,
        wish: SlotWish,
        begin: Callable[[SlotWish | None], Awaitable[_Entered]],
        full: NoSlotError,
        until: float | None,
    ) -> _Entered:
        clock, slots = self._services.clock, self._services.run_slots
        look = 0
        while True:
            if look % _LOOKS_AT_HOLDERS == 0:
                await self._tell_interrupted(full)
            if look % _LOOKS_TO_RENEW == 0 and not await asyncio.to_thread(slots.keep_place, wish):
                raise _PlaceLostError
            if await asyncio.to_thread(slots.has_room, wish):
                try:
                    return await begin(wish)
                except NoSlotError as error:
                    full = error
            if self._inbox.is_asked:
                raise _given_up(full, "It waits no more, as it was asked to.")
            if until is not None and clock.monotonic() >= until:
                raise _given_up(full, f"It has waited for {self._wait_s:g} s.")
            await asyncio.sleep(_LOOK_S)
            look += 1

    async def _tell_interrupted(self, full: NoSlotError) -> None:
        """Tell of holders that no process drives: their slots don't come free by themselves."""
        for run_id in await asyncio.to_thread(self._interrupted, full):
            self._notice(_interrupted_text(run_id))

    async def _with_interrupted(self, full: NoSlotError) -> NoSlotError:
        """Return the error with the way to free the slot of a holder that no process drives."""
        for run_id in await asyncio.to_thread(self._interrupted, full):
            hint = f"R{_interrupted_text(run_id)[1:]}."
            return NoSlotError(full.message, run_id=full.run_id, holders=full.holders, hint=hint)
        return full

    def _interrupted(self, full: NoSlotError) -> list[str]:
        found = []
        for run_id in full.holders:
            record = self._services.records.run(run_id)
            lease = None if record is None else self._services.ownership.lease(record.run_no)
            if lease is not None and not is_driven(lease, self._services.processes):
                found.append(run_id)
        return found


def _interrupted_text(run_id: str) -> str:
    return (
        f"run {run_id} was interrupted, and keeps its slot until: fanwise resume {run_id}, "
        f"or fanwise cancel {run_id}"
    )


def _given_up(full: NoSlotError, why: str) -> NoSlotError:
    return NoSlotError(
        f"{full.message} {why}", run_id=full.run_id, holders=full.holders, hint=full.hint
    )


def unstarted(record: RunRecord) -> Run:
    """Return a run that is over, and of which nothing was driven."""
    return Run(
        id=record.id,
        workflow=record.workflow,
        status=record.status,
        started_at=record.started_at,
        ended_at=record.ended_at,
        output=None,
        error=record.error,
        tasks={},
    )
