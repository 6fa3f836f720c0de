"""The parts of the context benchmark that use much memory, each run in a process of its own.

    python -m weft.bench.context_process hold WAY ITEMS CONTEXT_BYTES
    python -m weft.bench.context_process create ROUNDS CONTEXT_BYTES...

Both print one JSON value. `hold` makes a context for each item and keeps all of them; it stops
before it holds more than 4 GB.
"""

from __future__ import annotations

import sys
import time
from functools import partial

import msgspec

from weft.bench.contexts import sample_results, shared_context, ways
from weft.bench.measure import alternate, peak_memory_bytes, seconds

_BOUND_BYTES = 4 * 10**9
_POINTS = 60
_CREATIONS = 100_000


class Held(msgspec.Struct, frozen=True):
    """A fan-out whose contexts were all kept.

    `items` is how many there were, fewer than asked for if memory reached its bound; `seconds` is
    the time that making them took, and `growth` the memory added since the start, in bytes, after
    so many items.
    """

    items: int
    seconds: float
    growth: tuple[tuple[int, int], ...]

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
    else:
        figures = create(int(first), [int(number) for number in numbers])
    sys.stdout.write(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    main()
