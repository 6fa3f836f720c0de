"""Work that takes so much time of a core, and nothing else."""

from __future__ import annotations

import time


def burn(us: int) -> None:
    """Compute for so many microseconds of this thread's own time."""
    end = time.thread_time_ns() + us * 1_000
    while time.thread_time_ns() < end:
        pass


def burn_one(us: int) -> None:
    """The same, for pools, which want a function with a result of its own for each item."""
    burn(us)


def burn_chunk(count: int, us: int) -> list[None]:
    """The same for a chunk of items."""
    return [burn_one(us) for _ in range(count)]  # type: ignore[func-returns-value]
