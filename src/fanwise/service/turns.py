"""The turn of a trigger with a schedule: what is due, as fires and runs to be recorded. Pure.

It is decided on the trigger's state and its open fires, and is only recorded if the trigger is
still at the same turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from fanwise.errors import FanwiseError
from fanwise.model import (
    FireStatus,
    NewFire,
    OpenFire,
    RunRecord,
    Status,
    Submission,
    TriggerState,
    TriggerTurn,
)
from fanwise.plan.project_triggers import Owned
from fanwise.triggers.decide import (
    Cursor,
    Decision,
    Fire,
    OpenRun,
    Overlap,
    Scheduled,
    cursor_of,
    decide,
)
from fanwise.triggers.facts import schedule_facts
from fanwise.values import FrozenDict, decode, encode

_REPLACED: Final = "a newer fire has taken its place"


class MakeRun(Protocol):
    """Makes the run of a fire."""

    def __call__(self, owned: Owned, facts: FrozenDict, at: float) -> tuple[RunRecord, Submission]:
        """Return the run and its place in a queue.

        Raises `FanwiseError` if the trigger gives no parameters that fit, or its workflow forbids.
        """


def is_due(spec: Scheduled, state: TriggerState, now: float) -> bool:
    """Say whether a trigger has to be decided; one that is paused never has."""
    if state.paused_at is not None:
        return False
    is_new = state.fingerprint != spec.fingerprint
    return is_new or state.has_held or (state.next_at is not None and state.next_at <= now)


def schedule_turn(
    owned: Owned,
    spec: Scheduled,
    state: TriggerState,
    now: float,
    open_fires: Sequence[OpenFire],
    make_run: MakeRun,
) -> TriggerTurn | None:
    """Return the next turn of a trigger, or None if nothing changes.

    A fire that is held comes first, if no run of the trigger is open.
    """
    turn = TriggerTurn(workflow=owned.plan.name, name=owned.trigger.name, turn=state.turn)
    held = [fire for fire in open_fires if fire.run_id is None]
    active = [fire for fire in open_fires if fire.run_id is not None]
    if held and not active:
        return msgspec.structs.replace(turn, fires=(_released(owned, held[0], make_run),))
    known = Cursor(state.cursor, state.fingerprint) if state.fingerprint else None
    cursor = cursor_of(spec, known, now)
    open_runs = [
        *(OpenRun(each.run_id or "", each.run_status or Status.PENDING) for each in active),
        *(OpenRun(each.key, Status.PENDING, is_held=True) for each in held),
    ]
    decision = decide(spec, cursor.at, now, open_runs)
    again = spec.overlap is Overlap.CANCEL and held
    cancels = tuple(each.run_id for each in active if each.run_id) if again else decision.cancels
    fires = (
        *_replaced(held, decision),
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


def made_fire(
    owned: Owned, fire: NewFire, facts: FrozenDict, make_run: MakeRun, *, is_judged: bool = False
) -> NewFire:
    """Return a fire with its run, or with the reason why there is none.

    With `is_judged` its `when` holds, as is known already.
    """
    try:
        if not is_judged and not owned.trigger.admits(facts):
            return msgspec.structs.replace(
                fire, status=FireStatus.SKIPPED, reason="its `when` doesn't hold"
            )
        run, place = make_run(owned, facts, fire.at)
    except FanwiseError as error:
        return msgspec.structs.replace(fire, status=FireStatus.FAILED, reason=str(error))
    return msgspec.structs.replace(fire, status=FireStatus.RAN, run=run, place=place)


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
    if fire.is_held:
        return msgspec.structs.replace(
            new,
            status=FireStatus.HELD,
            reason="it waits for runs of this trigger to end",
            facts=encode(facts),
        )
    return made_fire(owned, new, facts, make_run)


def _released(owned: Owned, held: OpenFire, make_run: MakeRun) -> NewFire:
    """A fire that was held, with its run."""
    fire = NewFire(key=held.key, at=held.at, first=held.at, status=FireStatus.RAN)
    return made_fire(owned, fire, FrozenDict(decode(held.facts or b"{}")), make_run)


def _replaced(held: Sequence[OpenFire], decision: Decision) -> list[NewFire]:
    return [
        NewFire(
            key=each.key,
            at=each.at,
            first=each.at,
            status=FireStatus.REPLACED,
            reason=_REPLACED,
        )
        for each in held
        if each.key in decision.replaces
    ]
