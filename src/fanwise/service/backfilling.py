"""Makes the runs of past times of a schedule, the oldest first."""

from __future__ import annotations

from fanwise.model import FireStatus
from fanwise.plan.project_triggers import Owned
from fanwise.ports import Fires
from fanwise.reports.trigger_rows import Backfilled
from fanwise.service.by_hand import (
    MOST_INSTANTS,
    Backfill,
    backfill_instants,
    backfill_key,
    backfill_turn,
)
from fanwise.service.turns import MakeRun
from fanwise.triggers.local_times import iso_utc


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
    """Make the runs, or with `dry_run` just find the times.

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
    for at in () if dry_run else instants:
        key = backfill_key(at) + (f":{token}" if wanted.again else "")
        turn = backfill_turn(owned, at, now, make_run, key, wanted.at_once)
        (ids,) = fires.take_turns([turn])
        made += ids or ()
    return Backfilled(instants=[iso_utc(each) for each in instants], runs=made)
