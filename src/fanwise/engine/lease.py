"""Ownership of runs: one engine drives a run, and another one takes it only when the first is gone.

A run is driven under a lease. Its token grows with each owner, and the store refuses records that
carry an older one: an engine that was stopped and wakes up after its run was taken can't change
anything any more. A lease is taken from an engine only if the engine has given it back, or its
process is known to be gone; where that can't be known, or the process is stopped, once the engine
has been silent for as long as its leases hold. So an engine that is merely busy is never taken for
dead. All of that is by the store's clock, so machines with other clocks agree on it.

`LeaseKeeper` beats for its engine from a thread of its own, since the event loop may be busy, and
reads requests from the mailbox: with one query for all runs of the engine. An engine that takes
runs from queues beats also while it drives none (`stay`). While the store doesn't answer for so
long that others may take this engine for dead, it is fenced: nothing new starts.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from msgspec.structs import replace

from fanwise.engine.silence import Silence, SilenceWatch
from fanwise.errors import (
    LeaseLostError,
    RunDrivenError,
    RunNotFoundError,
    StoreError,
    StoreUnusableError,
)
from fanwise.model import LEASE_S, Lease, RequestKind, RunRecord, RunRequest, SlotWish
from fanwise.ports import Clock, Mailbox, Ownership, Processes, ProcessState, is_driven

_BEATS: Final = 5
"""Beats in the time for which a lease holds."""

_LISTEN_S: Final = 0.25

_SILENT: Final = {
    Silence.NONE: "the store answers again, after {lasted}",
    Silence.TOLD: "the store has not answered for {lasted}; the run waits for it",
    Silence.FENCED: "the store has not answered for {lasted}, so others may take the run over: "
    "nothing new starts until it answers",
}


class _HeldRun:
    """A run that this engine drives, and the callbacks of its driver."""

    __slots__ = ("heard", "lease", "on_lost", "on_notice", "on_request")

    def __init__(
        self,
        lease: Lease,
        on_request: Callable[[RunRequest], None],
        on_lost: Callable[[StoreError], None],
        on_notice: Callable[[str], None],
    ) -> None:
        self.lease = lease
        self.on_request = on_request
        self.on_lost = on_lost
        self.on_notice = on_notice
        self.heard: set[RequestKind] = set()


class LeaseKeeper:
    """Takes, keeps and gives back the leases of one engine's runs.

    They hold for `lease_s` without a beat of this process, which reads its mail every `listen_s`
    real seconds. `fence` hears, on the event loop, whether anything new may start no more.
    """

    def __init__(
        self,
        ownership: Ownership,
        mailbox: Mailbox,
        processes: Processes,
        clock: Clock,
        *,
        fence: Callable[[bool], None],
        lease_s: float = LEASE_S,
        listen_s: float = _LISTEN_S,
    ) -> None:
        self._ownership = ownership
        self._mailbox = mailbox
        self._processes = processes
        self._clock = clock
        self._lease_s = lease_s
        self._listen_s = listen_s
        self._engine_no: int | None = None
        self._enrolling = threading.Lock()
        self._stays = False
        self._held: dict[int, _HeldRun] = {}
        self._fence = fence
        self._threads: Sequence[threading.Thread] = ()
        self._has_ended = threading.Event()

    def engine_no(self) -> int:
        """Return this engine's number in the store, which is recorded first if need be. May block.

        It changes when the engine was taken for dead meanwhile. Raises `StoreError`.
        """
        with self._enrolling:
            if self._engine_no is None:
                owner = replace(self._processes.this(), lease_s=self._lease_s)
                self._engine_no = self._ownership.enroll(owner)
            return self._engine_no

    def first(self, record: RunRecord) -> Lease:
        """Return the lease that this engine has of a run since it was made. May block."""
        lease = self._ownership.lease(record.run_no)
        if lease is None or lease.engine_no != self._engine_no:
            raise self.lost(record.id, record.run_no)
        return lease

    def take(self, record: RunRecord, wish: SlotWish | None = None) -> Lease:
        """Make this engine the run's owner, with a slot for a `wish`. May block.

        Raises `RunDrivenError` if another engine drives it, `NoSlotError`, `RunNotFoundError` if
        the run has just been deleted, and `StoreError`.
        """
        while True:
            engine_no = self.engine_no()
            held = self._ownership.lease(record.run_no)
            if held is not None and is_driven(held, self._processes):
                raise RunDrivenError(
                    driven_text(record.id, held),
                    run_id=record.id,
                    hint=_remedy(record.id, held, self._processes),
                )
            after = 0 if held is None else held.token
            lease = self._ownership.acquire(record.run_no, engine_no, after=after, wish=wish)
            if lease is not None:
                return lease
            if held is None and self._ownership.lease(record.run_no) is None:
                raise RunNotFoundError(
                    f"run {record.id} is gone: it has just been deleted.", run_id=record.id
                )
            # Else another engine has been faster, or this one was taken for dead: look again.
            self._beat(engine_no)

    def hold(
        self,
        lease: Lease,
        on_request: Callable[[RunRequest], None],
        on_lost: Callable[[StoreError], None],
        on_notice: Callable[[str], None],
    ) -> None:
        """Keep a lease until `release`; callbacks are called on the running event loop.

        `on_lost` hears that the lease is lost, or that the store can't be used any more, and
        `on_notice` that the store doesn't answer, and that it answers again.
        """
        self._held[lease.run_no] = _HeldRun(lease, on_request, on_lost, on_notice)
        self._begin()

    async def release(self, lease: Lease, give_back: Callable[[], None] | None = None) -> None:
        """Give a run back, also if the store can't be written any more.

        `give_back` does it in another way than to leave the run with nobody.
        """
        self._held.pop(lease.run_no, None)
        if not (self._held or self._stays):
            await self._end()
        release = partial(self._ownership.release, lease.run_no, lease.token)
        with suppress(StoreError):
            await asyncio.to_thread(give_back or release)

    def stay(self) -> None:
        """Beat from now on until `end_stay`, also while nothing is held. May block.

        Raises `StoreError`.
        """
        self.engine_no()
        self._stays = True
        self._begin()

    async def end_stay(self) -> None:
        """Take this engine out of the store, which has stayed there."""
        self._stays = False
        await self._end()
        await self.leave()

    async def leave(self) -> None:
        """Take this engine out of the store, since it drives nothing for now, unless it stays."""
        if self._stays:
            return
        engine_no, self._engine_no = self._engine_no, None
        if engine_no is not None:
            with suppress(StoreError):
                await asyncio.to_thread(self._ownership.leave, engine_no)

    def lost(self, run_id: str, run_no: int) -> LeaseLostError:
        """Return the error that names the process that has taken a run."""
        taken = "another process"
        with suppress(StoreError):
            lease = self._ownership.lease(run_no)
            if lease is not None and lease.owner is not None:
                taken = lease.owner.name
        return LeaseLostError(
            f"run {run_id} was taken over by {taken} while this process was stopped.",
            run_no=run_no,
            hint=f"It writes nothing more; look at the run with: fanwise show {run_id}",
        )

    def _begin(self) -> None:
        """Have the keeper's threads work."""
        if self._threads:  # else there are none, or the last ones are about to end
            return
        loop, has_ended = asyncio.get_running_loop(), threading.Event()
        fence_s = self._lease_s - self._lease_s / _BEATS  # the last beat may be so long ago
        silence = SilenceWatch(fence_s, partial(self._note_silence, loop))
        self._has_ended = has_ended
        self._threads = [
            threading.Thread(target=work, args=given, name=f"fanwise-{name}", daemon=True)
            for name, work, given in (
                ("lease", self._keep, (loop, has_ended, silence)),
                ("silence", silence.watch, (has_ended,)),
            )
        ]
        for thread in self._threads:
            thread.start()

    async def _end(self) -> None:
        """Have the keeper's threads end, if there are some."""
        ending, self._threads = self._threads, ()
        self._has_ended.set()
        for thread in ending:
            await asyncio.to_thread(thread.join)

    def _keep(
        self,
        loop: asyncio.AbstractEventLoop,
        has_ended: threading.Event,
        silence: SilenceWatch,
    ) -> None:
        """Beat and read mail in the keeper's thread, until nothing is held any more."""
        beat_s = self._lease_s / _BEATS
        beaten_at = self._clock.monotonic()
        while not has_ended.wait(min(self._listen_s, beat_s)):
            with suppress(RuntimeError):  # the loop is closed
                try:
                    silence.ask()
                    now = self._clock.monotonic()
                    engine_no = self.engine_no()
                    if now >= beaten_at + beat_s:
                        self._beat(engine_no)
                        beaten_at = now
                    if self._held:
                        self._read_mail(loop, engine_no)
                    silence.answered()
                except StoreUnusableError as error:
                    # Attempts in flight may not come to the journal for hours.
                    for run in dict(self._held).values():
                        loop.call_soon_threadsafe(run.on_lost, error)
                    return
                except StoreError:
                    pass  # it may pass; else the journal meets and reports it

    def _note_silence(
        self, loop: asyncio.AbstractEventLoop, stage: Silence, lasted_s: float
    ) -> None:
        """Fence the engine or lift the fence, and have the runs that are driven say so."""
        text = _SILENT[stage].format(lasted=_span(lasted_s))

        def tell() -> None:
            for run in dict(self._held).values():
                run.on_notice(text)
            self._fence(stage is Silence.FENCED)

        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell)

    def _beat(self, engine_no: int) -> None:
        """Record a sign of life. An engine that was taken for dead gets another number."""
        if not self._ownership.beat(engine_no):
            with self._enrolling:
                if self._engine_no == engine_no:
                    self._engine_no = None

    def _read_mail(self, loop: asyncio.AbstractEventLoop, engine_no: int) -> None:
        held = dict(self._held)
        inbox = self._mailbox.inbox(engine_no)
        for run_no, run in held.items():
            if self._held.get(run_no) is not run:  # given back meanwhile, and perhaps taken again
                continue
            if inbox.tokens.get(run_no) != run.lease.token:
                self._held.pop(run_no, None)
                lost = LeaseLostError("another process has taken the run over", run_no=run_no)
                loop.call_soon_threadsafe(run.on_lost, lost)
                continue
            for request in inbox.requests.get(run_no, ()):
                if request.kind not in run.heard:
                    run.heard.add(request.kind)
                    loop.call_soon_threadsafe(run.on_request, request)


def driven_text(run_id: str, lease: Lease) -> str:
    """Return a sentence on the run's driver: its process, since when, and its silence if long."""
    assert lease.owner is not None
    text = f"run {run_id} is driven by {lease.owner.name}, for {_span(lease.held_s)}"
    is_silent = lease.silent_s > lease.owner.lease_s
    return f"{text}, and has said nothing for {_span(lease.silent_s)}." if is_silent else f"{text}."


def _remedy(run_id: str, lease: Lease, processes: Processes) -> str:
    assert lease.owner is not None
    if processes.state(lease.owner) is ProcessState.STOPPED:
        left_s = max(1.0, lease.owner.lease_s - lease.silent_s)
        return f"That process is stopped; in {_span(left_s)} the run can be taken over."
    return f"Wait for its end, or ask it to stop: fanwise pause {run_id}, fanwise cancel {run_id}"


def _span(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
