"""The arrivals of a store: events, requests and files that have come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from fanwise.model import Arrival, BatchEvent
from fanwise.ports.store import PAGE_BYTES

Numbered = Sequence[tuple[int, Arrival]]
"""Arrivals of a batch, each behind its index in it."""


class Arrivals(Protocol):
    """Arrivals, and the triggers that they are delivered to. Any thread may call these.

    They block. A trigger is known by the name of its workflow and its own. An arrival that was
    delivered to a trigger is decided by a turn of that trigger, see `Fires.take_turns`.
    """

    def arrive(
        self, arrivals: Sequence[Arrival], to: tuple[str, str] | None = None
    ) -> Sequence[bool]:
        """Record arrivals, and deliver them; return of each whether it is new.

        One whose source, name and id are known changes nothing. Events go to the triggers that
        listen for their names and are offered to waits, others to the trigger `to`.
        """

    def arrival(self, source: str, name: str, id: str) -> Arrival | None:
        """Return the arrival with this id, if it is still known."""

    def delivered(self, workflow: str, name: str, *, most: int) -> Sequence[Arrival]:
        """Return the first arrivals of a trigger that no turn has decided."""

    def gathered(
        self,
        workflow: str,
        name: str,
        batch: int,
        start: int,
        stop: int,
        *,
        limit_bytes: int = PAGE_BYTES,
    ) -> Numbered:
        """Return the arrivals in a batch of a trigger with `start <= index < stop`.

        It ends early after the arrival with which all data reaches `limit_bytes`.
        """

    def batch_events(
        self, run_no: int, start: int, stop: int, *, limit_bytes: int = PAGE_BYTES
    ) -> Sequence[BatchEvent]:
        """Return the events of the batch that has made a run, in the same way."""

    def latest_events(self, after: float) -> Mapping[str, float]:
        """Return when events of each name have come last, of those that came after a time."""

    def offer_arrivals(self) -> None:
        """Settle the waits of all runs for events that have come. A vain look only reads."""
