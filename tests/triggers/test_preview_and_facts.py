"""Instants to come with what daylight saving makes of them, and the facts of a fire."""

from __future__ import annotations

import pytest
from oracle import seconds

from fanwise.context import MANUAL_TRIGGER, TRIGGER_KEYS, WorkflowContext
from fanwise.triggers.decide import Scheduled, decide
from fanwise.triggers.facts import event_facts, schedule_facts
from fanwise.triggers.preview import Upcoming, upcoming
from fanwise.triggers.schedules import Schedule


def spec(zone: str, *cron: str, name: str = "a") -> Scheduled:
    return Scheduled(workflow="flow", name=name, schedule=Schedule(cron=cron, timezone=zone))


def told(found: list[Upcoming]) -> list[str]:
    """Each as its local time, and what has been done to it."""
    lines = []
    for each in found:
        instead = ", ".join(f"{moment:%d %H:%M}" for moment in each.instead_of)
        note = f" instead of {instead}" if instead else " again" if each.is_second else ""
        lines.append(f"{each.local:%d %H:%M}{note}")
    return lines


@pytest.mark.parametrize(
    ("trigger", "first", "expected"),
    [
        (
            spec("Europe/Berlin", "15,30 2 * * *", "0 3 * * *"),
            "2026-03-29T00:00",
            ["29 03:00 instead of 29 02:15, 29 02:30", "30 02:15"],
        ),
        (
            spec("America/Santiago", "0 0 * * *"),
            "2026-09-06T00:00",
            ["06 01:00 instead of 06 00:00", "07 00:00"],
        ),
        (
            spec("Pacific/Apia", "0 12 * * *"),
            "2011-12-30T00:00",
            ["31 00:00 instead of 30 12:00", "31 12:00"],
        ),
        (
            spec("Europe/Berlin", "*/30 2 * * *"),
            "2026-10-25T00:30",
            ["25 02:30", "25 02:00 again", "25 02:30 again", "26 02:00"],
        ),
        (spec("Europe/Berlin", "0 3 * * *"), "2026-03-29T00:00", ["29 03:00", "30 03:00"]),
        (spec("UTC", "30 2 * * *"), "2026-03-29T00:00", ["29 02:30", "30 02:30"]),
    ],
)
def test_a_preview_marks_what_daylight_saving_does(
    trigger: Scheduled, first: str, expected: list[str]
) -> None:
    """Times that are put off, and times that come again."""
    assert told(upcoming([trigger], seconds(first), len(expected))) == expected


def test_a_preview_merges_the_schedules_from_its_first_time_on() -> None:
    """At one instant the one that is listed first comes first."""
    triggers = [spec("UTC", "0 * * * *", name="b"), spec("UTC", "*/30 * * * *", name="a")]
    found = upcoming(triggers, seconds("2026-03-01T10:00"), 3)
    assert [(each.trigger.name, each.at % 3600 // 60) for each in found] == [
        ("b", 0),
        ("a", 0),
        ("a", 30),
    ]
    over = spec("UTC")
    over = Scheduled(workflow="f", name="c", schedule=Schedule(at=(seconds("2026-03-01"),)))
    assert upcoming([over], seconds("2026-03-02"), 3) == []


def test_the_facts_of_a_scheduled_fire_are_local_to_its_zone() -> None:
    """The window between its time and the one before is a day of 23 hours here."""
    trigger = spec("Europe/Berlin", "0 12 * * *")
    noon = seconds("2026-03-29T10:00")
    (fire,) = decide(trigger, noon - 1, noon + 600, []).fires
    assert schedule_facts(trigger, fire, noon + 600.5) == {
        **MANUAL_TRIGGER,
        "kind": "schedule",
        "name": "a",
        "workflow": "flow",
        "scheduled_at": "2026-03-29T12:00:00+02:00",
        "date": "2026-03-29",
        "previous_at": "2026-03-28T12:00:00+01:00",
        "fired_at": "2026-03-29T10:10:00.500000+00:00",
        "is_catch_up": True,
        "depth": 0,
    }


def test_the_first_fire_has_none_before_it() -> None:
    """By the schedule, whatever has really fired."""
    trigger = Scheduled(workflow="f", name="c", schedule=Schedule(at=(5, 90)))
    first, second = decide(trigger, 0, 90, []).fires[-1:], decide(trigger, 0, 5, []).fires
    assert schedule_facts(trigger, second[0], 5)["previous_at"] is None
    assert schedule_facts(trigger, first[0], 90)["previous_at"] == "1970-01-01T00:00:05+00:00"


def test_the_facts_of_other_fires_have_their_events() -> None:
    """One, or those of a batch; all have the same keys."""
    one = event_facts("event", "a", "flow", 0.0, event={"data": 1}, depth=2)
    assert (one["event"], one["events"], one["depth"]) == ({"data": 1}, None, 2)
    batch = event_facts("file", "a", "flow", 0.0, events=[{"path": "x"}])
    assert (batch["event"], batch["events"]) == (None, [{"path": "x"}])
    assert (batch["date"], batch["kind"]) == ("1970-01-01", "file")
    assert tuple(one) == tuple(batch) == TRIGGER_KEYS


def test_a_context_keeps_the_cause_of_its_run() -> None:
    """In each context that is made of it; by default a run was started by hand."""
    facts = event_facts("event", "a", "flow", 0.0)
    context = WorkflowContext(trigger=facts)
    for made in (
        context.with_result("x", 1),
        context.with_variables({"x": 1}),
        context.with_parameters(context.parameters),
        context.with_end({"status": "failed"}),
    ):
        assert made.trigger is context.trigger
    assert context.trigger == facts
    assert WorkflowContext().trigger == {**dict.fromkeys(TRIGGER_KEYS), "kind": "manual"}
