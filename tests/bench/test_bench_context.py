"""The context benchmark: what it measures is what it says."""

import json
from io import StringIO

import pytest
from rich.console import Console

from fanwise.bench.context import ContextFigures, compare, render
from fanwise.bench.contexts import DEEP_COPY, FANWISE, JSON_COPY, sample_results, ways

ITEMS = 40
CONTEXT_BYTES = 100_000


@pytest.fixture(scope="module")
def figures() -> ContextFigures:
    return compare(
        rounds=1,
        items=ITEMS,
        context_bytes=CONTEXT_BYTES,
        sizes_bytes=(1_000, CONTEXT_BYTES),
        copied=(1, 3),
        shared=(1, 10, 1_000),
    )


@pytest.mark.parametrize("size", [1_000, 100_000, 1_000_000])
def test_a_sample_context_has_the_size_that_it_claims(size: int) -> None:
    """A hundred task results, as JSON together about as large as asked for."""
    results = sample_results(size)
    records = [record for output in results.values() for record in output]

    assert len(results) == 100
    assert sum(len(json.dumps(record)) for record in records) == pytest.approx(size, rel=0.15)


def test_a_copying_way_shares_no_part_that_could_change() -> None:
    """The copies are real ones: equal to the results, but with dicts and lists of their own."""
    results = sample_results(CONTEXT_BYTES)

    for name in (DEEP_COPY, JSON_COPY):
        copied = ways(results)[name](3)
        assert isinstance(copied, dict)
        assert copied["item"] == 3
        assert copied["task"] == results
        assert copied["task"]["task_0"] is not results["task_0"]
        assert copied["task"]["task_0"][0] is not results["task_0"][0]


def test_an_item_costs_fanwise_40_bytes(figures: ContextFigures) -> None:
    """Memory is counted exactly, so it is 40 bytes here as with any other size."""
    assert figures.item_context_bytes == 40
    assert figures.per_item[FANWISE].memory_bytes == 40


def test_memory_is_counted_as_items_are_added(figures: ContextFigures) -> None:
    """Each item adds what the first did: 40 bytes if it shares, a whole copy if it copies."""
    assert figures.growth[FANWISE] == ((1, 40), (10, 400), (1_000, 40_000))
    for name in (DEEP_COPY, JSON_COPY):
        (_, one_bytes), (_, three_bytes) = figures.growth[name]
        assert three_bytes == pytest.approx(3 * one_bytes, rel=0.05)


def test_a_copy_costs_what_it_copies(figures: ContextFigures) -> None:
    """A copy's memory is of the order of its context."""
    assert figures.per_item[DEEP_COPY].memory_bytes > CONTEXT_BYTES / 2
    assert figures.per_item[JSON_COPY].memory_bytes > CONTEXT_BYTES / 2


def test_all_contexts_are_kept_while_memory_is_measured(figures: ContextFigures) -> None:
    """The whole fan-out of copies adds about items times copies, and fanwise's next to nothing."""
    copying, sharing = figures.held[DEEP_COPY], figures.held[FANWISE]
    expected_bytes = ITEMS * figures.per_item[DEEP_COPY].memory_bytes

    assert copying.items == sharing.items == ITEMS
    assert [items for items, _ in copying.growth] == list(range(ITEMS + 1))
    assert copying.memory_bytes == pytest.approx(expected_bytes, rel=0.5)
    assert sharing.memory_bytes < expected_bytes / 4


def test_creation_is_measured_for_each_size(figures: ContextFigures) -> None:
    """Each size of the shared context has its time."""
    assert list(figures.creation_s) == [1_000, CONTEXT_BYTES]
    assert all(span > 0 for span in figures.creation_s.values())


def test_the_figures_are_shown(figures: ContextFigures) -> None:
    """The tables name each way."""
    output = StringIO()
    Console(file=output, width=100).print(render(figures))

    shown = output.getvalue()
    assert all(name in shown for name in (DEEP_COPY, JSON_COPY, FANWISE))
    assert "40 B" in shown
