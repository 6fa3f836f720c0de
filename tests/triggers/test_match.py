"""Which events and files concern a trigger, and how arrivals become batches."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.triggers.match import (
    Batches,
    BatchRules,
    close,
    gather,
    matches,
    next_deadline,
)


@pytest.mark.parametrize(
    ("patterns", "name", "is_match"),
    [
        (["report.wanted"], "report.wanted", True),
        (["report.wanted"], "report.wantedx", False),
        (["report.wanted"], "reportXwanted", False),
        (["report.*"], "report.a.b", True),
        (["*"], "any\nthing", True),
        (["load", "x*"], "xyz", True),
        (["Load"], "load", False),
        ([], "load", False),
        (["[a]"], "a", False),
    ],
)
def test_a_star_stands_for_any_characters(patterns: list[str], name: str, is_match: bool) -> None:
    """And every other character for itself, in its own case."""
    assert matches(patterns, name) is is_match


def test_a_batch_closes_when_it_is_full() -> None:
    """A burst of 50,000 with a size of 1,000 is 50 batches."""
    rules, batches, numbers = BatchRules(size=1000), Batches(), Counter[int]()
    all_closed: list[int] = []
    for at in range(50_000):
        batches, number, closed = gather(rules, batches, "", at)
        numbers[number] += 1
        all_closed += closed
    assert set(numbers.values()) == {1000}
    assert all_closed == list(range(1, 51))
    assert not batches.open


def test_a_batch_closes_some_time_after_its_first_arrival() -> None:
    """However many more come in."""
    rules = BatchRules(within_s=60)
    batches, first, _ = gather(rules, Batches(), "", 100)
    batches, second, closed = gather(rules, batches, "", 159)
    assert (first, second, closed) == (1, 1, ())
    assert next_deadline(rules, batches) == 160
    assert close(rules, batches, 159.9) == (batches, ())
    batches, third, closed = gather(rules, batches, "", 160)
    assert (third, closed) == (2, (1,))


def test_debounce_waits_for_quiet() -> None:
    """Each arrival puts the end off."""
    rules = BatchRules(debounce_s=30)
    batches, _, _ = gather(rules, Batches(), "", 100)
    batches, _, _ = gather(rules, batches, "", 120)
    assert next_deadline(rules, batches) == 150
    batches, closed = close(rules, batches, 150)
    assert closed == (1,)
    assert next_deadline(rules, batches) is None


def test_each_key_has_a_batch_of_its_own() -> None:
    """They close apart."""
    rules = BatchRules(size=2)
    batches, a, _ = gather(rules, Batches(), "a", 0)
    batches, b, closed = gather(rules, batches, "b", 0)
    assert (a, b, closed) == (1, 2, ())
    batches, _, closed = gather(rules, batches, "b", 0)
    assert closed == (2,)
    assert list(batches.open) == ["a"]


@given(
    st.builds(
        lambda size, within, debounce: BatchRules(size=size, within_s=within, debounce_s=debounce),
        st.none() | st.integers(1, 5),
        st.none() | st.integers(1, 50),
        st.none() | st.integers(1, 20),
    ),
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 30)), max_size=40),
)
def test_each_arrival_is_in_one_batch_which_closes_once(
    rules: BatchRules, arrivals: list[tuple[str, int]]
) -> None:
    """Whatever order and pauses they come in."""
    batches, at = Batches(), 0
    members = Counter[int]()
    keys: dict[int, str] = {}
    all_closed: list[int] = []
    for key, pause in arrivals:
        at += pause
        batches, number, closed = gather(rules, batches, key, at)
        assert number not in all_closed
        assert keys.setdefault(number, key) == key
        members[number] += 1
        all_closed += closed
    still_open = {batch.number: batch.count for batch in batches.open.values()}
    assert len(all_closed) == len(set(all_closed))
    assert {*all_closed, *still_open} == set(members)
    assert all(members[number] == count for number, count in still_open.items())
    assert all(count <= (rules.size or count) for count in members.values())
