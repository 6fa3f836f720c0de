"""Token buckets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanwise.server.buckets import Buckets, Rate

RATE = Rate("tests", per_s=2.0, burst=3)


@given(st.lists(st.floats(0.0, 5.0), max_size=200))
def test_no_more_passes_than_the_rate_allows(pauses: list[float]) -> None:
    """In any span: the burst at once, and the rate from then on."""
    buckets, now, passed = Buckets(), 0.0, []
    for pause in pauses:
        now += pause
        if not buckets.take(RATE, "ada", now):
            passed.append(now)
    for start, first in enumerate(passed):
        for count, last in enumerate(passed[start:], 1):
            assert count <= RATE.burst + (last - first) * RATE.per_s + 1e-6


def test_it_says_when_there_is_room_again() -> None:
    """And then there is; others are bounded by themselves."""
    buckets = Buckets()
    for _ in range(3):
        assert buckets.take(RATE, "ada", 0.0) == 0.0
    wait_s = buckets.take(RATE, "ada", 0.0)
    assert wait_s == 0.5
    assert buckets.take(RATE, "bob", 0.0) == 0.0
    assert buckets.take(RATE, "ada", wait_s) == 0.0


def test_the_table_stays_bounded() -> None:
    """However many addresses ask."""
    buckets = Buckets(most=10)
    for number in range(1_000):
        buckets.take(RATE, f"10.0.0.{number}", 0.0)
    assert len(buckets) == 10
