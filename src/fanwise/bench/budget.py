"""Promised limits, upper or lower, beside the measured figures.

A budget that isn't met is a figure like any other: it raises nothing. On a busy machine a budget in
seconds says little, and a ratio much, since both of its sides were measured at the same time. One
that is `strict` says something on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from fanwise.bench.tables import figures_table
from fanwise.units import show_bytes, show_ratio, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

Unit: TypeAlias = Literal["bytes", "number", "seconds", "times"]

_SHOW: dict[Unit, Callable[[float], str]] = {
    "bytes": show_bytes,
    "number": lambda number: f"{number:,.0f}",
    "seconds": show_seconds,
    "times": show_ratio,
}


class Budget(msgspec.Struct, frozen=True):
    """One budget, and whether what was measured meets it. Both figures are in `unit`.

    A `strict` one has to be met on any machine, at any time.
    """

    what: str
    sense: Literal["at most", "at least"]
    limit: float
    unit: Unit
    measured: float
    met: bool
    strict: bool = False


def at_most(what: str, limit: float, unit: Unit, measured: float) -> Budget:
    """A budget that is met by `limit` and by less."""
    return Budget(what, "at most", limit, unit, measured, measured <= limit)


def at_least(what: str, limit: float, unit: Unit, measured: float) -> Budget:
    """A budget that is met by `limit` and by more."""
    return Budget(what, "at least", limit, unit, measured, measured >= limit)


def nothing_of(what: str, measured: float) -> Budget:
    """A strict budget that only 0 meets."""
    return Budget(what, "at most", 0, "number", measured, measured == 0, strict=True)


def render(budgets: Iterable[Budget]) -> RenderableType:
    """A table of budgets."""
    return figures_table(
        "budget",
        ("promised", "measured", "met"),
        [
            (
                budget.what,
                f"{budget.sense} {_SHOW[budget.unit](budget.limit)}",
                _SHOW[budget.unit](budget.measured),
                "yes" if budget.met else "NO",
            )
            for budget in budgets
        ],
    )
