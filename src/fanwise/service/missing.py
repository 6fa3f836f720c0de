"""Decides triggers that wait for runs or events to fail to come.

A trigger's cursor is when the last one came, or when the trigger was first seen. It is armed while
it has a next time: it fires once that is over, and is armed again by the next that comes. All of it
follows from what the store has recorded, so it doesn't matter whether a server was there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from fanwise.model import TriggerState, TriggerTurn
from fanwise.plan.project_triggers import Owned
from fanwise.ports import Fires
from fanwise.service.endings import NewEndings, begun, end_rules, same_turn
from fanwise.service.turns import Happening, MakeRun, OpenFires, happened_turn
from fanwise.triggers.facts import event_facts
from fanwise.triggers.local_times import iso_utc
from fanwise.triggers.match import end_matches, matches

_MISSING: Final = "missing"
_LOOK_S: Final = 86_400.0
"""Events are looked for at least so often, long before they are forgotten."""
_LATE_S: Final = 60.0
"""The time that a transaction may take between the time of an event and its commit."""


class LatestEvents(Protocol):
    """The part of `Arrivals` that tells which events have come."""

    def latest_events(self, after: float) -> Mapping[str, float]:
        """Return when events of each name have come last, of those after a time."""


class MissingTurns:
    """The decider of the kind `missing`."""

    def __init__(
        self,
        new: NewEndings,
        events: LatestEvents,
        fires: Fires,
        make_run: MakeRun,
        most_held: int,
    ) -> None:
        self._new = new
        self._events = events
        self._fires = fires
        self._make_run = make_run
        self._most_held = most_held
        self._looked_at: dict[tuple[str, str], float] = {}
        """The times up to which events were looked for, of triggers that aren't armed."""

    def begin(self) -> None:
        """Do nothing: the ends are those that run triggers take up."""

    def is_due(self, owned: Owned, state: TriggerState, now: float) -> bool:
        """Say whether a trigger has to be decided; see `Decider.is_due`."""
        if state.fingerprint != owned.trigger.fingerprint or state.has_held:
            return True
        if state.next_at is not None and state.next_at <= now:
            return True
        if _event(owned) is not None:
            return state.next_at is None
        return state.taken_to < self._new.last

    def turn(self, owned: Owned, state: TriggerState, now: float) -> TriggerTurn | None:
        """Return the next turn of a trigger; see `Decider.turn`."""
        within_s = _within_s(owned)
        if state.fingerprint != owned.trigger.fingerprint:
            new = begun(owned, state, now, self._new.last)
            return msgspec.structs.replace(new, next_at=now + within_s)
        open_fires = OpenFires.of(self._fires.open_fires(state.workflow, state.name))
        if released := open_fires.released(owned, self._make_run):
            return msgspec.structs.replace(same_turn(owned, state), fires=released)
        came = self._came(owned, state, now)
        since = state.cursor if came.last_at is None else came.last_at
        is_armed = came.last_at is not None or state.next_at is not None
        deadline = since + within_s
        happenings = []
        if is_armed and came.is_all and deadline <= now:
            key = f"missing:{iso_utc(int(since))}"
            facts = event_facts(_MISSING, owned.trigger.name, owned.plan.name, now)
            happenings.append(Happening(key, deadline, facts))
            is_armed = False
        next_at = min(deadline, now + _LOOK_S) if came.is_all else now
        turn = happened_turn(owned, state, happenings, open_fires, self._make_run, self._most_held)
        changed = msgspec.structs.replace(
            turn,
            cursor=since,
            fingerprint=owned.trigger.fingerprint,
            next_at=next_at if is_armed else None,
            taken_to=came.taken_to,
        )
        is_same = (since, changed.next_at, came.taken_to) == (
            state.cursor,
            state.next_at,
            state.taken_to,
        )
        return None if is_same and not turn.fires and not turn.cancels else changed

    def _came(self, owned: Owned, state: TriggerState, now: float) -> _Came:
        event = _event(owned)
        if event is None:
            page, rules = self._new.after(state.taken_to), end_rules(owned)
            ends = [
                each.ended_at
                for each in page.endings
                if end_matches(rules, each.workflow, each.status)
            ]
            return _Came(max(ends, default=None), page.last, page.is_last)
        names = state.workflow, state.name
        looked_at = state.cursor
        if state.next_at is None:
            looked_at = max(looked_at, self._looked_at.get(names, looked_at))
            self._looked_at[names] = now - _LATE_S
        found = self._events.latest_events(looked_at)
        times = [at for name, at in found.items() if matches((event,), name)]
        return _Came(max(times, default=None), state.taken_to, is_all=True)


class _Came(msgspec.Struct, frozen=True):
    """The last time at which something came that was waited for, as far as it was looked for."""

    last_at: float | None
    taken_to: int
    is_all: bool


def _event(owned: Owned) -> str | None:
    missing = owned.trigger.definition.missing
    assert missing is not None  # each trigger of this kind has one
    return missing.event


def _within_s(owned: Owned) -> float:
    missing = owned.trigger.definition.missing
    assert missing is not None
    assert missing.within is not None
    return missing.within
