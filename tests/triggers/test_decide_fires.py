"""What becomes of a schedule's instants: overlap, catch-up, and clocks that jump. No clock here."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from oracle import seconds

from fanwise.model import Status
from fanwise.triggers.calendar import calendar_of
from fanwise.triggers.decide import (
    CatchUp,
    Cursor,
    Decision,
    FireStatus,
    Scheduled,
    cursor_of,
    decide,
    fire_key,
)
from fanwise.triggers.overlap import OpenRun, Overlap
from fanwise.triggers.schedules import Schedule

NOON = seconds("2026-11-29T12:00")
HOUR = 3600
DAY = 24 * HOUR
HOURLY = Schedule(cron=("0 * * * *",))
RUNNING = OpenRun("running", Status.RUNNING)
HELD = OpenRun("held", Status.PENDING, is_held=True)


def spec(
    overlap: str = "skip",
    catch_up: str = "last",
    schedule: Schedule = HOURLY,
    within_s: float = DAY,
) -> Scheduled:
    """A trigger with an hourly schedule."""
    return Scheduled(
        workflow="report",
        name="nightly",
        schedule=schedule,
        overlap=Overlap(overlap),
        catch_up=CatchUp(catch_up),
        within_s=within_s,
    )


def told(decision: Decision) -> list[str]:
    """The fires by hour: `12 ran`, `12 held`, or `5-11 missed 7`."""
    found = []
    for fire in decision.fires:
        hour = (fire.at - NOON) // HOUR + 12
        first = (fire.first - NOON) // HOUR + 12
        hours = f"{first}-{hour}" if fire.n > 1 else str(hour)
        many = f" {fire.n}" if fire.n > 1 else ""
        found.append(f"{hours} {'held' if fire.is_held else fire.status}{many}")
    return found


ON_TIME = [
    ("skip", [], ["12 ran"], [], []),
    ("skip", [RUNNING], ["12 skipped"], [], []),
    ("skip", [HELD], ["12 skipped"], [], []),
    ("queue", [], ["12 ran"], [], []),
    ("queue", [RUNNING], ["12 held"], [], []),
    ("queue", [RUNNING, HELD], ["12 held"], ["held"], []),
    ("queue", [HELD], ["12 ran"], ["held"], []),
    ("queue-all", [], ["12 ran"], [], []),
    ("queue-all", [RUNNING, HELD], ["12 held"], [], []),
    ("cancel", [], ["12 ran"], [], []),
    ("cancel", [RUNNING], ["12 held"], [], ["running"]),
    ("cancel", [RUNNING, HELD], ["12 held"], ["held"], ["running"]),
    ("allow", [RUNNING, HELD], ["12 ran"], [], []),
]


@pytest.mark.parametrize(("overlap", "open_runs", "fires", "replaces", "cancels"), ON_TIME)
def test_an_instant_on_time_does_what_its_overlap_says(
    overlap: str,
    open_runs: Sequence[OpenRun],
    fires: list[str],
    replaces: list[str],
    cancels: list[str],
) -> None:
    """While a run of the same trigger is open, or none is."""
    decision = decide(spec(overlap), NOON - 1, NOON + 1, open_runs)
    assert told(decision) == fires
    assert list(decision.replaces) == replaces
    assert list(decision.cancels) == cancels
    assert decision.cursor == NOON
    assert decision.next_at == NOON + HOUR


SLEPT = [
    ("last", "skip", ["4-10 missed 7", "11 ran"]),
    ("last", "queue", ["4-10 missed 7", "11 ran"]),
    ("last", "queue-all", ["4-10 missed 7", "11 ran"]),
    ("last", "cancel", ["4-10 missed 7", "11 ran"]),
    ("last", "allow", ["4-10 missed 7", "11 ran"]),
    ("skip", "skip", ["4-11 missed 8"]),
    ("skip", "queue", ["4-11 missed 8"]),
    ("skip", "queue-all", ["4-11 missed 8"]),
    ("skip", "cancel", ["4-11 missed 8"]),
    ("skip", "allow", ["4-11 missed 8"]),
    ("all", "skip", ["4 ran", *(f"{hour} skipped" for hour in range(5, 12))]),
    ("all", "queue", ["4 ran", *(f"{hour} replaced" for hour in range(5, 11)), "11 held"]),
    ("all", "queue-all", ["4 ran", *(f"{hour} held" for hour in range(5, 12))]),
    ("all", "cancel", [*(f"{hour} replaced" for hour in range(4, 11)), "11 ran"]),
    ("all", "allow", [f"{hour} ran" for hour in range(4, 12)]),
]


@pytest.mark.parametrize(("catch_up", "overlap", "fires"), SLEPT)
def test_a_laptop_that_slept_for_eight_hours_catches_up(
    catch_up: str, overlap: str, fires: list[str]
) -> None:
    """From half past three to half past eleven, by each catch-up and each overlap."""
    decision = decide(spec(overlap, catch_up), NOON - 8.5 * HOUR, NOON - HOUR / 2, [])
    assert told(decision) == fires
    assert all(fire.is_catch_up for fire in decision.fires if fire.status is not FireStatus.MISSED)
    assert decision.cursor == NOON - HOUR


@pytest.mark.parametrize(
    ("catch_up", "fires"),
    [
        ("last", ["4-11 missed 8", "12 ran"]),
        ("skip", ["4-11 missed 8", "12 ran"]),
        ("all", [*(f"{hour} ran" for hour in range(4, 13))]),
    ],
)
def test_an_instant_on_time_stands_for_the_missed(catch_up: str, fires: list[str]) -> None:
    """A laptop that wakes up at the full hour starts one run, if it doesn't catch up all."""
    decision = decide(spec("allow", catch_up), NOON - 8.5 * HOUR, NOON + 5, [])
    assert told(decision) == fires
    assert not decision.fires[-1].is_catch_up


