"""Runs that nobody drives any more: recorded as ends once that has lasted.

A process that drives runs may be gone for good, or its machine only stopped, and somebody may be
about to resume its runs. So a run counts as interrupted once this process has watched for a while
that nobody drives it; clocks of machines are never compared.
"""

from __future__ import annotations

from typing import Final

from fanwise.ports import Clock, Endings, Processes, is_driven

WATCHED_S: Final = 600.0
_LOOK_S: Final = 15.0


class Interruptions:
    """Watches the leases of open runs."""

    def __init__(self, endings: Endings, processes: Processes, clock: Clock) -> None:
        self._endings = endings
        self._processes = processes
        self._clock = clock
        self._looked_at = float("-inf")
        self._lost: dict[tuple[int, int], float] = {}
        """The first looks that found a lease, by its run and token, without its engine."""

    def look(self) -> None:
        """Record the runs that are interrupted by now. Raises `StoreError`."""
        now = self._clock.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        held = self._endings.held_leases()
        lost = {
            (lease.run_no, lease.token): lease
            for lease in held
            if not is_driven(lease, self._processes)
        }
        self._lost = {key: self._lost.get(key, now) for key in lost}
        overdue = [lease for key, lease in lost.items() if now - self._lost[key] >= WATCHED_S]
        if overdue:
            self._endings.note_interrupted(overdue)
            # Each is recorded once; only a new lease can be lost again.
            self._lost.update(((lease.run_no, lease.token), float("inf")) for lease in overdue)
