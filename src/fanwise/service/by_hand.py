"""Triggers fired by hand, and instants of the past that fire after all. Pure.

Both make runs in spite of overlap and pause, and move no cursor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Final

import msgspec

from fanwise.definition import did_you_mean
from fanwise.errors import UsageError
from fanwise.model import FireStatus, NewFire, RunLimit, RunRecord, Submission, TriggerTurn
from fanwise.plan.project_triggers import Owned
from fanwise.plan.triggers import gathers
from fanwise.service.turns import MakeRun
from fanwise.triggers.calendar import calendar_of
from fanwise.triggers.decide import Fire, fire_key
from fanwise.triggers.facts import event_facts, schedule_facts
from fanwise.triggers.local_times import iso_utc
from fanwise.values import FrozenDict, Json

MOST_INSTANTS: Final = 10_000
_BACKFILL: Final = "backfill:"
_BACKFILL_PRIORITY: Final = -10


class Backfill(msgspec.Struct, frozen=True):
    """The times whose runs are wanted: from `start` and before `end`, in seconds since 1970.

    With `again` those that have a run get another one. At most `at_once` of the runs are driven at
    a time.
    """

    start: int
    end: int
    again: bool = False
    at_once: int = 1


Names = tuple[str, str]
"""The name of a workflow, and that of a trigger of it."""


def find_names(known: Iterable[Names], text: str) -> Names:
    """The trigger that `NAME` or `WORKFLOW/NAME` means. Raises `UsageError`."""
    known = sorted(set(known))
    found = [each for each in known if text in (each[1], "/".join(each))]
    if len(found) == 1:
        return found[0]
    if found:
        listed = " and ".join("/".join(each) for each in found)
        raise UsageError(
            f'several triggers are named "{text}".', hint=f"Name one of {listed}, as it stands."
        )
    raise UsageError(
        f'the project has no trigger "{text}".',
        hint=did_you_mean(text, [each[1] for each in known]) or "List them with: fanwise triggers",
    )


def manual_facts(owned: Owned, at: int, fired_at: float, by: str, event: Json = None) -> FrozenDict:
    """The facts of a fire by hand: those that the trigger itself would give, but for its kind."""
    trigger, spec = owned.trigger, owned.trigger.scheduled
    if spec is not None:
        facts = schedule_facts(spec, _instant(at, is_catch_up=False), fired_at)
    elif event is not None and gathers(trigger.definition):
        events = event if isinstance(event, list | tuple) else [event]
        facts = event_facts(trigger.kind, trigger.name, owned.plan.name, fired_at, events=events)
    else:
        facts = event_facts(trigger.kind, trigger.name, owned.plan.name, fired_at, event=event)
    return FrozenDict({**facts, "kind": "manual", "by": by})


def manual_turn(
    owned: Owned, facts: FrozenDict, at: int, token: str, make_run: MakeRun
) -> TriggerTurn:
    """The turn that fires a trigger by hand; a `token` makes one run. Raises `FanwiseError`."""
    return _turn(owned, manual_key(token), at, facts, make_run)


def manual_key(token: str) -> str:
    """The unique key of a fire by hand."""
    return f"manual:{token}"


def backfill_instants(owned: Owned, start: int, end: int, ran: Set[str]) -> Sequence[int]:
    """The instants of a schedule from `start` up to `end` whose keys aren't among those that ran.

    Raises `UsageError` for a trigger of another kind, a span that ends before it starts, and too
    many.
    """
    spec = owned.trigger.scheduled
    if spec is None:
        raise UsageError(
            f'trigger "{owned.trigger.name}" is of the kind {owned.trigger.kind}, and has no past '
            "instants.",
            hint="Backfill a schedule, or fire this one with: fanwise trigger",
        )
    if end <= start:
        raise UsageError(
            f"there is no time from {iso_utc(start)} up to {iso_utc(end)}.",
            hint="Give an end that is later than the beginning.",
        )
    found: list[int] = []
    for window in calendar_of(spec.schedule).windows(start - 1, end - 1):
        found += [at for at in window if ran.isdisjoint((fire_key(at), backfill_key(at)))]
        if len(found) > MOST_INSTANTS:
            raise UsageError(
                f"there are more than {MOST_INSTANTS:,} instants without a run.",
                hint="Choose a shorter span, and another one after it.",
            )
    return found


def backfill_key(at: int) -> str:
    """The unique key of an instant that was backfilled, so that it is once."""
    return f"{_BACKFILL}{iso_utc(at)}"


def backfill_turn(
    owned: Owned, at: int, fired_at: float, make_run: MakeRun, key: str, at_once: int
) -> TriggerTurn:
    """The turn that makes the run of a past instant, behind other runs. Raises `FanwiseError`.

    At most `at_once` such runs are driven at a time, unless their workflow has a limit of its own.
    """
    spec = owned.trigger.scheduled
    assert spec is not None
    facts = schedule_facts(spec, _instant(at, is_catch_up=True), fired_at)

    def make(owned: Owned, facts: FrozenDict, at: float) -> tuple[RunRecord, Submission]:
        run, place = make_run(owned, facts, at)
        if owned.trigger.definition.priority is None:
            place = msgspec.structs.replace(place, priority=_BACKFILL_PRIORITY)
        scope = f"{owned.plan.name}/{owned.trigger.name}"
        limit = run.origin.limit or RunLimit(scope, "backfill", at_once, is_backfill=True)
        origin = msgspec.structs.replace(run.origin, limit=limit)
        return msgspec.structs.replace(run, origin=origin), place

    return _turn(owned, key, at, facts, make)


def _instant(at: int, *, is_catch_up: bool) -> Fire:
    key = fire_key(at)
    return Fire(key=key, at=at, first=at, status=FireStatus.RAN, is_catch_up=is_catch_up)


def _turn(owned: Owned, key: str, at: int, facts: FrozenDict, make_run: MakeRun) -> TriggerTurn:
    run, place = make_run(owned, facts, at)
    fire = NewFire(key=key, at=at, first=at, status=FireStatus.RAN, run=run, place=place)
    return TriggerTurn(workflow=owned.plan.name, name=owned.trigger.name, fires=(fire,))
