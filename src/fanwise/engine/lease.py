"""Who drives a run: one process at a time, and another one only when that one is gone.

A run is driven under a lease. Its token grows with each owner, and the store refuses what is
written with an older one: an owner that was stopped and wakes up after its run was taken can't
change anything any more. A lease is taken from an owner only if that has given it back, or its
process is known to be gone; where that can't be known, or the process is stopped, once it has said
nothing for as long as its leases hold. So an owner that is merely busy is never taken for dead.

`LeaseKeeper` says for all runs of an engine that they are driven, from a thread of its own, since
the event loop may be busy, and listens for what other processes ask.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from fanwise.errors import LeaseLostError, RunDrivenError, RunNotFoundError, StoreError
from fanwise.model import LEASE_S, Lease, Owner, RunRecord, RunRequest
from fanwise.ports import Clock, Control, Processes, ProcessState

_RENEWALS: Final = 5
"""How often a lease is renewed in the time for which it holds."""

_LISTEN_S: Final = 0.25


def is_driven(lease: Lease | None, now: float, processes: Processes) -> bool:
    """Whether someone drives the run at this moment."""
    if lease is None or lease.owner is None:
        return False
    match processes.state(lease.owner):
        case ProcessState.ALIVE:
            return True
        case ProcessState.GONE:
            return False
        case ProcessState.STOPPED | ProcessState.UNKNOWN:
            return now < lease.beat_at + lease.owner.lease_s


class HeldRun:
    """What the keeper knows of one run that this engine drives."""

    __slots__ = ("lease", "on_lost", "on_request")

    def __init__(
        self,
        lease: Lease,
        on_request: Callable[[RunRequest], None],
        on_lost: Callable[[LeaseLostError], None],
    ) -> None:
        self.lease = lease
        self.on_request = on_request
        self.on_lost = on_lost


class LeaseKeeper:
    """Takes, renews and gives back the leases of one engine's runs.

    They hold for `lease_s` without a word of this process, which looks every `listen_s` real
    seconds what is asked of them.
    """

    def __init__(
        self,
        control: Control,
        processes: Processes,
        clock: Clock,
        *,
        lease_s: float = LEASE_S,
        listen_s: float = _LISTEN_S,
    ) -> None:
        self._listen_s = listen_s
        self._control = control
        self._processes = processes
        self._clock = clock
        self._lease_s = lease_s
        self._owner: Owner | None = None
        self._held: dict[int, HeldRun] = {}
        self._thread: threading.Thread | None = None
        self._has_ended = threading.Event()

    def take(self, record: RunRecord) -> Lease:
        """Make this process the run's owner. May block.

        Raises `RunDrivenError` if another one drives it, `RunNotFoundError` if the run has just
        been deleted, and `StoreError`.
        """
        if self._owner is None:
            self._owner = replace(self._processes.this(), lease_s=self._lease_s)
        while True:
            held = self._control.lease(record.run_no)
            now = self._clock.now()
            if held is not None and is_driven(held, now, self._processes):
                hint = _way_on(held, now, self._processes)
                raise RunDrivenError(driven_text(record.id, held, now), run_id=record.id, hint=hint)
            after = 0 if held is None else held.token
            lease = self._control.acquire(record.run_no, self._owner, now, after=after)
            if lease is not None:
                return lease
            if held is None and self._control.lease(record.run_no) is None:
                raise RunNotFoundError(
                    f"run {record.id} is gone: it has just been deleted.", run_id=record.id
                )
            # Else someone has been faster: look again who.

    def hold(
        self,
        lease: Lease,
        on_request: Callable[[RunRequest], None],
        on_lost: Callable[[LeaseLostError], None],
    ) -> None:
        """Keep a lease until `release`; what is called is called on the running event loop."""
        self._held[lease.run_no] = HeldRun(lease, on_request, on_lost)
        if self._thread is None:  # or the last one is about to end
            self._has_ended = threading.Event()
            self._thread = threading.Thread(
                target=self._keep,
                args=(asyncio.get_running_loop(), self._has_ended),
                name="fanwise-lease",
                daemon=True,
            )
            self._thread.start()

    async def release(self, lease: Lease) -> None:
        """Give a run back, and say nothing if the store can't be written any more."""
        run_no = lease.run_no
        self._held.pop(run_no, None)
        if not self._held and self._thread is not None:
            ending, self._thread = self._thread, None
            self._has_ended.set()
            await asyncio.to_thread(ending.join)
        with suppress(StoreError):
            await asyncio.to_thread(self._control.release, run_no, lease.token, self._clock.now())

    def lost(self, run_id: str, run_no: int) -> LeaseLostError:
        """The error that says who has taken a run."""
        taken = "another process"
        with suppress(StoreError):
            lease = self._control.lease(run_no)
            if lease is not None and lease.owner is not None:
                taken = _process_text(lease.owner)
        return LeaseLostError(
            f"run {run_id} was taken over by {taken} while this process was stopped.",
            run_no=run_no,
            hint=f"It writes nothing more; look at the run with: fanwise show {run_id}",
        )

    def _keep(self, loop: asyncio.AbstractEventLoop, has_ended: threading.Event) -> None:
        """In the keeper's thread, until nothing is held any more."""
        renewed_at = self._clock.monotonic()
        renew_s = self._lease_s / _RENEWALS
        while not has_ended.wait(min(self._listen_s, renew_s)):
            is_due = self._clock.monotonic() >= renewed_at + renew_s
            if is_due:
                renewed_at = self._clock.monotonic()
            for run_no, held in list(self._held.items()):
                with suppress(StoreError, RuntimeError):  # the journal meets, and tells, the first
                    self._listen(loop, run_no, held, is_due=is_due)

    def _listen(
        self, loop: asyncio.AbstractEventLoop, run_no: int, held: HeldRun, *, is_due: bool
    ) -> None:
        token = held.lease.token
        if is_due:
            lease = self._control.renew(run_no, token, self._clock.now())
        else:
            lease = self._control.lease(run_no)
        if self._held.get(run_no) is not held:  # given back meanwhile, and perhaps taken again
            return
        if lease is None or lease.token != token:
            self._held.pop(run_no, None)
            lost = LeaseLostError("another process has taken the run over", run_no=run_no)
            loop.call_soon_threadsafe(held.on_lost, lost)
            return
        if lease.request is not None and lease.request is not held.lease.request:
            loop.call_soon_threadsafe(held.on_request, lease.request)
        held.lease = lease


def driven_text(run_id: str, lease: Lease, now: float) -> str:
    """Says who drives a run, since when, and when that has last been heard of."""
    assert lease.owner is not None
    silent_s = now - lease.beat_at
    text = (
        f"run {run_id} is driven by {_process_text(lease.owner)}, for {_span(now - lease.taken_at)}"
    )
    is_silent = silent_s > lease.owner.lease_s
    return f"{text}, and has said nothing for {_span(silent_s)}." if is_silent else f"{text}."


def _way_on(lease: Lease, now: float, processes: Processes) -> str:
    """What to do if another process drives a run."""
    assert lease.owner is not None
    if processes.state(lease.owner) is ProcessState.STOPPED:
        left_s = max(1.0, lease.beat_at + lease.owner.lease_s - now)
        return f"That process is stopped; in {_span(left_s)} the run can be taken over."
    return "It goes on by itself."


def _process_text(owner: Owner) -> str:
    return f"process {owner.pid} on {owner.host}"


def _span(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
