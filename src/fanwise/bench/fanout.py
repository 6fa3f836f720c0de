"""A fan-out whose outcomes are recorded in SQLite.

Its throughput is compared with that of a bare loop, which inserts the same rows (`bare_loop`): both
as whole calls, with a new store each time, of an action that does nothing and of one whose results
have 1 KB. How throughput and memory go with the number of items,
and memory with the size of the context, is measured in processes of their own (`fanout_process`):
throughput over the task's own time, so that starting up neither flatters nor hurts it, and memory
as the peak of the whole process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from fanwise.bench.bare_loop import bare_loop
from fanwise.bench.budget import Budget, at_least, at_most
from fanwise.bench.comparison import Comparison
from fanwise.bench.comparison import render as render_comparison
from fanwise.bench.fanout_process import FanOut, workflow
from fanwise.bench.measure import DEFAULT_ROUNDS, alternate, in_process, seconds, take_turns
from fanwise.bench.pack.actions import report
from fanwise.bench.runs import run
from fanwise.bench.tables import figures_table
from fanwise.units import show_bytes, show_seconds
from fanwise.values import JsonObject

if TYPE_CHECKING:
    from rich.console import RenderableType

BARE_LOOP = "bare loop"
FANWISE = "fanwise"
FANWISE_TIMEOUT = "fanwise, timeout: 5s"
FANWISE_RETRY = "fanwise, label and retry"
FANWISE_DEF = "fanwise, a def in threads"

_RETRY: JsonObject = {"label": "{{ index }}", "retry": {"count": 3, "delay": "1s"}}

ITEMS = 100_000
SIZES = (10_000, 100_000, 1_000_000)
FEW_AND_MANY = (100, 20_000)
CONTEXTS_BYTES = (10**3, 10**8)

_PROCESS = "fanwise.bench.fanout_process"
_MEMORY_ROUNDS = 3  # A peak of memory hardly differs from one process to the next.

Way = Callable[[int, Path], object]
"""Runs an action for each index below a number, and records the outcomes in a new store."""


class FanOutFigures(msgspec.Struct, frozen=True):
    """The measured figures, as medians: of a no-op action, but for `results`, which are of 1 KB.

    `labelled` is with a label for each item, which the bare loop records as well, and with retries.
    `by_items` has fan-outs of more and more items with next to no context, `by_context` for each
    size of a context one of few items and one of many.
    """

    throughput: Comparison
    labelled: Comparison
    results: Comparison
    by_items: list[FanOut]
    by_context: list[tuple[FanOut, FanOut]]


def compare(
    *,
    rounds: int = DEFAULT_ROUNDS,
    items: int = ITEMS,
    sizes: Sequence[int] = SIZES,
    few_and_many: tuple[int, int] = FEW_AND_MANY,
    contexts_bytes: Sequence[int] = CONTEXTS_BYTES,
) -> FanOutFigures:
    """Measure; with the defaults it takes about two minutes. Raises `UsageError` if a run fails."""
    few, many = few_and_many
    by_items = _in_processes([(size, 0) for size in sizes], rounds)
    by_context = _in_processes(
        [(count, size) for size in contexts_bytes for count in few_and_many],
        min(rounds, _MEMORY_ROUNDS),
    )
    return FanOutFigures(
        throughput=_throughput("A no-op action", ways(), items, rounds),
        labelled=_throughput("A no-op action with a label", ways_with_labels(), items, rounds),
        results=_throughput("A result of 1 KB", ways_with_results(), items, rounds),
        by_items=list(by_items.values()),
        by_context=[(by_context[few, size], by_context[many, size]) for size in contexts_bytes],
    )


def ways() -> dict[str, Way]:
    """The ways to do nothing for each item: by hand, and fanwise's with more and more settings."""
    return {
        BARE_LOOP: lambda items, store: bare_loop(range(items), store),
        FANWISE: partial(_fanwise, {}),
        FANWISE_TIMEOUT: partial(_fanwise, {"timeout": "5s"}),
        FANWISE_DEF: partial(_fanwise, {"action": "bench.noop_def"}),
    }


def ways_with_labels() -> dict[str, Way]:
    """The ways to do nothing for each item, and to record its index as its label."""
    return {
        BARE_LOOP: lambda items, store: bare_loop(range(items), store, label=str),
        FANWISE_RETRY: partial(_fanwise, _RETRY),
    }


