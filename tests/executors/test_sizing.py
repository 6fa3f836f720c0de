"""The sizes of chunks follow the durations of attempts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanwise.executors.sizing import MOST_ITEMS, ChunkSize

TARGET_S, LEAST_S = 0.030, 0.003


def chunk_size(workers: int, slots: int | None = None, rest: int | None = None) -> ChunkSize:
    """The sizes for workers with a slot each, or with so many together."""
    return ChunkSize(workers, slots or workers, target_s=TARGET_S, least_s=LEAST_S, rest=rest)


def test_a_chunk_begins_with_one_attempt_and_grows_until_it_takes_its_time() -> None:
    """Attempts of 2 ms fit 15 times."""
    size = chunk_size(2)
    sizes = []
    for _ in range(5):
        sizes.append(size.of(None, 1))
        size.ended(sizes[-1], 0.002 * sizes[-1])
    assert sizes == [1, 8, 15, 15, 15]


def test_a_chunk_of_a_long_rest_begins_with_more() -> None:
    """With a fiftieth of each worker's share, and it may be no more than a few hundred."""
    rests = (None, 0, 99, 100, 2_000, 10**6)
    sizes = [chunk_size(2, rest=rest).of(None, 1) for rest in rests]
    assert sizes == [1, 1, 1, 1, 20, 200]


def test_a_worker_with_many_slots_gets_as_much_for_each_and_half_of_its_share_at_most() -> None:
    """Where attempts wait, hundreds of them run in a worker at once."""
    size = chunk_size(2, slots=200, rest=20_000)
    assert [size.of(rest, 100) for rest in (None, 20_000, 100)] == [200, 200, 25]
    assert chunk_size(2, slots=200, rest=100).of(100, 100) == 25


def test_of_a_known_rest_a_worker_gets_half_of_its_share() -> None:
    """So that no worker has much to do when the others have nothing."""
    size = chunk_size(2)
    for _ in range(12):
        size.ended(15, 0.002 * 15)
    assert [size.of(rest, 1) for rest in (None, 10_000, 40, 7, 0)] == [15, 15, 10, 1, 1]


def test_a_rest_of_a_few_milliseconds_is_not_divided() -> None:
    """The ways to workers and back would take longer than the attempts."""
    size = chunk_size(2)
    for _ in range(12):
        size.ended(MOST_ITEMS, 10e-6 * MOST_ITEMS)
    assert [size.of(rest, 1) for rest in (None, 10_000, 400, 7, 0)] == [2_999, 2_500, 300, 300, 300]


def test_slow_attempts_come_in_small_chunks_at_once() -> None:
    """Also after many fast ones; and a chunk that was far too slow is followed by one attempt."""
    size = chunk_size(2)
    for _ in range(12):
        size.ended(MOST_ITEMS, 0.0)
    size.ended(1, 1.0)
    assert size.of(None, 1) == 1
    size.was_slow()
    size.ended(1, 0.001)
    assert size.of(None, 1) == 8


@given(
    st.lists(st.tuples(st.integers(1, 1_000), st.floats(0, 100))),
    st.none() | st.integers(0, 10**7),
    st.integers(1, 64),
)
def test_a_chunk_has_one_attempt_at_least_and_some_thousands_at_most(ended, rest, workers) -> None:
    """Whatever the durations."""
    size = chunk_size(workers)
    was = 1
    for attempts, seconds in ended:
        size.ended(attempts, seconds * attempts)
        assert 1 <= size.of(rest, 1) <= MOST_ITEMS
        assert size.of(None, 1) <= 8 * was
        was = size.of(None, 1)
