"""Triggers of a project as faces tell them: what their files say, and what the store knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from fanwise.model import FireRecord, FireStatus, TriggerState
from fanwise.plan.project_triggers import Owned
from fanwise.reports.objects import iso_time
from fanwise.triggers.local_times import iso_utc
from fanwise.triggers.preview import upcoming

_AHEAD_S: Final = 3_600.0
"""The time by which a trigger may be decided ahead of the clock, which was corrected a little."""


class TriggerRow(msgspec.Struct, frozen=True):
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
        state.trouble or _ahead(owned, state, now),
    )


def _ahead(owned: Owned, state: TriggerState, now: float) -> str | None:
    """The trouble of a schedule whose times are decided already for a while to come, if they are.

    The clock was ahead when they were.
    """
    if owned.trigger.scheduled is None or state.paused_at is not None:
        return None
    if state.cursor <= now + _AHEAD_S:
        return None
    names = f"{state.workflow}/{state.name}"
    return (
        f"the clock was ahead, so nothing fires until {iso_utc(int(state.cursor))}. "
        f"To count from now on: fanwise triggers resume {names} --from now"
    )


class ListedTriggers(msgspec.Struct, frozen=True, kw_only=True):
    """The triggers of the project in a folder, and what is wrong with its files, a line each."""

    folder: str
    triggers: Sequence[TriggerRow]
    problems: Sequence[str]
    warnings: Sequence[str]


class FireRow(msgspec.Struct, frozen=True):
    """A fire of a trigger, which stands for `n` times from `first` to `at`, all in UTC."""

    key: str
    at: str
    first: str
    n: int
    status: str
    reason: str | None
    run_id: str | None
    fired_at: str | None


def fire_row(fire: FireRecord) -> FireRow:
    """Return a fire as faces tell it."""
    return FireRow(
        fire.key,
        iso_utc(int(fire.at)),
        iso_utc(int(fire.first)),
        fire.n,
        fire.status.value,
        fire.reason or None,
        fire.run_id,
        iso_time(fire.fired_at),
    )


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """A fire by hand, with the facts and the parameters of its run; `runs` are those made.

    By its trigger's overlap it may have another `status` than `ran`, for a `reason`.
    """

    runs: Sequence[str]
    status: str = FireStatus.RAN.value
    reason: str = ""
    trigger: Mapping[str, object]
    parameters: Mapping[str, object]


class Backfilled(msgspec.Struct, frozen=True, kw_only=True):
    """Past times that had no run, in UTC, and the runs that were made of them.

    If not all of them have one now, there is a `reason`.
    """

    instants: Sequence[str]
    runs: Sequence[str]
    reason: str = ""
