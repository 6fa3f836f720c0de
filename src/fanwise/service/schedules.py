"""Decides triggers with schedules: the instants that are due, as fires and runs."""

from __future__ import annotations

import msgspec

from fanwise.model import FireStatus, Limits, NewFire, TriggerState, TriggerTurn
from fanwise.plan.project_triggers import Owned
from fanwise.ports import Fires
from fanwise.service.turns import MakeRun, OpenFires, held_fire, made_fire
from fanwise.triggers.decide import Cursor, Fire, Scheduled, cursor_of, decide
from fanwise.triggers.facts import schedule_facts
from fanwise.triggers.overlap import Overlap


class ScheduleTurns:
    """The decider of the kind `schedule`."""

    def __init__(self, fires: Fires, make_run: MakeRun, limits: Limits) -> None:
        self._fires = fires
        self._make_run = make_run
        self._limits = limits
        self._seen: dict[tuple[str, str], Scheduled] = {}
        """The schedules that were looked at since the start.

        Others are decided at once: what the store knows of their next instant may be older than
        the rules of their time zone, or than the dates of their exceptions.
        """

    def begin(self) -> None:
        """Do nothing: instants need no preparation."""

    def is_due(self, owned: Owned, state: TriggerState, now: float) -> bool:
        """Say whether a trigger has to be decided; see `Decider.is_due`."""
        spec = _spec(owned)
        is_new = state.fingerprint != spec.fingerprint
        if is_new or self._seen.get((state.workflow, state.name)) is not spec:
            return True
        return state.has_held or (state.next_at is not None and state.next_at <= now)

    def turn(self, owned: Owned, state: TriggerState, now: float) -> TriggerTurn | None:
        """Return the next turn of a trigger; see `Decider.turn`."""
        spec = _spec(owned)
        has_open = spec.overlap is not Overlap.ALLOW or state.has_held
        found = self._fires.open_fires(state.workflow, state.name) if has_open else ()
        turn = schedule_turn(
            owned, spec, state, now, OpenFires.of(found), self._make_run, self._limits
        )
        self._seen[state.workflow, state.name] = spec
        return turn


def _spec(owned: Owned) -> Scheduled:
    spec = owned.trigger.scheduled
    assert spec is not None  # each trigger of this kind has one
    return spec


def schedule_turn(
    owned: Owned,
    spec: Scheduled,
    state: TriggerState,
    now: float,
    open_fires: OpenFires,
    make_run: MakeRun,
    limits: Limits,
) -> TriggerTurn | None:
    """Return the next turn of a trigger, or None if nothing changes.

    A fire that is held comes first, if no run of the trigger is open.
    """
    turn = TriggerTurn(workflow=owned.plan.name, name=owned.trigger.name, turn=state.turn)
    if released := open_fires.released(owned, make_run):
        return msgspec.structs.replace(turn, fires=released)
    known = Cursor(state.cursor, state.fingerprint) if state.fingerprint else None
    cursor = cursor_of(spec, known, now)
    decision = decide(
        spec,
        cursor.at,
        now,
        open_fires.runs,
        most_caught_up=limits.catch_up,
        most_held=limits.queued,
    )
    cancels = open_fires.cancels(spec.overlap, decision.cancels)
    fires = (
        *open_fires.replaced(decision.replaces),
        *(_new_fire(owned, spec, fire, now, make_run) for fire in decision.fires),
    )
    is_same = (cursor.fingerprint, decision.cursor, decision.next_at) == (
        state.fingerprint,
        state.cursor,
        state.next_at,
    )
    if is_same and not fires and not cancels:
        return None
    return msgspec.structs.replace(
        turn,
        cursor=decision.cursor,
        fingerprint=cursor.fingerprint,
        next_at=decision.next_at,
        fires=fires,
        cancels=cancels,
    )


def _new_fire(owned: Owned, spec: Scheduled, fire: Fire, now: float, make_run: MakeRun) -> NewFire:
    new = NewFire(
        key=fire.key,
        at=fire.at,
        first=fire.first,
        n=fire.n,
        status=fire.status,
        reason=fire.reason,
    )
    if fire.status is not FireStatus.RAN:
        return new
    facts = schedule_facts(spec, fire, now)
    return held_fire(new, facts) if fire.is_held else made_fire(owned, new, facts, make_run)
