"""A child workflow of three steps that do nothing, run once per item and recorded step by step.

There is no baseline: what a step costs is a commit before what follows it, which a loop without
steps doesn't have. Throughput is that of the task's own time, memory the peak of a whole process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks import PACKS
from fanwise.bench.budget import Budget, at_least, at_most
from fanwise.bench.measure import DEFAULT_ROUNDS, in_process, peak_memory_bytes
from fanwise.bench.runs import run, task_seconds
from fanwise.bench.tables import figures_table
from fanwise.units import show_bytes

if TYPE_CHECKING:
    from rich.console import RenderableType

FEW_AND_MANY = (20_000, 200_000)  # with fewer, caches of a fixed size have yet to fill

_CONCURRENCY = 100
_PROMISED = 12_000  # items a second
_FLAT_BYTES = 5 * 2**20  # what the peak may grow by from few items to many

_MODULE = "benchmarks.children"


class Children(msgspec.Struct, frozen=True):
    """Children as measured in a process of their own: `rate` is in items per second."""

    items: int
    rate: float
    peak_memory_bytes: float


def compare(
    *, rounds: int = DEFAULT_ROUNDS, sizes: tuple[int, int] = FEW_AND_MANY
) -> list[Children]:
    """Measure few items and many; it takes about a minute. Raises `UsageError` if a run fails."""
    return [_median(items, rounds) for items in sizes]


def _median(items: int, rounds: int) -> Children:
    found = [in_process(Children, _MODULE, str(items)) for _ in range(rounds)]
    return Children(
        items,
        median(each.rate for each in found),
        median(each.peak_memory_bytes for each in found),
    )


def workflow(items: int) -> dict[str, Any]:
    """A workflow whose task `work` runs the child for each of so many items."""
    work = {
        "name": "work",
        "action": "workload.steps",
        "with-items": {"range": items},
        "concurrency": _CONCURRENCY,
        "input": {"item": "{{ item }}"},
    }
    return {"tasks": [work]}


def render(figures: list[Children]) -> RenderableType:
    """A table of throughput and memory."""
    return figures_table(
        "a child of three steps for each of",
        ("items a second", "steps a second", "peak memory"),
        [
            (
                f"{each.items:,} items",
                f"{each.rate:,.0f}",
                f"{3 * each.rate:,.0f}",
                show_bytes(each.peak_memory_bytes),
            )
            for each in figures
        ],
    )


def budgets(figures: list[Children]) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    few, many = figures
    growth = many.peak_memory_bytes - few.peak_memory_bytes
    return [
        at_least("children of three steps a second", _PROMISED, "number", many.rate),
        at_most(
            f"peak memory of {many.items:,} children over that of {few.items:,}",
            _FLAT_BYTES,
            "bytes",
            growth,
        ),
    ]


def main() -> None:
    """Read the command line, run once, and print a `Children` as JSON."""
    items = int(sys.argv[1])
    with TemporaryDirectory() as folder:
        run(workflow(100), Path(folder) / "warm-up.db", packs=PACKS)
        done = run(workflow(items), Path(folder) / "runs.db", packs=PACKS)
    found = Children(items, items / task_seconds(done, "work"), peak_memory_bytes())
    sys.stdout.write(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main()
