"""The cost of a context per item: copied for each item, against shared by all items.

A run has finished a hundred tasks whose results are 1 MB of JSON, and its next task runs once for
each of 1,000 items. Memory is counted exactly (tracemalloc) as contexts are added, time per item is
the median of rounds in alternation, and the whole fan-out, all contexts kept, is measured once for
each side in a process of its own (peak resident memory).
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from fanwise.bench.budget import Budget, at_least, at_most
from fanwise.bench.context_process import Growth, Held
from fanwise.bench.contexts import DEEP_COPY, FANWISE, JSON_COPY, Way, sample_results, ways
from fanwise.bench.measure import DEFAULT_ROUNDS, alternate, in_process, machine, seconds
from fanwise.bench.tables import figures_table
from fanwise.context import ItemContext, WorkflowContext
from fanwise.units import show_bytes, show_ratio, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

ITEMS = 1_000
CONTEXT_BYTES = 10**6
SIZES_BYTES = (10**3, 10**6, 10**8)
SHARED = (*(step * 10**power for power in range(6) for step in (1, 2, 5)), 10**6)
COPIED = SHARED[:7]  # to 100, where the memory of copies is still reasonable
"""The numbers of items at which memory is counted: more where an item needs little."""

_COPIES_A_ROUND = 3
_SHARES_A_ROUND = 100_000
_PROCESS = "fanwise.bench.context_process"


class Cost(msgspec.Struct, frozen=True):
    """The cost of one item's context."""

    memory_bytes: float
    seconds: float


class ContextFigures(msgspec.Struct, frozen=True):
    """The measured figures.

    `per_item` has each way to give an item its context, `growth` the memory of all contexts made in
    that way, `held` the whole fan-out for the deep copy and for fanwise. `creation_s` is the
    seconds to make an item's context by the size of the shared one, and `item_context_bytes` what
    `sys.getsizeof` gives.
    """

    rounds: int
    items: int
    context_bytes: int
    item_context_bytes: int
    per_item: dict[str, Cost]
    growth: dict[str, Growth]
    held: dict[str, Held]
    creation_s: dict[int, float]


def compare(
    *,
    rounds: int = DEFAULT_ROUNDS,
    items: int = ITEMS,
    context_bytes: int = CONTEXT_BYTES,
    sizes_bytes: tuple[int, ...] = SIZES_BYTES,
    copied: tuple[int, ...] = COPIED,
    shared: tuple[int, ...] = SHARED,
) -> ContextFigures:
    """Measure. With the defaults it takes about a minute and 1.5 GB, in a process that ends."""
    makers = ways(sample_results(context_bytes))
    times = alternate(
        {name: partial(_item_seconds, name, make) for name, make in makers.items()}, rounds
    )
    counts = {DEEP_COPY: copied, JSON_COPY: copied, FANWISE: shared}
    growth = {
        name: in_process(
            Growth, _PROCESS, "trace", name, str(context_bytes), *map(str, counts[name])
        )
        for name in makers
    }
    return ContextFigures(
        rounds=rounds,
        items=items,
        context_bytes=context_bytes,
        item_context_bytes=sys.getsizeof(ItemContext(WorkflowContext(), None, 0)),
        per_item={name: Cost(_item_bytes(growth[name]), times[name]) for name in makers},
        growth=growth,
        held={
            name: in_process(Held, _PROCESS, "hold", name, str(items), str(context_bytes))
            for name in (DEEP_COPY, FANWISE)
        },
        creation_s=in_process(
            dict[int, float], _PROCESS, "create", str(rounds), *map(str, sizes_bytes)
        ),
    )


def _item_seconds(name: str, make: Way) -> float:
    count = _SHARES_A_ROUND if name == FANWISE else _COPIES_A_ROUND

    def job() -> None:
        for index in range(count):
            make(index)

    return seconds(job) / count


def _item_bytes(growth: Growth) -> float:
    items, memory_bytes = growth[-1]
    return memory_bytes / items


def render(figures: ContextFigures) -> RenderableType:
    """Tables for a terminal."""
    from rich.console import Group
    from rich.text import Text

    return Group(
        Text(
            f"A context of {show_bytes(figures.context_bytes)} in 100 task results, given to "
            f"{figures.items:,} items.\nMedians of {figures.rounds} rounds; {machine()}.\n"
        ),
        _per_item_table(figures),
        _whole_table(figures),
        _creation_table(figures),
    )


def _per_item_table(figures: ContextFigures) -> RenderableType:
    fanwise = figures.per_item[FANWISE]
    return figures_table(
        "per item",
        ("memory", "against fanwise", "time", "against fanwise"),
        [
            (
                name,
                show_bytes(cost.memory_bytes),
                show_ratio(cost.memory_bytes / fanwise.memory_bytes),
                show_seconds(cost.seconds),
                show_ratio(cost.seconds / fanwise.seconds),
            )
            for name, cost in figures.per_item.items()
        ],
    )


def _whole_table(figures: ContextFigures) -> RenderableType:
    return figures_table(
        "the whole fan-out, all contexts kept",
        ("items", "memory", "time"),
        [
            (name, f"{held.items:,}", show_bytes(held.memory_bytes), show_seconds(held.seconds))
            for name, held in figures.held.items()
        ],
    )


def _creation_table(figures: ContextFigures) -> RenderableType:
    return figures_table(
        f"an item's context ({figures.item_context_bytes} bytes)",
        ("time to make it",),
        [
            (f"with a shared context of {show_bytes(size)}", show_seconds(span))
            for size, span in figures.creation_s.items()
        ],
    )


def budgets(figures: ContextFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    size = show_bytes(figures.context_bytes)
    copied, shared = figures.per_item[DEEP_COPY], figures.per_item[FANWISE]
    memory_ratio = copied.memory_bytes / shared.memory_bytes
    return [
        at_most("an item's context", 40, "bytes", figures.item_context_bytes),
        *(
            at_most(
                f"making it, with a shared context of {show_bytes(shared_bytes)}",
                0.3e-6,
                "seconds",
                span,
            )
            for shared_bytes, span in figures.creation_s.items()
        ),
        at_least(f"memory of copying {size} against it", 26_000, "times", memory_ratio),
        at_least(
            f"time of copying {size} against it", 1_000, "times", copied.seconds / shared.seconds
        ),
    ]
