"""The instants of schedules, held against a clock that is looked at minute by minute."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from oracle import fires, seconds

from fanwise.definition.problems import BadValueError
from fanwise.triggers.calendar import Calendar, calendar_of
from fanwise.triggers.cron import cron
from fanwise.triggers.schedules import Schedule

WINDOWS = {
    "Europe/Berlin": ("2026-03-27T12:00", "2026-10-23T12:00"),
    "America/New_York": ("2026-03-06T12:00", "2026-10-30T12:00"),
    "America/Santiago": ("2026-09-04T12:00", "2026-04-03T12:00"),  # at midnight
    "Asia/Beirut": ("2026-03-27T12:00", "2026-10-23T12:00"),  # at midnight
    "Australia/Lord_Howe": ("2026-10-02T12:00", "2026-04-03T12:00"),  # by half an hour
    "Antarctica/Troll": ("2026-03-27T12:00", "2026-10-23T12:00"),  # by two hours
    "Pacific/Apia": ("2011-12-28T12:00", "2012-03-30T12:00"),  # without 30 December
    "America/St_Johns": ("2006-03-31T12:00", "2006-10-27T12:00"),  # from 00:01 to 23:01
    "Africa/Casablanca": ("2026-02-13T12:00", "2026-03-20T12:00"),  # for Ramadan
    "Asia/Kolkata": ("2026-01-01T12:00",),  # never
}
EXPRESSIONS = (
    "30 2 * * *",
    "0 2 * * *",
    "15,45 2 * * *",
    "30 */2 * * *",
    "*/15 2 * * *",
    "0 * * * *",
    "*/30 * * * *",
    "0 1-4 * * *",
    "0 0 * * *",
    "45 23 * * *",
    "*/20 23,0 * * *",
    "5 0,1,2 * * 0",
    "0 12 30 * *",
)
DAYS = 5 * 43_200


def listed(calendar: Calendar, after: int, until: int) -> list[int]:
    """All instants after one and up to another one, asked for one by one."""
    found: list[int] = []
    at: int | None = after
    while (at := calendar.next_after(at)) is not None and at <= until:
        found.append(at)
    return found


@pytest.mark.parametrize("zone", WINDOWS)
def test_a_schedule_fires_as_its_zones_clock_shows(zone: str) -> None:
    """The minute by minute oracle agrees, on each day that the clock is put forward or back."""
    for start in map(seconds, WINDOWS[zone]):
        for expression in EXPRESSIONS:
            calendar = calendar_of(Schedule(cron=(expression,), timezone=zone))
            expected = fires(expression, zone, start, start + DAYS)
            assert listed(calendar, start, start + DAYS) == expected, expression


numbers = st.integers
minutes = st.one_of(
    st.sampled_from(["*", "*/7", "*/15", "0", "30", "0,59", "10-12"]), numbers(0, 59).map(str)
)
hours = st.one_of(
    st.sampled_from(["*", "*/2", "*/3", "0", "0-3", "2", "1,23"]), numbers(0, 23).map(str)
)
days = st.sampled_from(["*", "*", "*/2", "1", "L", "LW", "29", "24-31", "5,30"])
weekdays = st.sampled_from(["*", "*", "0", "1-5", "SUN", "7", "6#1", "0L"])
expressions = st.builds(
    lambda *fields: " ".join(fields), minutes, hours, days, st.just("*"), weekdays
)
windows = st.sampled_from([(zone, start) for zone in WINDOWS for start in WINDOWS[zone]])


@given(expressions, windows, numbers(0, 2_880))
@settings(max_examples=40, deadline=None)
def test_any_expression_fires_as_its_zones_clock_shows(
    expression: str, window: tuple[str, str], shift: int
) -> None:
    """Also for expressions that nobody thought of, asked from any minute."""
    zone, start = window
    after = seconds(start) + shift * 60
    calendar = Calendar(Schedule(cron=(expression,), timezone=zone))
    expected = fires(expression, zone, after, after + 90_000)
    assert listed(calendar, after, after + 90_000) == expected


schedules = st.one_of(
    st.builds(
        lambda some, zone: Schedule(cron=tuple(some), timezone=zone),
        st.lists(expressions, min_size=1, max_size=3),
        st.sampled_from(list(WINDOWS)),
    ),
    st.builds(
        lambda every_s, offset_s, zone: Schedule(
            every_s=every_s, offset_s=offset_s, timezone=zone, except_dates=("2026-03-29",)
        ),
        numbers(60, 200_000),
        numbers(0, 10_000),
        st.sampled_from(list(WINDOWS)),
    ),
    st.builds(
        lambda at: Schedule(at=tuple(sorted(at))),
        st.sets(numbers(seconds("2026-03-20"), seconds("2026-04-10")), min_size=1, max_size=9),
    ),
)
moments = numbers(seconds("2026-03-20"), seconds("2026-04-10"))


@given(schedules, moments, st.lists(moments, max_size=4))
@settings(max_examples=100, deadline=None)
def test_windows_beside_each_other_hold_each_instant_once(
    schedule: Schedule, start: int, cuts: list[int]
) -> None:
    """Cut anywhere, the parts are the whole; next is after, and last is before."""
    calendar = Calendar(schedule)
    bounds = sorted([start, *cuts, start + 5 * 86_400])
    parts = [
        at
        for low, high in pairwise(bounds)
        for window in calendar.windows(low, high)
        for at in window
    ]
    whole = [at for window in calendar.windows(bounds[0], bounds[-1]) for at in window]
    assert parts == whole
    assert whole == sorted(set(whole))
    for earlier, later in list(pairwise([bounds[0], *whole]))[:50]:
        assert calendar.next_after(earlier) == later > earlier
    for earlier, later in list(pairwise(whole))[:50]:
        assert calendar.last_before(later) == earlier


def first(schedule: Schedule, after: str, count: int = 3) -> list[str]:
    """The first local times after one, without their zone."""
    calendar = Calendar(schedule)
    at: int | None = seconds(after)
    found = []
    while len(found) < count and (at := calendar.next_after(at)) is not None:
        found.append(datetime.fromtimestamp(at, ZoneInfo(schedule.timezone)).strftime("%F %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 0 L * *", "2026-01-31T00:00", ["2026-02-28 00:00", "2026-03-31 00:00"]),
        ("0 0 LW * *", "2026-01-31T00:00", ["2026-02-27 00:00", "2026-03-31 00:00"]),
        ("0 0 * * MON#1", "2026-01-31T00:00", ["2026-02-02 00:00", "2026-03-02 00:00"]),
        ("0 0 * * 5L", "2026-01-31T00:00", ["2026-02-27 00:00", "2026-03-27 00:00"]),
        ("0 0 13 * 5", "2026-02-01T00:00", ["2026-02-06 00:00", "2026-02-13 00:00"]),
        ("0 0 */2 * 1", "2026-02-01T00:00", ["2026-02-09 00:00", "2026-02-23 00:00"]),
        ("0 0 29 2 *", "2026-02-01T00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("@weekly", "2026-02-02T00:00", ["2026-02-08 00:00", "2026-02-15 00:00"]),
        ("0 0 * JAN SUN", "2026-12-31T00:00", ["2027-01-03 00:00", "2027-01-10 00:00"]),
        ("0 0 * * 7", "2026-02-02T00:00", ["2026-02-08 00:00", "2026-02-15 00:00"]),
    ],
)
def test_days_are_those_of_debians_cron(expression: str, after: str, expected: list[str]) -> None:
    """L, LW, #, names, leap days, and a day of month beside a weekday."""
    assert first(Schedule(cron=(expression,)), after, 2) == expected


