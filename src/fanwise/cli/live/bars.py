"""Bars for the running tasks, at the foot of a terminal; what has ended scrolls away above them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fanwise.cli.live.progress import Monotonic, ProgressDisplay, TaskMeter
from fanwise.cli.text.render import fit_name

_MAX_NAME = 20
_MIN_NAME = 8
_MIN_BAR = 4
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

    def close(self) -> None:
        """Take the bars off the terminal, for good."""
        self._live.stop()

    def say(self, text: str) -> None:
        """Show a line above the bars."""
        self._console.print(Text(text), soft_wrap=True)

    def _show(self, now: float) -> None:
        # The cursor is left on an empty line below: the ^C that a terminal shows there would break
        # the last bar's line in two, of which only one would be drawn over.
        self._live.update(Group(self._bars(now, self._console.width), Text()), refresh=True)

    def _bars(self, now: float, width: int) -> RenderableType:
        """A line for each task: its name, and of the rest as much as there is room for."""
        width = min(width, _MAX_WIDTH)
        shown = self.shown()
        names = [fit_name(name, min(_MAX_NAME, max(width // 2, _MIN_NAME))) for name, _ in shown]
        most = width - _widest(names) - 2  # and a gap on either side
        counts = [_cut(meter.counts(), most) for _, meter in shown]
        paces = [meter.pace(now) for _, meter in shown]
        room = width - _widest(names) - 1 - _widest(counts)
        has_paces = room > _widest(paces) + 1
        has_bars = room - (_widest(paces) + 1 if has_paces else 0) > _MIN_BAR
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.width = width
        grid.add_column(no_wrap=True, min_width=_widest(names))
        if has_bars:
            grid.add_column(ratio=1)  # the bar takes the width that the texts leave
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True)
        for name, (_, meter), text, pace in zip(names, shown, counts, paces, strict=True):
            grid.add_row(
                Text(name, style="bold"),
                *([_bar(meter, now)] if has_bars else []),
                Text(text, style="red" if meter.progress.is_failing else ""),
                Text(pace if has_paces else "", style="cyan"),
            )
        rest = self.rest()
        return Group(grid, Text(rest)) if rest else grid


def _widest(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _cut(counts: str, width: int) -> str:
    """The first of the counts, as many as fit, at least one."""
    while len(counts) > width and ", " in counts:
        counts = counts.rpartition(", ")[0]
    return counts


def _bar(meter: TaskMeter, now: float) -> ProgressBar:
    progress = meter.progress
    is_open = progress.total is None or not progress.has_items
    return ProgressBar(
        total=None if is_open else max(meter.total, 1),
        completed=meter.done,
        pulse=is_open,
        animation_time=now,
    )
