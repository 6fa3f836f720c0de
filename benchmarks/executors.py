"""Items in child processes and on a local Ray cluster, against other ways to have them there.

The pools of the standard library have the same chunks. All sides have two processes, and each is a
process of its own that hands items out. The others record nothing and bound nothing;
fanwise records each item, in SQLite.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from benchmarks.executors_process import RAY_SIDES, SIDES, Speed
from fanwise.bench.budget import Budget, at_least, at_most
from fanwise.bench.measure import DEFAULT_ROUNDS, in_process, take_turns
from fanwise.bench.tables import figures_table
from fanwise.units import show_bytes, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

_PROCESS = "benchmarks.executors_process"
_FANWISE, _ONE, _IMAP = "fanwise", "one process", "imap_unordered"
_ON_RAY, _BY_HAND, _PER_ITEM = RAY_SIDES
_NO_CONTEXT = 1_000
_CONTEXT = 100_000_000
_MOST_ROUNDS = 3  # A side takes some seconds.


class Job(NamedTuple):
    """So many items of so many microseconds, beside a context of so many bytes."""

    items: int
    us: int
    context_bytes: int = _NO_CONTEXT


SLOW = Job(800, 5_000)
QUICK = Job(60_000, 50)
IN_CONTEXT = Job(60_000, 50, _CONTEXT)
IN_RAY = Job(20_000, 0, 1_000_000)
FEW, MANY = Job(100_000, 0), Job(1_000_000, 0)


class ExecutorFigures(msgspec.Struct, frozen=True):
    """The medians of each side of each job, by both."""

    speeds: dict[tuple[str, Job], Speed]

    def ratio(self, of: tuple[str, Job], to: tuple[str, Job]) -> float:
        """The items a second of one side, as a multiple of another's of the same number."""
        return self.speeds[to].seconds / self.speeds[of].seconds


def compare(*, rounds: int = DEFAULT_ROUNDS) -> ExecutorFigures:
    """Measure; it takes some minutes. Raises `UsageError` if a run fails."""
    rounds = min(rounds, _MOST_ROUNDS)
    pairs = [(side, job) for job in (SLOW, QUICK) for side in SIDES]
    speeds = _measured([*pairs, (_FANWISE, IN_CONTEXT)], rounds)
    speeds |= _measured([(side, IN_RAY) for side in RAY_SIDES], rounds)
    pairs = [(side, job) for side in (_FANWISE, _ON_RAY) for job in (FEW, MANY)]
    speeds |= _measured([pair for pair in pairs if pair not in speeds], 1)
    return ExecutorFigures(speeds)


def _measured(pairs: list[tuple[str, Job]], rounds: int) -> dict[tuple[str, Job], Speed]:
    sides = {
        (side, job): partial(in_process, Speed, _PROCESS, side, *map(str, job))
        for side, job in pairs
    }
    return {
        pair: Speed(
            median(speed.seconds for speed in found),
            median(speed.peak_memory_bytes for speed in found),
        )
        for pair, found in take_turns(sides, rounds).items()
    }


def render(figures: ExecutorFigures) -> RenderableType:
    """A table of all sides and jobs. The contexts of those on Ray are fanwise's alone."""
    return figures_table(
        "two processes",
        ("items", "each", "context", "time", "peak memory"),
        [
            (
                side,
                f"{job.items:,}",
                show_seconds(job.us / 1e6),
                show_bytes(job.context_bytes),
                show_seconds(speed.seconds),
                show_bytes(speed.peak_memory_bytes),
            )
            for (side, job), speed in figures.speeds.items()
        ],
    )


def budgets(figures: ExecutorFigures) -> list[Budget]:
    """The promises of the process pool, and of Ray."""
    return [
        at_least(
            "items of 5 ms in two processes, against one",
            1.8,
            "times",
            figures.ratio((_FANWISE, SLOW), (_ONE, SLOW)),
        ),
        at_least(
            "items of 50 us, against imap_unordered with the same chunks",
            0.6,
            "times",
            figures.ratio((_FANWISE, QUICK), (_IMAP, QUICK)),
        ),
        at_least(
            "the same in a context of 100 MB, of which items name 1 KB, against 1 KB",
            0.95,
            "times",
            figures.ratio((_FANWISE, IN_CONTEXT), (_FANWISE, QUICK)),
        ),
        at_least(
            "no-ops on Ray in a context of 1 MB, against chunks by hand without one",
            0.6,
            "times",
            figures.ratio((_ON_RAY, IN_RAY), (_BY_HAND, IN_RAY)),
        ),
        at_least(
            "the same, against a task of Ray for each item",
            20,
            "times",
            figures.ratio((_ON_RAY, IN_RAY), (_PER_ITEM, IN_RAY)),
        ),
        *(
            at_most(
                f"memory of {side} at 1,000,000 items beyond that at 100,000",
                20e6,
                "bytes",
                figures.speeds[side, MANY].peak_memory_bytes
                - figures.speeds[side, FEW].peak_memory_bytes,
            )
            for side in (_FANWISE, _ON_RAY)
        ),
    ]
