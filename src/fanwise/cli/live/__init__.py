"""Runs while they run: their progress on a terminal, and what Ctrl-C does to them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanwise.cli.live.progress import ProgressDisplay


def open_display() -> ProgressDisplay:
    """The display that suits standard error: bars on a terminal, else lines."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from fanwise.cli.live.bars import BarDisplay

        return BarDisplay()
    from fanwise.cli.live.progress import LineDisplay

    return LineDisplay()
