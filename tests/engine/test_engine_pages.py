"""A task's output is a list whose memory depends neither on its length nor on what it holds."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.engine.pages import PagedOutput
from fanwise.model import ItemOutcome, RunRecord, Status
from fanwise.ports import PAGE_BYTES
from fanwise.sources import ListSource
from fanwise.testing.stores import MemoryStore
from fanwise.values import CHUNK_ITEMS

MIB = 2**20


class CountingStore(MemoryStore):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.bytes = 0

    def outputs(self, *args: Any, **kwargs: Any) -> Sequence[tuple[int, bytes]]:
        found = super().outputs(*args, **kwargs)
        self.reads += 1
        self.bytes += sum(len(output) for _, output in found)
        return found


def text(size: int) -> bytes:
    """The JSON text of a text, of so many bytes."""
    return b'"' + b"x" * (size - 2) + b'"'


def recorded(outputs: Sequence[bytes | None]) -> tuple[CountingStore, PagedOutput]:
    """A store with these outputs of a task's items, and the list that reads them."""
    store = CountingStore()
    run_no = store.create_run(RunRecord(0, "r", "w", "f", "", b"{}", Status.RUNNING, 0.0))
    store.commit(
        [
            ItemOutcome(run_no, 1, index, Status.SUCCEEDED, 1, 0.0, 0.0, output)
            for index, output in enumerate(outputs)
        ]
    )
    return store, PagedOutput(store, run_no, 1, len(outputs))


def sizes_of(values: Sequence[Any]) -> list[int | None]:
    """How many bytes the JSON texts of these texts have."""
    return [None if value is None else len(value) + 2 for value in values]


SIZES = st.sampled_from([2, 5, MIB, 3 * MIB, PAGE_BYTES, PAGE_BYTES + 1])
RUNS = st.tuples(st.one_of(st.none(), SIZES), st.integers(1, 1_300))


@settings(deadline=None, max_examples=40)
@given(st.lists(RUNS, max_size=5), st.data())
def test_a_paged_output_reads_as_the_list_of_all_outputs(
    runs: list[tuple[int | None, int]], data: st.DataObject
) -> None:
    """In order, backwards, at any index and chunk by chunk, whatever the sizes of the outputs."""
    sizes: list[int | None] = []
    for size, count in runs:
        sizes += [size] * (count if size is None or size < 10 else 1 + count % 5)
    texts = {size: text(size) for size in set(sizes) if size is not None}
    _, output = recorded([None if size is None else texts[size] for size in sizes])
    assert len(output) == len(sizes)
    assert sizes_of(output) == sizes
    places = st.lists(st.sampled_from(range(len(sizes))), max_size=8) if sizes else st.just([])
    for at in data.draw(places):
        assert sizes_of([output[at], output[at - len(sizes)]]) == [sizes[at]] * 2
        chunk = output.chunk(at)
        assert 1 <= len(chunk) <= CHUNK_ITEMS
        assert sizes_of(chunk) == sizes[at : at + len(chunk)]
    assert sizes_of(output[::-7]) == sizes[::-7]
    assert list(output.chunk(len(sizes))) == []


def test_a_page_and_all_pages_together_are_bounded_by_bytes() -> None:
    """Going through 200 MB of outputs takes the memory of a few pages."""
    _, output = recorded([text(200_000)] * 1_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in output) == 1_000
        assert len(output[500]) == 199_998
        assert sum(1 for _ in reversed(output)) == 1_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * PAGE_BYTES


def test_outputs_larger_than_a_page_do_not_pile_up() -> None:
    """What is kept is bounded by bytes as well, so four of the largest results aren't kept."""
    _, output = recorded([text(3 * PAGE_BYTES)] * 12)
    tracemalloc.start()
    try:
        assert sum(1 for _ in output) == 12
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * PAGE_BYTES


def test_a_source_takes_no_more_of_an_output_than_one_read_gives() -> None:
    """A fan-out over large outputs holds a page of them, not a thousand."""
    store, output = recorded([text(MIB)] * 20)

    async def main() -> list[int]:
        source = ListSource(output)
        sizes = []
        while chunk := await source.read():
            sizes.append(len(chunk))
        source.close()
        return sizes

    sizes = asyncio.run(main())
    assert sum(sizes) == 20
    assert max(sizes) * MIB <= PAGE_BYTES
    assert store.bytes == 20 * MIB


@pytest.mark.parametrize("backwards", [False, True])
def test_small_outputs_are_read_once_whichever_way_one_goes(backwards: bool) -> None:
    """Forwards and backwards, a thousand outputs take one read, with or without nulls."""
    store, output = recorded([None if index % 3 else b"1" for index in range(3_000)])
    values = list(reversed(output) if backwards else output)
    assert values == [None if index % 3 else 1 for index in range(3_000)][:: -1 if backwards else 1]
    assert store.reads == 3


def test_large_outputs_are_read_a_few_times_at_most_backwards_and_at_random() -> None:
    """Finding the width of a page costs a few pages, once; then each page is read once."""
    store, output = recorded([text(200_000)] * 1_000)
    assert len(output[997]) == 199_998
    assert store.bytes <= 4 * PAGE_BYTES
    before = store.bytes
    assert sum(1 for _ in reversed(output)) == 1_000
    assert store.bytes - before <= 1.2 * 1_000 * 200_000


def test_outputs_that_were_read_are_not_read_again() -> None:
    """Neighbours, and a list that is gone through twice, come from the pages that are kept."""
    store, output = recorded([b"1"] * 2_500)
    assert sum(output) + sum(output) == 5_000
    assert [output[index] for index in (0, 1, 1_999, 2_000, 2_499, -1)] == [1] * 6
    assert store.reads == 3


def test_one_output_larger_than_a_page_is_a_page_of_its_own() -> None:
    """The bound of a page never keeps an output from being read."""
    _, output = recorded([b"1", text(2 * PAGE_BYTES), b"2"])
    assert [output[2], len(output[1]), output[0]] == [2, 2 * PAGE_BYTES - 2, 1]
    assert [len(output.chunk(start)) for start in (0, 1, 2)] == [2, 1, 1]
