"""Fires that were to make runs, and that the store has refused as it recorded them.

Only the transaction that records a fire knows whether too many runs wait, or whether its run would
repeat another one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fanwise.model import FireStatus, NewFire, TriggerTurn
from fanwise.ports import Fires


def as_recorded(fires: Fires, turn: TriggerTurn, runs: Sequence[str]) -> Sequence[NewFire]:
    """The fires of a turn, which has made these runs, as they are recorded."""
    if len(runs) == sum(fire.run is not None for fire in turn.fires):
        return turn.fires
    return [_as_recorded(fires, turn, fire) for fire in turn.fires]


def _as_recorded(fires: Fires, turn: TriggerTurn, fire: NewFire) -> NewFire:
    found = None if fire.run is None else fires.fire(turn.workflow, turn.name, fire.key)
    if found is None or found.status is not FireStatus.REFUSED:
        return fire
    return msgspec.structs.replace(fire, status=FireStatus.REFUSED, reason=found.reason)