@pytest.mark.parametrize(
    ("late_s", "is_catch_up"), [(0, False), (60, False), (61, True), (3599, True)]
)
def test_a_minute_late_is_on_time(late_s: int, is_catch_up: bool) -> None:
    """Beyond it an instant was missed."""
    (fire,) = decide(spec(), NOON - 1, NOON + late_s, []).fires
    assert fire.is_catch_up is is_catch_up


def test_what_is_older_than_within_has_been_missed() -> None:
    """Also the newest one; within counts from the nominal time to the decision."""
    slept = (NOON - 8.5 * HOUR, NOON - HOUR / 2)
    assert told(decide(spec("allow", "last", within_s=HOUR / 2), *slept, [])) == [
        "4-10 missed 7",
        "11 ran",
    ]
    assert told(decide(spec("allow", "last", within_s=HOUR / 2 - 1), *slept, [])) == [
        "4-11 missed 8"
    ]
    assert told(decide(spec("allow", "all", within_s=2 * HOUR), *slept, [])) == [
        "4-9 missed 6",
        "10 ran",
        "11 ran",
    ]


def test_of_101_missed_the_oldest_is_a_row_that_says_so() -> None:
    """The newest hundred are caught up; one that was dropped is counted."""
    late = decide(spec("allow", "all", within_s=30 * DAY), NOON - 101 * HOUR - 5, NOON - 100, [])
    missed, *ran = late.fires
    assert (missed.status, missed.n, missed.at) == (FireStatus.MISSED, 1, NOON - 101 * HOUR)
    assert [fire.at for fire in ran] == [NOON - n * HOUR for n in range(100, 0, -1)]
    assert "too many" in missed.reason


def test_a_clock_that_went_back_fires_nothing_again() -> None:
    """Nothing until it has passed the cursor."""
    decision = decide(spec(), NOON, NOON - HOUR, [])
    assert (decision.fires, decision.cursor) == ((), NOON)
    assert decision.next_at == NOON + HOUR
    assert told(decide(spec(), NOON, NOON + HOUR, [])) == ["13 ran"]


@pytest.mark.parametrize("every_s", [1, 60])
def test_a_clock_that_went_a_year_forward_catches_up_as_always(every_s: int) -> None:
    """All of the year is counted, and nothing is started for each second of it."""
    schedule = Schedule(every_s=every_s)
    ahead = NOON + 365 * DAY
    decision = decide(spec("allow", "all", schedule), NOON, ahead, [])
    on_time = 60 // every_s + 1
    missed, *ran = decision.fires
    assert missed.n == 365 * DAY // every_s - 100 - on_time
    assert missed.first == NOON + every_s
    assert len(ran) == 100 + on_time
    assert decision.cursor == ahead


def test_an_edited_schedule_counts_from_now() -> None:
    """So do a new trigger and one that is known by another fingerprint; no other."""
    known = Cursor(NOON, spec().fingerprint)
    assert cursor_of(spec(), known, NOON + DAY) == known
    assert cursor_of(spec(), None, NOON + DAY).at == NOON + DAY
    for edited in (
        spec(schedule=replace(HOURLY, cron=("30 * * * *",))),
        spec(schedule=replace(HOURLY, timezone="Europe/Berlin")),
        spec(catch_up="all"),
        spec("allow"),
    ):
        late = cursor_of(edited, known, NOON + DAY)
        assert late.at == NOON + DAY
        assert decide(edited, late.at, NOON + DAY, []).fires == ()


