"""The worth of habits that `docs/performance.md` advises: the same job with and without each.

Each side is a run in a process of its own. A habit is judged by the one figure that it is about.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from benchmarks.habits_process import Cost
from fanwise.bench.budget import Budget, at_least
from fanwise.bench.measure import DEFAULT_ROUNDS, in_process, take_turns
from fanwise.bench.tables import figures_table
from fanwise.units import show_bytes, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

ITEMS = 100_000

_PROCESS = "benchmarks.habits_process"
_MOST_ROUNDS = 3  # The sides differ by more than machines do from one process to the next.
_WORTH = 1.1  # A habit that gains less than a tenth is no advice.


class Habit(NamedTuple):
    """A workflow that is advised, one that isn't, and the figure of `Cost` that it is about."""

    do: str
    instead_of: str
    figure: Literal["seconds", "peak_memory_bytes", "store_bytes"]


HABITS = (
    Habit("stream", "list", "peak_memory_bytes"),
    Habit("pages", "whole output", "peak_memory_bytes"),
    Habit("no outputs", "outputs", "store_bytes"),
    Habit("batches", "single items", "seconds"),
    Habit("async def", "def", "seconds"),
    Habit("plain input", "model input", "seconds"),
)


class HabitFigures(msgspec.Struct, frozen=True):
    """The medians of each workflow, by its name."""

    items: int
    costs: dict[str, Cost]

    def gain(self, habit: Habit) -> float:
        """The cost of the other way as a multiple of the habit's."""
        costs = [getattr(self.costs[name], habit.figure) for name in habit[:2]]
        return float(costs[1] / costs[0])


def compare(*, rounds: int = DEFAULT_ROUNDS, items: int = ITEMS) -> HabitFigures:
    """Measure; with the defaults it takes about two minutes. Raises `UsageError` if a run fails."""
    sides = {
        name: partial(in_process, Cost, _PROCESS, name, str(items))
        for habit in HABITS
        for name in (habit.do, habit.instead_of)
    }
    measured = take_turns(sides, min(rounds, _MOST_ROUNDS))
    return HabitFigures(items, {name: _median(costs) for name, costs in measured.items()})


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        seconds=median(cost.seconds for cost in costs),
        peak_memory_bytes=median(cost.peak_memory_bytes for cost in costs),
        store_bytes=median(cost.store_bytes for cost in costs),
    )


def render(figures: HabitFigures) -> RenderableType:
    """A table with both ways of each habit."""
    return figures_table(
        f"{figures.items:,} items that do nothing",
        ("time", "peak memory", "store"),
        [
            (
                name,
                show_seconds(cost.seconds),
                show_bytes(cost.peak_memory_bytes),
                show_bytes(cost.store_bytes),
            )
            for name, cost in figures.costs.items()
        ],
    )


def budgets(figures: HabitFigures) -> list[Budget]:
    """Each habit is worth its while."""
    units = {
        "seconds": "time",
        "peak_memory_bytes": "peak memory",
        "store_bytes": "size of the store",
    }
    return [
        at_least(
            f"{habit.instead_of} against {habit.do}, {units[habit.figure]}",
            _WORTH,
            "times",
            figures.gain(habit),
        )
        for habit in HABITS
    ]