def test_a_list_of_expressions_is_their_union() -> None:
    """A time that two of them name comes once."""
    schedule = Schedule(cron=("0 9 * * *", "0 9,18 * * 1-5"))
    assert first(schedule, "2026-02-05T10:00", 4) == [
        "2026-02-05 18:00",
        "2026-02-06 09:00",
        "2026-02-06 18:00",
        "2026-02-07 09:00",
    ]


def test_every_ticks_at_the_same_instants_wherever_it_starts() -> None:
    """Ticks are aligned to 1970, plus an offset, and not to a start."""
    schedule = Schedule(every_s=420, offset_s=60)
    assert first(schedule, "2026-02-05T10:02") == first(schedule, "2026-02-05T10:00")
    assert {at % 420 for at in listed(Calendar(schedule), 0, 9_999)} == {60}


def test_at_fires_once_at_each_instant() -> None:
    """After the last one nothing comes."""
    schedule = Schedule(at=(seconds("2026-02-05T10:00"), seconds("2026-03-05T10:00")))
    assert first(schedule, "2026-01-01") == ["2026-02-05 10:00", "2026-03-05 10:00"]
    far = Schedule(at=(seconds("2026-02-05T10:00"), seconds("2199-03-05T10:00")))
    assert first(far, "2026-02-06") == ["2199-03-05 10:00"]
    assert Calendar(far).last_before(seconds("2199-01-01")) == far.at[0]
    assert first(replace(far, until=far.at[1]), "2026-02-06") == []


