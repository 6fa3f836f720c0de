"""The waits between attempts."""

import math

from hypothesis import given
from hypothesis import strategies as st

from fanwise.conductor.retry import RetryPolicy


def test_an_exponential_delay_doubles_with_each_attempt() -> None:
    """`delay * 2^(n-1)` seconds after attempt n."""
    policy = RetryPolicy(count=4, delay_s=1.5)
    assert [policy.wait_s(attempt, 0.0) for attempt in (1, 2, 3, 4)] == [1.5, 3.0, 6.0, 12.0]


def test_a_linear_delay_grows_by_itself_and_a_constant_one_stays() -> None:
    """The other two ways to back off."""
    linear = RetryPolicy(count=3, delay_s=2.0, backoff="linear")
    constant = RetryPolicy(count=3, delay_s=2.0, backoff="constant")
    assert [linear.wait_s(attempt, 0.0) for attempt in (1, 2, 3)] == [2.0, 4.0, 6.0]
    assert [constant.wait_s(attempt, 0.0) for attempt in (1, 2, 3)] == [2.0, 2.0, 2.0]


@given(
    attempt=st.integers(1, 10**9),
    fraction=st.floats(0, 1),
    delay_s=st.floats(0, 1e6),
    max_delay_s=st.floats(0, 1e6),
)
def test_a_jittered_wait_is_between_half_and_all_of_the_capped_delay(
    attempt: int, fraction: float, delay_s: float, max_delay_s: float
) -> None:
    """However often an item was tried, the wait is finite and within its bounds."""
    capped = RetryPolicy(count=1, delay_s=delay_s, max_delay_s=max_delay_s)
    full = capped.wait_s(attempt, fraction)
    jittered = RetryPolicy(count=1, delay_s=delay_s, max_delay_s=max_delay_s, jitter=True).wait_s(
        attempt, fraction
    )
    assert 0 <= full <= max_delay_s
    assert math.isfinite(full)
    assert full / 2 <= jittered <= full


@given(
    count=st.integers(0, 10),
    within_s=st.floats(0, 1e6),
    attempt=st.integers(1, 20),
    passed_s=st.floats(0, 2e6),
)
def test_no_try_begins_beyond_the_count_or_the_time(
    count: int, within_s: float, attempt: int, passed_s: float
) -> None:
    """Each bound holds by itself, and a policy without `within_s` counts only."""
    bounded = RetryPolicy(count=count, within_s=within_s)
    assert bounded.allows(attempt, passed_s) == (attempt <= count and passed_s <= within_s)
    assert RetryPolicy(count=count).allows(attempt, passed_s) == (attempt <= count)
