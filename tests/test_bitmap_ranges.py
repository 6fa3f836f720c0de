"""Ranges of a bitmap: the same numbers, however they come in."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.bitmap import Bitmap

_RANGES = st.lists(st.tuples(st.integers(0, 100), st.integers(-1, 40)))


@given(_RANGES)
@settings(deadline=None)
def test_a_range_puts_in_each_of_its_numbers(ranges: list[tuple[int, int]]) -> None:
    """Whole bytes and single bits, next to and over each other; an empty range does nothing."""
    bitmap, numbers = Bitmap(), set[int]()
    for first, length in ranges:
        bitmap.add_range(first, first + length - 1)
        numbers.update(range(first, first + length))
    assert len(bitmap) == len(numbers)
    assert bitmap == Bitmap(numbers)


@given(_RANGES, st.integers(0, 150))
@settings(deadline=None)
def test_the_first_missing_number_follows_those_that_are_there(
    ranges: list[tuple[int, int]], start: int
) -> None:
    """It is the start itself if that isn't there."""
    numbers = {n for first, length in ranges for n in range(first, first + length)}
    missing = Bitmap(numbers).first_missing(start)
    assert missing not in numbers
    assert all(number in numbers for number in range(start, missing))
