"""Notes of what a worker runs, read by another process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

from fanwise.executors.marks import PLACES, SIZE_BYTES, Marks


@pytest.fixture
def both() -> Iterator[tuple[Marks, Marks]]:
    """The notes as a worker writes them, and as its engine reads them."""
    with tempfile.TemporaryFile() as memory:
        memory.truncate(SIZE_BYTES)
        ends = Marks(memory.fileno()), Marks(memory.fileno())
        yield ends
        for end in ends:
            end.close()


def test_what_runs_is_what_has_begun_and_not_ended(both: tuple[Marks, Marks]) -> None:
    """In whatever order attempts end."""
    worker, engine = both
    assert engine.running() == set()
    for number in (7, 8, 9):
        worker.begin(number)
    worker.end(8)
    worker.begin(10)
    assert engine.running() == {7, 9, 10}


def test_more_attempts_than_places_are_unknown_until_they_end(both: tuple[Marks, Marks]) -> None:
    """Then any of all may have killed the worker."""
    worker, engine = both
    for number in range(1, PLACES + 2):
        worker.begin(number)
    assert engine.running() is None
    worker.end(PLACES + 1)
    assert engine.running() == set(range(1, PLACES + 1))