def test_from_is_the_first_instant_and_until_the_first_that_is_none() -> None:
    """`from` is inclusive, `until` exclusive."""
    schedule = Schedule(
        cron=("0 9 * * *",), start=seconds("2026-02-05T09:00"), until=seconds("2026-02-07T09:00")
    )
    assert first(schedule, "2026-01-01") == ["2026-02-05 09:00", "2026-02-06 09:00"]
    assert Calendar(schedule).last_before(seconds("2026-02-05T09:00")) is None
    far = Schedule(cron=("0 9 * * *",), start=seconds("2199-02-05T09:00"))
    assert first(far, "2026-01-01", 1) == ["2199-02-05 09:00"]


def test_no_instant_lies_on_an_excepted_day() -> None:
    """Dates are local ones, of each kind of schedule; expressions name whole days."""
    zone = "Europe/Berlin"
    schedule = Schedule(
        cron=("0 0,23 * * *",),
        timezone=zone,
        except_dates=("2026-03-29",),
        except_days=("* * * * MON",),
    )
    expected = ["2026-03-28 00:00", "2026-03-28 23:00", "2026-03-31 00:00"]
    assert first(schedule, "2026-03-27T22:30") == expected
    every = Schedule(every_s=43_200, timezone=zone, except_dates=("2026-03-29",))
    assert first(every, "2026-03-28T11:00") == [
        "2026-03-28 13:00",
        "2026-03-30 02:00",
        "2026-03-30 14:00",
    ]
    at = Schedule(at=(seconds("2026-03-28T22:59"), seconds("2026-03-28T23:00")), timezone=zone)
    at = replace(at, except_dates=("2026-03-29",))
    assert first(at, "2026-01-01") == ["2026-03-28 23:59"]


@given(numbers(1, 10_000), moments, st.text(max_size=5))
def test_jitter_is_the_same_for_one_trigger_and_keeps_the_order(
    jitter_s: int, after: int, seed: str
) -> None:
    """It is drawn from the trigger and the instant, below the gap to the next one."""
    calendar = Calendar(Schedule(cron=("*/10 * * * *",), jitter_s=jitter_s))
    nominal = calendar.next_after(after)
    assert nominal is not None
    fired = calendar.fire_time(seed, nominal)
    assert nominal <= fired < nominal + min(jitter_s, 600)
    again = Calendar(Schedule(cron=("*/10 * * * *",), jitter_s=jitter_s))
    assert again.fire_time(seed, nominal) == fired


def test_jitter_spreads_the_triggers() -> None:
    """Different triggers have different ones."""
    calendar = Calendar(Schedule(every_s=3600, jitter_s=300))
    assert len({calendar.fire_time(f"trigger {n}", 3600) for n in range(100)}) == 100
    assert Calendar(Schedule(every_s=3600)).fire_time("a", 3600) == 3600


def test_the_form_of_jitter_never_changes() -> None:
    """Servers of two versions have to agree on it."""
    calendar = Calendar(Schedule(every_s=3600, jitter_s=300))
    assert calendar.fire_time("report/nightly", 3600) == pytest.approx(3639.522960, abs=1e-6)


