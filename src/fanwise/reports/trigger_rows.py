"""Triggers of a project as faces tell them: what their files say, and what the store knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fanwise.model import FireRecord, TriggerState
from fanwise.plan.project_triggers import Owned
from fanwise.reports.objects import iso_time
from fanwise.triggers.local_times import iso_utc
from fanwise.triggers.preview import upcoming
from fanwise.values import Json


class TriggerRow(NamedTuple):
    """A trigger of a project. `next` is None without a schedule, and while it is paused."""

    workflow: str
    trigger: str
    kind: str
    enabled: bool
    next: str | None
    place: str
    paused_at: str | None
    note: str | None
    last_at: str | None
    last_status: str | None
    trouble: str | None


def trigger_rows(
    triggers: Sequence[Owned], states: Mapping[tuple[str, str], TriggerState], now: float
) -> list[TriggerRow]:
    """Return the triggers as they stand at a time, in their order."""
    return [_row(each, states, now) for each in triggers]


def _row(owned: Owned, states: Mapping[tuple[str, str], TriggerState], now: float) -> TriggerRow:
    trigger = owned.trigger
    is_on = trigger.definition.enabled
    scheduled = [trigger.scheduled] if trigger.scheduled is not None and is_on else []
    names = (owned.plan.name, trigger.name)
    state = states.get(names) or TriggerState(*names)
    first = upcoming(scheduled, now, 1) if state.paused_at is None else []
    return TriggerRow(
        owned.plan.name,
        trigger.name,
        trigger.kind,
        is_on,
        iso_utc(first[0].at) if first else None,
        str(trigger.place),
        None if state.paused_at is None else iso_utc(int(state.paused_at)),
        state.note or None,
        None if state.last_at is None else iso_utc(int(state.last_at)),
        state.last_status,
        state.trouble or None,
    )


def fire_object(fire: FireRecord) -> dict[str, Json]:
    """A fire as JSON has it, with its times in UTC."""
    return {
        "key": fire.key,
        "at": iso_utc(int(fire.at)),
        "first": iso_utc(int(fire.first)),
        "n": fire.n,
        "status": fire.status.value,
        "reason": fire.reason or None,
        "run_id": fire.run_id,
        "fired_at": iso_time(fire.fired_at),
    }
