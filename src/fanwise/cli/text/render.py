"""Tables, times and counts as text for people.

A table is plain columns, so that it reads well on a terminal and in a pipe. Times are seconds since
the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fanwise.model import ErrorInfo, Status
from fanwise.reports.plain import clean

_COLOURS = {
    Status.SUCCEEDED: 32,
    Status.FAILED: 31,
    Status.BLOCKED: 31,
    Status.PAUSED: 33,
    Status.CANCELLED: 33,
    Status.RUNNING: 36,
}
_SENTENCES = {
    "pending": "hasn't begun yet",
    "running": "is still running",
    "interrupted": "was interrupted",
    "paused": "is paused",
    "succeeded": "has succeeded",
    "failed": "has failed",
    "cancelled": "was cancelled",
    "deleted": "was deleted",
}
_GAP = "  "

Cell = str | Status
"""A cell of a table: text, or a status, which has a colour."""


def table(
    headings: Sequence[str], rows: Sequence[Sequence[Cell]], *, colours: bool = False
) -> list[str]:
    """The lines of a table. Columns whose heading ends with `>` are set to the right."""
    from rich.cells import cell_len

    names = [heading.rstrip(">") for heading in headings]
    widths = [
        max([cell_len(name), *(cell_len(row[column]) for row in rows)])
        for column, name in enumerate(names)
    ]

    def line(cells: Sequence[Cell]) -> str:
        parts = []
        for cell, heading, width in zip(cells, headings, widths, strict=True):
            space = " " * (width - cell_len(cell))
            text = paint(cell, str(cell)) if colours and isinstance(cell, Status) else str(cell)
            parts.append(f"{space}{text}" if heading.endswith(">") else f"{text}{space}")
        return _GAP.join(parts).rstrip()

    return [line(names), *(line(row) for row in rows)]


def paint(status: Status, text: str) -> str:
    """`text` in the colour of a status."""
    colour = _COLOURS.get(status)
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def show_status(status: str) -> str:
    """The status of a run as the end of a sentence."""
    return _SENTENCES[status]


def shorten(text: str, width: int = 100) -> str:
    """`text` in one line of at most `width` characters, without control characters."""
    beginning = text[: 4 * width]  # what is cut off anyway isn't cleaned: it may be megabytes
    line = clean(beginning)
    if len(line) <= width and len(beginning) == len(text):
        return line
    return f"{line[: width - 3]}..."


def show_error(error: ErrorInfo | None, width: int = 100) -> str:
    """An error in one line."""
    return shorten(f"{error.type}: {error.message}", width) if error else ""


def show_time(at: float | None) -> str:
    """A time where the reader is; nothing for None."""
    return "" if at is None else f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}"


def count(number: int, noun: str) -> str:
    """`1 task`, `2,000 tasks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