def test_a_skipped_fire_says_by_which_run() -> None:
    """And what that run waits for."""
    paused = OpenRun("report-7", Status.PAUSED)
    (fire,) = decide(spec(), NOON - 1, NOON, [paused]).fires
    assert fire.reason == "run report-7 is paused"


def test_a_full_queue_refuses() -> None:
    """With how many wait."""
    decision = decide(spec("queue-all", "all"), NOON - 8.5 * HOUR, NOON - 100, [HELD], most_held=3)
    assert told(decision) == ["4 held", "5 held", *(f"{hour} refused" for hour in range(6, 12))]
    assert decision.fires[-1].reason == "3 runs of the trigger wait already"


def test_jitter_puts_a_fire_off() -> None:
    """It isn't due before, it is no lateness, and nothing overtakes it."""
    jittery = spec(schedule=Schedule(cron=("0 * * * *",), jitter_s=1800))
    before = decide(jittery, NOON - 1, NOON - 1, [])
    assert before.next_at is not None
    assert NOON < before.next_at < NOON + 1800
    assert decide(jittery, NOON - 1, before.next_at - 0.001, []).fires == ()
    (fire,) = decide(jittery, NOON - 1, before.next_at + 60, []).fires
    assert (fire.at, fire.is_catch_up) == (NOON, False)


def test_the_form_of_a_fingerprint_never_changes() -> None:
    """Another one would lose what was missed while fanwise was upgraded."""
    settings = Scheduled(workflow="report", name="nightly", schedule=HOURLY)
    assert settings.fingerprint == spec().fingerprint == "f5061e0a7c79ee6f"


def test_the_form_of_a_key_never_changes() -> None:
    """Keys are recorded, and another form would fire all of them again."""
    assert fire_key(NOON) == "schedule:2026-11-29T12:00:00Z"
    (missed,) = decide(spec(catch_up="skip"), NOON - 1, NOON + 90, []).fires
    assert missed.key == "missed:2026-11-29T12:00:00Z"


def test_a_schedule_that_is_over_has_no_next_time() -> None:
    """Its last instant still fires."""
    decision = decide(spec(schedule=Schedule(at=(NOON,))), 0, NOON, [])
    assert told(decision) == ["12 ran"]
    assert decision.next_at is None


@given(
    st.sampled_from(Overlap),
    st.sampled_from(CatchUp),
    st.sampled_from([0, 900]),
    st.lists(st.integers(0, 9_000), min_size=1, max_size=12),
    st.lists(st.sampled_from([RUNNING, HELD]), max_size=3, unique=True),
)
def test_each_instant_is_decided_once_whenever_one_looks(
    overlap: Overlap, catch_up: CatchUp, jitter_s: int, steps: list[int], open_runs: list[OpenRun]
) -> None:
    """Fires and missed ones are all of the instants, in order, with no key twice."""
    schedule = Schedule(cron=("*/7 * * * *",), jitter_s=jitter_s)
    trigger = spec(overlap, catch_up, schedule)
    cursor, now, keys, count = float(NOON), float(NOON), [], 0
    for step in steps:
        now += step
        decision = decide(trigger, cursor, now, open_runs)
        assert decision == decide(trigger, cursor, now, open_runs)
        assert cursor <= decision.cursor <= now
        assert decision.next_at is not None
        assert decision.next_at > now
        cursor = decision.cursor
        keys += [fire.key for fire in decision.fires]
        count += sum(fire.n for fire in decision.fires)
        assert sum(fire.status is FireStatus.RAN for fire in decision.fires) <= 101
    assert len(keys) == len(set(keys))
    assert count == sum(map(len, calendar_of(schedule).windows(NOON, cursor)))


@given(st.sampled_from(Overlap), st.integers(1, 30), st.booleans(), st.booleans())
def test_no_overlap_but_allow_starts_a_run_beside_an_open_one(
    overlap: Overlap, hours: int, is_running: bool, is_held: bool
) -> None:
    """Whatever was missed, and whoever is open: one run at most is there and isn't held."""
    open_runs = [*([RUNNING] if is_running else []), *([HELD] if is_held else [])]
    decision = decide(spec(overlap, "all", within_s=9 * DAY), NOON - hours * HOUR, NOON, open_runs)
    ran = [fire for fire in decision.fires if fire.status is FireStatus.RAN]
    started = sum(not fire.is_held for fire in ran)
    if overlap is Overlap.ALLOW:
        assert started == hours
    else:
        assert started + is_running <= 1
    if overlap in (Overlap.QUEUE, Overlap.CANCEL):
        held = sum(fire.is_held for fire in ran) + is_held - len(decision.replaces)
        assert held <= 1
