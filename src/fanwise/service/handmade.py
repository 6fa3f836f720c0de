"""Fires triggers by hand, and for past times of a schedule. Functions block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fanwise.model import FireStatus, TriggerState, TriggerTurn
from fanwise.plan.project_triggers import Owned
from fanwise.ports import Fires
from fanwise.reports.trigger_rows import Backfilled
from fanwise.service.by_hand import (
    MOST_INSTANTS,
    Backfill,
    backfill_instants,
    backfill_key,
    backfill_turn,
    manual_key,
    manual_turn,
)
from fanwise.service.refusals import as_recorded
from fanwise.service.turns import Happening, MakeRun, OpenFires, happened_turn
from fanwise.triggers.local_times import iso_utc
from fanwise.values import FrozenDict


class FiredByHand(NamedTuple):
    """A fire by hand: the runs that it has made, its status, and why it has made none."""

    runs: Sequence[str]
    status: FireStatus
    reason: str = ""


def fire_by_hand(
    fires: Fires,
    owned: Owned,
    facts: FrozenDict,
    at: int,
    token: str,
    make_run: MakeRun,
    *,
    most_held: int | None,
) -> FiredByHand:
    """Fire a trigger under a `token`, which makes one run. Raises `FanwiseError`.

    With `most_held` its overlap counts, and so many runs may wait for others; without, none does.
    """
    if most_held is None:
        turn = manual_turn(owned, facts, at, token, make_run)
        (made,) = fires.take_turns([turn])
        return _fired(fires, turn, made or ())
    names = owned.plan.name, owned.trigger.name
    happening = Happening(manual_key(token), at, facts)
    while True:
        _, found = fires.triggers()
        known = {(each.workflow, each.name): each for each in found}
        state = known.get(names) or TriggerState(*names)
        open_fires = OpenFires.of(fires.open_fires(*names))
        turn = happened_turn(owned, state, [happening], open_fires, make_run, most_held)
        (made,) = fires.take_turns([turn])
        if made is not None:
            return _fired(fires, turn, made)


def _fired(fires: Fires, turn: TriggerTurn, made: Sequence[str]) -> FiredByHand:
    last = as_recorded(fires, turn, made)[-1]
    return FiredByHand(made, last.status, last.reason)


def make_backfill(
    fires: Fires,
    owned: Owned,
    wanted: Backfill,
    now: float,
    make_run: MakeRun,
    token: str,
    *,
    dry_run: bool,
) -> Backfilled:
    """Make the runs, or with `dry_run` just find the times. The first one refused is the last.

    Times whose runs are wanted again get these under the `token`. Raises `FanwiseError`.
    """
    names = owned.plan.name, owned.trigger.name
    ran = (
        []
        if wanted.again
        else fires.fires(*names, statuses=[FireStatus.RAN], most=2 * MOST_INSTANTS)
    )
    instants = backfill_instants(owned, wanted.start, wanted.end, {each.key for each in ran})
    made: list[str] = []
    reason = ""
    for at in () if dry_run else instants:
        key = backfill_key(at) + (f":{token}" if wanted.again else "")
        turn = backfill_turn(owned, at, now, make_run, key, wanted.at_once)
        (ids,) = fires.take_turns([turn])
        made += ids or ()
        (fire,) = as_recorded(fires, turn, ids or ())
        if fire.status is FireStatus.REFUSED:
            reason = fire.reason
            break
    return Backfilled(instants=[iso_utc(each) for each in instants], runs=made, reason=reason)