def test_a_schedule_that_never_fires_says_so() -> None:
    """By nothing, also for a day that its own bounds rule out."""
    schedule = Schedule(cron=("0 0 1 1 *",), except_days=("* * 1 * *",))
    assert Calendar(schedule).next_after(0) is None
    assert Calendar(schedule).last_before(seconds("2026-01-01")) is None


def test_the_shortest_gap_is_that_of_the_instants_to_come() -> None:
    """None where there is one instant alone."""
    assert Calendar(Schedule(cron=("0,50 * * * *",))).shortest_gap(0, 400) == 600
    assert Calendar(Schedule(at=(5,))).shortest_gap(0, 400) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 2 * *", 'it has 4 fields and takes five: "0 2 * *" Did you mean "0 2 * * *"?'),
        ("0 0 2 * * *", "Seconds have no field: use every"),
        ("@reboot", "it takes @hourly, @daily, @weekly, @monthly, @yearly"),
        ("@dayly", 'Did you mean "@daily"?'),
        ("60 * * * *", 'its minute can\'t be "60": "60 * * * *" Minutes go from 0 to 59'),
        ("0 24 * * *", "Hours go from 0 to 23; 0 is midnight."),
        ("0 0 * * 8", "Weekdays go from 0 (Sunday) to 6 (Saturday)"),
        ("0 0 * * MONDAY", 'Did you mean "MON"?'),
        ("0 0 * SEPT *", 'Did you mean "SEP"?'),
        ("0 2 * * MNO", 'Did you mean "MON"?'),
        ("0 0 ? * *", 'Write "*" for any.'),
        ("0 22-6 * * *", 'Did you mean "22-23,0-6"?'),
        ("0 0 30 2 *", "it never fires"),
        ("", "it has 0 fields and takes five"),
        ("x 0 * * *", 'its minute can\'t be "X"'),
    ],
)
def test_a_wrong_expression_is_told_with_what_was_meant(text: str, said: str) -> None:
    """In one line."""
    with pytest.raises(BadValueError) as caught:
        cron(text)
    told = f"{caught.value} {caught.value.hint}"
    assert said in told
    assert "\n" not in told


@given(st.text(alphabet="0123456789*/-,#LW? MONJAN@", max_size=20))
def test_any_text_is_an_expression_or_told_to_be_none(text: str) -> None:
    """No other error comes out, whatever is written."""
    try:
        found = cron(text)
    except BadValueError:
        return
    assert found.minutes
    assert isinstance(found.matches_day(date(2026, 1, 1)), bool)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Berln", 'Did you mean "Europe/Berlin"?'),
        ("Berlin", 'Did you mean "Europe/Berlin"?'),
        ("europe/berlin", 'Did you mean "Europe/Berlin"?'),
        ("America/New York", 'Did you mean "America/New_York"?'),
        ("+01:00", "A fixed offset would hide daylight saving."),
        ("UTC+1", "A fixed offset would hide daylight saving."),
        ("localtime", "takes the IANA name of a time zone"),
        ("../../etc/passwd", "takes the IANA name of a time zone"),
        ("", "takes the IANA name of a time zone"),
    ],
)
def test_a_wrong_zone_is_told_with_what_was_meant(zone: str, said: str) -> None:
    """In one line; the machine's own zone is never used."""
    with pytest.raises(BadValueError) as caught:
        Calendar(Schedule(every_s=60, timezone=zone))
    assert said in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*/7 * * * *", '"*/7" doesn\'t mean every 7 minutes: it starts again with each hour.'),
        ("0 */5 * * *", '"*/5" doesn\'t mean every 5 hours: it starts again with each day.'),
        ("0 0 13 * 5", "fires when the day of month or the weekday fits, not both"),
        ("0 0 */2 * 5", "fires when both the day of month and the weekday fit"),
        ("*/15 */6 * * 1-5", None),
    ],
)
def test_an_expression_that_may_mean_something_else_is_warned_of(
    text: str, said: str | None
) -> None:
    """Steps that don't fit their field, and a day beside a weekday."""
    found = [message for message, _ in cron(text).warnings()]
    assert [said in message for message in found] == [True] * len(found) if said else not found
    assert len(found) == (said is not None)