def ways_with_results() -> dict[str, Way]:
    """The ways to record a result of 1 KB for each item."""
    return {
        BARE_LOOP: lambda items, store: bare_loop(range(items), store, action=report),
        FANWISE: partial(_fanwise, {"action": "bench.report"}),
    }


def _fanwise(settings: JsonObject, items: int, store: Path) -> None:
    run(workflow(items, settings=settings), store)


def _throughput(what: str, ways: Mapping[str, Way], items: int, rounds: int) -> Comparison:
    """Measure the ways against each other, each time with a new store."""

    def timed(way: Way) -> float:
        with TemporaryDirectory() as folder:
            return seconds(lambda: way(items, Path(folder) / "runs.db"))

    return Comparison(
        what=f"{what} for each of {items:,} items, recorded in SQLite",
        baseline=BARE_LOOP,
        rounds=rounds,
        seconds=alternate({name: partial(timed, way) for name, way in ways.items()}, rounds),
        items=items,
    )


def _in_processes(sizes: Sequence[tuple[int, int]], rounds: int) -> dict[tuple[int, int], FanOut]:
    """The medians of fan-outs by their number of items and the bytes of their context."""
    sides = {size: partial(in_process, FanOut, _PROCESS, *map(str, size)) for size in sizes}
    return {
        size: FanOut(
            *size,
            seconds=median(each.seconds for each in measured),
            peak_memory_bytes=median(each.peak_memory_bytes for each in measured),
        )
        for size, measured in take_turns(sides, rounds).items()
    }


def budgets(figures: FanOutFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    throughput = figures.throughput
    least, most = figures.by_items[0], figures.by_items[-1]
    growths = [many.peak_memory_bytes - few.peak_memory_bytes for few, many in figures.by_context]
    few, many = figures.by_context[-1]
    least_context = figures.by_context[0][0].context_bytes
    return [
        *(
            at_least(
                f"throughput of {way} against a bare loop, {throughput.items:,} items",
                0.75,
                "times",
                throughput.speed(way),
            )
            for way in (FANWISE, FANWISE_TIMEOUT)
        ),
        at_least(
            f"throughput of {FANWISE_RETRY} against a bare loop that records labels",
            0.75,
            "times",
            figures.labelled.speed(FANWISE_RETRY),
        ),
        at_least(
            f"items/s of {FANWISE_DEF}",
            60_000,
            "number",
            throughput.items / throughput.seconds[FANWISE_DEF],
        ),
        at_least(
            f"throughput of {FANWISE} with results of 1 KB against a bare loop",
            0.6,
            "times",
            figures.results.speed(FANWISE),
        ),
        at_least(
            f"items/s at {most.items:,} items against {least.items:,}",
            0.9,
            "times",
            most.rate / least.rate,
        ),
        at_most(
            f"peak memory at {most.items:,} items, more than at {least.items:,}",
            20e6,
            "bytes",
            most.peak_memory_bytes - least.peak_memory_bytes,
        ),
        at_most(
            f"growth of peak memory from {few.items:,} to {many.items:,} items, with a context of "
            f"{show_bytes(many.context_bytes)} more than with one of {show_bytes(least_context)}",
            5e6,
            "bytes",
            growths[-1] - growths[0],
        ),
    ]


def render(figures: FanOutFigures) -> RenderableType:
    """Tables for the throughput, and one for how it goes with sizes."""
    from rich.console import Group

    compared = figures.throughput, figures.labelled, figures.results
    comparisons = map(render_comparison, compared)
    return Group(*comparisons, _sizes_table(figures))


def _sizes_table(figures: FanOutFigures) -> RenderableType:
    in_contexts = [each for pair in figures.by_context for each in pair]
    return figures_table(
        "fanwise, each in a process of its own",
        ("context", "the task's own time", "items/s", "peak memory"),
        [
            (
                f"{each.items:,} items",
                show_bytes(each.context_bytes),
                show_seconds(each.seconds),
                f"{each.rate:,.0f}",
                show_bytes(each.peak_memory_bytes),
            )
            for each in [*figures.by_items, *in_contexts]
        ],
    )
