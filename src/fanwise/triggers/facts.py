"""The facts of a fire, as its run's templates read them under `trigger`."""

from __future__ import annotations

from collections.abc import Sequence

from fanwise.context import MANUAL_TRIGGER
from fanwise.triggers.calendar import calendar_of
from fanwise.triggers.decide import Fire, Scheduled
from fanwise.triggers.local_times import find_zone, local_of
from fanwise.values import FrozenDict, Json, LazyList, freeze


def schedule_facts(spec: Scheduled, fire: Fire, fired_at: float) -> FrozenDict:
    """The facts of a scheduled fire. Its window is from `previous_at` up to `scheduled_at`."""
    calendar = calendar_of(spec.schedule)
    previous = calendar.last_before(fire.at)
    scheduled_at = local_of(fire.at, calendar.zone)
    return _facts(
        kind="schedule",
        name=spec.name,
        workflow=spec.workflow,
        scheduled_at=scheduled_at.isoformat(),
        date=scheduled_at.date().isoformat(),
        previous_at=None if previous is None else local_of(previous, calendar.zone).isoformat(),
        fired_at=utc_text(fired_at),
        is_catch_up=fire.is_catch_up,
        depth=0,
    )


def event_facts(
    kind: str,
    name: str,
    workflow: str,
    fired_at: float,
    *,
    event: Json = None,
    events: Sequence[Json] | None = None,
    depth: int = 0,
) -> FrozenDict:
    """The facts of a fire of another kind: one event, or those of a batch. Its date is in UTC."""
    facts = _facts(
        kind=kind,
        name=name,
        workflow=workflow,
        date=utc_text(fired_at)[:10],
        fired_at=utc_text(fired_at),
        is_catch_up=False,
        event=event,
        depth=depth,
    )
    if isinstance(events, LazyList):  # which stays unread
        return FrozenDict({**facts, "events": events})
    return facts if events is None else FrozenDict({**facts, "events": freeze(events)})


def utc_text(instant: float) -> str:
    """An instant as templates see it, in UTC."""
    return local_of(instant, find_zone("UTC")).isoformat()


def _facts(**facts: Json) -> FrozenDict:
    return FrozenDict({**MANUAL_TRIGGER, **freeze(facts, where="trigger")})
