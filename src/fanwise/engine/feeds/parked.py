"""The attempts of one visit that wait without a slot, each until a recorded wait is settled."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TypeAlias

from fanwise.engine.activity import Activity
from fanwise.engine.parking import Parking
from fanwise.model import Wait, WaitPlace, WaitToOpen
from fanwise.ports import Ticket

Settled: TypeAlias = Callable[[Wait], None]
"""Hears that the wait of an attempt is settled; the attempt waits no more."""


class ParkedAttempts:
    """The waiting attempts, by their items' indexes. `changed` hears that a wait is recorded."""

    def __init__(self, parking: Parking, activity: Activity, changed: Callable[[], None]) -> None:
        self._parking = parking
        self._activity = activity
        self._changed = changed
        # Feeds ask at the end of each item whether there are any, which a method would slow down.
        self.attempts: dict[int | None, _Attempt] = {}

    @property
    def places(self) -> list[WaitPlace]:
        """The places of the waits that attempts are parked for."""
        return [place for each in self.attempts.values() for place in each.places]

    @property
    def recorded(self) -> int:
        """The number of attempts whose waits are recorded."""
        return sum(each.is_recorded for each in self.attempts.values())

    def has_room(self) -> bool:
        """Say whether the run may have one more open wait."""
        return self._parking.has_room()

    def add(self, ticket: Ticket, wait: WaitToOpen, settled: Settled) -> None:
        """Park an attempt until its wait is settled, which is opened for it."""
        attempt = _Attempt(ticket, (wait.place,), is_recorded=False)
        hear = partial(self._hear, attempt, settled)
        self._parking.park(wait, hear, partial(self._note_recorded, attempt))
        self._keep(attempt)

    def add_child(self, ticket: Ticket, places: Collection[WaitPlace], settled: Settled) -> None:
        """Park the attempt of a child workflow until the first of its own waits is settled."""
        attempt = _Attempt(ticket, tuple(places), is_recorded=True)
        self._parking.watch(attempt.places, partial(self._hear, attempt, settled))
        self._keep(attempt)

    def clear(self) -> list[Ticket]:
        """Have nothing wait any more, and return the attempts that did."""
        attempts, self.attempts = self.attempts, {}
        self._activity.lie_down(-len(attempts))
        for each in attempts.values():
            self._parking.leave(each.places)
        return [each.ticket for each in attempts.values()]

    def _keep(self, attempt: _Attempt) -> None:
        self.attempts[attempt.ticket.index] = attempt
        self._activity.lie_down(1)

    def _note_recorded(self, attempt: _Attempt) -> None:
        attempt.is_recorded = True
        self._changed()

    def _hear(self, attempt: _Attempt, settled: Settled, wait: Wait) -> None:
        if self.attempts.get(attempt.ticket.index) is not attempt:
            return  # it was taken back, or another wait of the same child came first
        del self.attempts[attempt.ticket.index]
        self._activity.lie_down(-1)
        self._parking.leave(attempt.places)
        settled(wait)


class _Attempt:
    """An attempt that waits, and the places of the waits that it waits for."""

    __slots__ = ("is_recorded", "places", "ticket")

    def __init__(self, ticket: Ticket, places: tuple[WaitPlace, ...], *, is_recorded: bool) -> None:
        self.ticket = ticket
        self.places = places
        self.is_recorded = is_recorded
