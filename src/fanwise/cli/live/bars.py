"""Bars for the running tasks, at the foot of a terminal; what has ended scrolls away above them."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fanwise.cli.live.progress import Monotonic, ProgressDisplay, TaskMeter

_MAX_NAME = 20
_MAX_WIDTH = 110


class BarDisplay(ProgressDisplay):
    """Redraws a bar for each running task that is shown."""

    interval_s = 0.1

    def __init__(self, now: Monotonic = time.monotonic) -> None:
        super().__init__(now)
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def opened(self) -> AbstractContextManager[object]:
        """A block while which the bars are shown; prints go above them."""
        return self._live

    def say(self, text: str) -> None:
        """Show a line above the bars."""
        self._console.print(Text(text), soft_wrap=True)

    def _show(self, now: float) -> None:
        self._live.update(self._bars(now), refresh=True)

    def _bars(self, now: float) -> RenderableType:
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.width = min(self._console.width, _MAX_WIDTH)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1, min_width=4)  # the bar takes the width that the texts leave
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True)
        for name, meter in self.shown():
            grid.add_row(*_row(name, meter, now))
        rest = self.rest()
        return Group(grid, Text(rest)) if rest else grid


def _row(name: str, meter: TaskMeter, now: float) -> tuple[RenderableType, ...]:
    progress = meter.progress
    shown = Text(name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 3]}...", style="bold")
    is_open = progress.total is None or not progress.has_items
    bar = ProgressBar(
        total=None if is_open else max(meter.total, 1),
        completed=meter.done,
        pulse=is_open,
        animation_time=now,
    )
    counts = Text(meter.counts(), style="red" if progress.failed else "")
    return shown, bar, counts, Text(meter.pace(now), style="cyan")
