"""A bitmap is a set of whole numbers, and small whatever is in it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.bitmap import Bitmap

NUMBERS = st.integers(0, 200) | st.integers(0, 100_000)
CHANGES = st.lists(st.tuples(st.sampled_from(["add", "discard"]), NUMBERS), max_size=60)


def made_by(changes: list[tuple[str, int]]) -> tuple[Bitmap, set[int]]:
    """A bitmap and a set after the same changes."""
    bitmap, numbers = Bitmap(), set[int]()
    for method, number in changes:
        getattr(bitmap, method)(number)
        getattr(numbers, method)(number)
    return bitmap, numbers


@settings(deadline=None)
@given(CHANGES, st.lists(NUMBERS))
def test_it_holds_what_a_set_holds(changes: list[tuple[str, int]], asked: list[int]) -> None:
    """After any additions and removals, also of what is there already or isn't."""
    bitmap, numbers = made_by(changes)
    assert len(bitmap) == len(numbers)
    assert list(bitmap) == sorted(numbers)
    for number in [*asked, *(number for _, number in changes)]:
        assert (number in bitmap) == (number in numbers)


@settings(deadline=None)
@given(CHANGES, CHANGES)
def test_two_are_equal_if_they_hold_the_same(
    one: list[tuple[str, int]], other: list[tuple[str, int]]
) -> None:
    """However they came to it, and however far they had grown."""
    bitmap, numbers = made_by(one)
    assert bitmap == Bitmap(numbers) == Bitmap(sorted(numbers))
    assert (bitmap == made_by(other)[0]) == (numbers == made_by(other)[1])


def test_it_is_no_set_and_no_key() -> None:
    """It changes, so it has no hash, and it equals nothing else."""
    assert Bitmap([1]) != {1}
    assert Bitmap.__hash__ is None
    assert repr(Bitmap(range(1_000))) == "<Bitmap of 1,000>"
