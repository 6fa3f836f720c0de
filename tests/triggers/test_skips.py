"""A trigger that is skipped over and over is told, with how often, since when and by which run."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from fanwise.model import FireRecord, FireStatus, TriggerState
from fanwise.triggers.skips import LEAST_SKIPS, WHEN_FAILS, latest_skips, with_skips

STATUSES = st.sampled_from([FireStatus.SKIPPED, FireStatus.RAN, FireStatus.MISSED])


def fire(
    number: int, status: FireStatus, reason: str = "run a is paused", n: int = 1
) -> FireRecord:
    return FireRecord(
        number, f"k{number}", 60.0 * number, 60.0 * number, n, status, reason, None, 0
    )


@given(st.lists(st.tuples(STATUSES, st.integers(1, 3)), max_size=20))
def test_the_skips_since_the_last_other_fire_count(told: Sequence[tuple[FireStatus, int]]) -> None:
    """Each as often as it stands for; three of them are enough."""
    fires = [fire(number, status, n=n) for number, (status, n) in enumerate(told)]
    last = max(
        (each.fire_no for each in fires if each.status is not FireStatus.SKIPPED), default=-1
    )
    skipped = [each for each in fires if each.fire_no > last]
    found = latest_skips(fires[::-1])
    times = sum(each.n for each in skipped)
    assert (found is not None) == (times >= LEAST_SKIPS)
    if found is not None:
        assert (found.times, found.since) == (times, skipped[0].first)


def test_a_condition_that_does_not_hold_is_no_trouble() -> None:
    """It skips what it ought to."""
    assert (
        latest_skips([fire(number, FireStatus.SKIPPED, WHEN_FAILS) for number in range(9)]) is None
    )


def test_only_a_trigger_that_was_skipped_last_is_looked_at() -> None:
    """What is wrong with its folder is told before, and a pause is wanted."""

    def fires(workflow: str, name: str, *, most: int) -> Sequence[FireRecord]:
        assert (workflow, name) == ("report", "each")
        return [fire(number, FireStatus.SKIPPED) for number in range(most)][::-1]

    stuck = TriggerState("report", "each", last_status=FireStatus.SKIPPED)
    assert with_skips(stuck, fires).trouble == (
        "It was skipped at least 1,000 times in a row since 1970-01-01T00:00:00Z: run a is paused."
    )
    ran = TriggerState("report", "each", last_status=FireStatus.RAN)
    paused = TriggerState("report", "each", last_status=FireStatus.SKIPPED, paused_at=1.0)
    broken = TriggerState("report", "each", last_status=FireStatus.SKIPPED, trouble="gone")
    assert [with_skips(each, fires).trouble for each in (ran, paused, broken)] == ["", "", "gone"]
