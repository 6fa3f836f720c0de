"""One job done in several ways, as figures and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanwise.bench.measure import machine
from fanwise.bench.tables import figures_table
from fanwise.units import show_ratio, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType


class Comparison(msgspec.Struct, frozen=True):
    """The times of the same job done in several ways, compared with the way `baseline`.

    `what` says what was measured. `seconds` are medians over so many `rounds`, for a job of so many
    `items`.
    """

    what: str
    baseline: str
    rounds: int
    seconds: dict[str, float]
    items: int = 1

    def speed(self, way: str) -> float:
        """The speed of a way as a multiple of the baseline's."""
        return self.seconds[self.baseline] / self.seconds[way]


def render(comparison: Comparison) -> RenderableType:
    """The measured job, and a table with the figures and the ratios."""
    from rich.console import Group
    from rich.text import Text

    has_items = comparison.items > 1
    rate_heading = ["items/s"] if has_items else []
    rows = []
    for way, span in comparison.seconds.items():
        rate = [f"{comparison.items / span:,.0f}"] if has_items else []
        rows.append([way, show_seconds(span), *rate, show_ratio(comparison.speed(way))])
    headings = ["time", *rate_heading, f"speed against {comparison.baseline}"]
    return Group(
        Text(f"{comparison.what}.\nMedians of {comparison.rounds} rounds; {machine()}."),
        figures_table("", headings, rows),
    )
