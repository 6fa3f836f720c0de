"""Sources of batches, and of the first items only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.model import ErrorInfo
from fanwise.sources import batched, first, sound
from fanwise.values import FrozenList

FAULT = ErrorInfo("BadJson", "line 7 isn't JSON")


class Chunks:
    """A source that gives these chunks, and says how many items there are if it is asked to."""

    def __init__(self, chunks: Sequence[Sequence[Any]], *, knows_total: bool = False) -> None:
        self._chunks = [list(chunk) for chunk in chunks if chunk]
        self.total = sum(map(len, self._chunks)) if knows_total else None
        self.reads = 0
        self.is_closed = False

    async def read(self) -> Sequence[Any]:
        self.reads += 1
        return self._chunks.pop(0) if self._chunks else ()

    def close(self) -> None:
        self.is_closed = True


def read_all(source: Any) -> list[Any]:
    """All items of a source."""

    async def read() -> list[Any]:
        items: list[Any] = []
        while chunk := await source.read():
            items += chunk
        return items

    return asyncio.run(read())


@given(st.lists(st.lists(st.just(FAULT) | st.integers(), max_size=5)), st.integers(1, 4))
def test_what_cant_be_read_is_left_out_of_batches_and_counted(chunks, size) -> None:
    """Each record is an element of a batch, in order, or is told; never both."""
    counted, faults = [], []

    def note(count: int, bad: Sequence[ErrorInfo]) -> None:
        counted.append(count)
        faults.extend(bad)

    source = batched(sound(Chunks(chunks), note), size)
    batches = read_all(source)
    elements = [element for chunk in chunks for element in chunk]
    wanted = [element for element in elements if element is not FAULT]
    assert [element for batch in batches for element in batch] == wanted
    assert all(len(batch) == size for batch in batches[:-1])
    assert (sum(counted), len(faults)) == (len(wanted), len(elements) - len(wanted))
    assert source.total == len(batches)


chunks_of_numbers = st.lists(st.lists(st.integers(), max_size=9), max_size=9)


@settings(deadline=None)
@given(chunks_of_numbers, st.integers(1, 12), st.booleans())
def test_batches_hold_all_items_in_order_however_they_arrive(chunks, size, knows_total) -> None:
    """All are full but the last one, and their number is what was told or is told at the end."""
    source = batched(Chunks(chunks, knows_total=knows_total), size)
    told = source.total
    batches = read_all(source)
    assert [item for batch in batches for item in batch] == [n for chunk in chunks for n in chunk]
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(0 < len(batch) <= size and type(batch) is FrozenList for batch in batches)
    assert told == (len(batches) if knows_total else None)


def test_a_full_batch_is_given_before_the_source_has_ended() -> None:
    """A slow source is read until a batch is full, and no further."""
    slow = Chunks([[1], [2], [3], [4]])
    assert asyncio.run(batched(slow, 2).read()) == [[1, 2]]
    assert slow.reads == 2


def test_an_element_that_cannot_be_read_takes_the_place_of_its_batch() -> None:
    """The error says which element of the batch it is."""
    batches = read_all(batched(Chunks([[1, 2, 3, FAULT, 5]]), 2))
    message = "item[1] of the batch can't be read: line 7 isn't JSON"
    assert batches == [[1, 2], ErrorInfo("BadJson", message), [5]]


@settings(deadline=None)
@given(chunks_of_numbers, st.integers(0, 30), st.booleans())
def test_the_first_items_are_given_and_no_others(chunks, most, knows_total) -> None:
    """Their number is the smaller one of what there is and what is wanted."""
    source = first(Chunks(chunks, knows_total=knows_total), most)
    wanted = [n for chunk in chunks for n in chunk][:most]
    assert source.total == (len(wanted) if knows_total else None)
    assert read_all(source) == wanted
    assert source.total == len(wanted)


def test_a_source_is_not_read_beyond_the_first_items() -> None:
    """What is never run needn't be read: the source may have no end."""
    endless = Chunks([[1, 2]] * 100)
    assert read_all(first(endless, 3)) == [1, 2, 1]
    assert endless.reads == 2


def test_closing_closes_the_source_behind_it() -> None:
    behind = Chunks([[1]])
    first(batched(behind, 2), 3).close()
    assert behind.is_closed
