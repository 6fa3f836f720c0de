"""How arrivals become batches, and what becomes of batches that are closed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.model import FireStatus, Status
from fanwise.triggers.batches import (
    ALONE,
    MOST_IN_BATCH,
    MOST_OPEN,
    Admission,
    Batch,
    Batches,
    BatchRules,
    admit,
    close,
    gather,
    next_deadline,
)
from fanwise.triggers.overlap import OpenRun, Overlap

RULES = st.builds(
    lambda size, within, debounce: BatchRules(size=size, within_s=within, debounce_s=debounce),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(1, 50),
    st.none() | st.integers(1, 20),
)


def closed(batches: Batches) -> list[int]:
    return [each.number for each in batches.closed]


def test_a_batch_closes_when_it_is_full() -> None:
    """A burst of 50,000 with a size of 1,000 is 50 batches."""
    rules, batches, numbers = BatchRules(size=1000), Batches(), Counter[int]()
    for at in range(50_000):
        batches, number = gather(rules, batches, "", at)
        numbers[number] += 1
    assert set(numbers.values()) == {1000}
    assert closed(batches) == list(range(1, 51))
    assert not batches.open


def test_a_batch_closes_some_time_after_its_first_arrival() -> None:
    """However many more come in."""
    rules = BatchRules(within_s=60)
    batches, first = gather(rules, Batches(), "", 100)
    batches, second = gather(rules, batches, "", 159)
    assert (first, second, closed(batches)) == (1, 1, [])
    assert next_deadline(rules, batches) == 160
    assert close(rules, batches, 159.9) == batches
    batches, third = gather(rules, batches, "", 160)
    assert (third, closed(batches)) == (2, [1])


def test_debounce_waits_for_quiet() -> None:
    """Each arrival puts the end off."""
    rules = BatchRules(debounce_s=30)
    batches, _ = gather(rules, Batches(), "", 100)
    batches, _ = gather(rules, batches, "", 120)
    assert next_deadline(rules, batches) == 150
    batches = close(rules, batches, 150)
    assert closed(batches) == [1]
    assert next_deadline(rules, batches) is None


def test_each_key_has_a_batch_of_its_own() -> None:
    """They close apart."""
    rules = BatchRules(size=2)
    batches, a = gather(rules, Batches(), "a", 0)
    batches, b = gather(rules, batches, "b", 0)
    assert (a, b, closed(batches)) == (1, 2, [])
    batches, _ = gather(rules, batches, "b", 0)
    assert closed(batches) == [2]
    assert list(batches.open) == ["a"]


def test_batches_are_bounded() -> None:
    """In their number, of which the oldest makes room, and in their size."""
    rules, batches = BatchRules(within_s=1e9), Batches()
    for number in range(MOST_OPEN + 1):
        batches, _ = gather(rules, batches, str(number), 0)
    assert closed(batches) == [1]
    assert len(batches.open) == MOST_OPEN
    full = Batches(open={"": Batch(1, MOST_IN_BATCH - 1, 0, 0)}, next_number=2)
    assert closed(gather(rules, full, "", 0)[0]) == [1]


@given(RULES, st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=40))
def test_each_arrival_is_in_one_batch_which_closes_once(
    rules: BatchRules, arrivals: list[tuple[str, int]]
) -> None:
    """Whatever order and pauses they come in."""
    batches, at = Batches(), 0
    members = Counter[int]()
    keys: dict[int, str] = {}
    for key, pause in arrivals:
        at += pause
        before = closed(batches)
        batches, number = gather(rules, batches, key, at)
        assert number not in before
        assert keys.setdefault(number, key) == key
        members[number] += 1
    counts = {each.number: each.count for each in (*batches.closed, *batches.open.values())}
    assert counts == members
    assert len(closed(batches)) == len(set(closed(batches)))
    assert all(count <= (rules.size or count) for count in members.values())


RUNS = (OpenRun("first", Status.RUNNING),)
CLOSED = [Batch(number, 1, 0, 0) for number in (1, 2, 3)]


def shown(admission: Admission) -> tuple[list[tuple[int, str]], list[int]]:
    fires = [(each.batch.number, each.status.value) for each in admission.fires]
    return fires, [each.number for each in admission.waiting]


@pytest.mark.parametrize(
    ("overlap", "idle", "busy"),
    [
        ("allow", [(1, "ran"), (2, "ran"), (3, "ran")], [(1, "ran"), (2, "ran"), (3, "ran")]),
        (
            "skip",
            [(1, "ran"), (2, "skipped"), (3, "skipped")],
            [(1, "skipped"), (2, "skipped"), (3, "skipped")],
        ),
        ("queue", [(1, "ran"), (2, "replaced")], [(1, "replaced"), (2, "replaced")]),
        ("queue-all", [(1, "ran")], []),
        (
            "cancel",
            [(1, "replaced"), (2, "replaced"), (3, "ran")],
            [(1, "replaced"), (2, "replaced")],
        ),
    ],
)
def test_overlap_decides_what_becomes_of_single_arrivals(
    overlap: str, idle: list[tuple[int, str]], busy: list[tuple[int, str]]
) -> None:
    """With and without an open run; all others wait."""
    for runs, expected in (((), idle), (RUNS, busy)):
        found = admit(Overlap(overlap), CLOSED, runs, gathers=False)
        fires, waiting = shown(found)
        assert fires == expected
        assert sorted([number for number, _ in fires] + waiting) == [1, 2, 3]
        assert found.cancels == (("first",) if runs and overlap == "cancel" else ())


@given(
    st.sampled_from([Overlap.SKIP, Overlap.QUEUE, Overlap.QUEUE_ALL]),
    st.integers(0, 5),
    st.booleans(),
)
def test_gathered_arrivals_are_never_dropped(overlap: Overlap, count: int, is_busy: bool) -> None:
    """One batch at a time makes a run, and the others wait in their order."""
    batches = [Batch(number, 10, 0, 0) for number in range(1, count + 1)]
    found = admit(overlap, batches, RUNS if is_busy else (), gathers=True)
    assert all(each.status is FireStatus.RAN for each in found.fires)
    assert [*[each.batch for each in found.fires], *found.waiting] == batches
    assert len(found.fires) == (1 if count and not is_busy else 0)


def test_an_arrival_alone_is_a_batch_of_its_own() -> None:
    """It is closed at once."""
    batches, number = gather(ALONE, Batches(), "", 5)
    assert (number, closed(batches), batches.open) == (1, [1], {})
