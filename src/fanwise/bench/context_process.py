"""The parts of the context benchmark that use much memory, each run in a process of its own.

    python -m fanwise.bench.context_process hold WAY ITEMS CONTEXT_BYTES
    python -m fanwise.bench.context_process trace WAY CONTEXT_BYTES ITEMS...
    python -m fanwise.bench.context_process create ROUNDS CONTEXT_BYTES...

Each prints one JSON value. `hold` makes a context for each item and keeps all of them; it stops
before it holds more than 4 GB. `trace` does the same for ever more items, and counts every byte,
which takes several times as long.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from functools import partial
from itertools import islice
from typing import TypeAlias

import msgspec

from fanwise.bench.contexts import sample_results, shared_context, ways
from fanwise.bench.measure import alternate, peak_memory_bytes, seconds

_BOUND_BYTES = 4 * 10**9
_POINTS = 60
_CREATIONS = 100_000


Growth: TypeAlias = tuple[tuple[int, int], ...]
"""The memory that contexts added, in bytes, after so many items: pairs of items and bytes."""


class Held(msgspec.Struct, frozen=True):
    """A fan-out whose contexts were all kept.

    `items` is how many there were, fewer than asked for if memory reached its bound; `seconds` is
    the time that making them took, and `growth` begins with no items.
    """

    items: int
    seconds: float
    growth: Growth

    @property
    def memory_bytes(self) -> int:
        """The memory that all contexts together added."""
        return self.growth[-1][1]


def hold(way: str, items: int, context_bytes: int) -> Held:
    """Make a context for each of so many items, and keep them all."""
    make = ways(sample_results(context_bytes))[way]
    step = max(1, items // _POINTS)
    held: list[object] = []
    growth = [(0, 0)]
    elapsed_s = 0.0
    before_bytes = peak_memory_bytes()
    while len(held) < items and growth[-1][1] < _BOUND_BYTES:
        indexes = range(len(held), min(items, len(held) + step))
        started = time.perf_counter()
        held.extend(make(index) for index in indexes)
        elapsed_s += time.perf_counter() - started
        growth.append((len(held), peak_memory_bytes() - before_bytes))
    return Held(len(held), elapsed_s, tuple(growth))


def trace(way: str, context_bytes: int, counts: list[int]) -> Growth:
    """Make and keep the contexts of so many items, for each of `counts`, which ascend.

    Counted are the contexts only: the items and the list that keeps the contexts were there before.
    """
    make = ways(sample_results(context_bytes))[way]
    indexes = list(range(counts[-1]))
    held: list[object] = [None] * counts[-1]
    growth = []
    memory_bytes = done = 0
    for count in counts:
        more = islice(indexes, done, count)
        tracemalloc.start()
        for index in more:
            held[index] = make(index)
        memory_bytes += tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        growth.append((count, memory_bytes))
        done = count
    return tuple(growth)


def create(rounds: int, sizes: list[int]) -> dict[int, float]:
    """Seconds that an item's context takes to make, for each size of the shared context."""
    contexts = {size: shared_context(sample_results(size)) for size in sizes}

    def side(size: int) -> float:
        make = contexts[size].for_item

        def job() -> None:
            for index in range(_CREATIONS):
                make(index, index)

        return seconds(job) / _CREATIONS

    return alternate({size: partial(side, size) for size in sizes}, rounds)


def main() -> None:
    """Read the command line, measure and print."""
    command, first, *numbers = sys.argv[1:]
    figures: object
    if command == "hold":
        items, context_bytes = map(int, numbers)
        figures = hold(first, items, context_bytes)
    elif command == "trace":
        context_bytes, *counts = map(int, numbers)
        figures = trace(first, context_bytes, counts)
    else:
        figures = create(int(first), [int(number) for number in numbers])
    sys.stdout.write(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    main()
