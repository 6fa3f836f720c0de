"""Tables, times and counts as text for people.

A table is plain columns, so that it reads well on a terminal and in a pipe. Times are seconds since
the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fanwise.model import INTERRUPTED, ErrorInfo, Status
from fanwise.reports.plain import shorten

_COLOURS: dict[str, int] = {
    Status.SUCCEEDED: 32,
    Status.FAILED: 31,
    Status.BLOCKED: 31,
    Status.PAUSED: 33,
    Status.CANCELLED: 33,
    Status.RUNNING: 36,
    Status.WAITING: 36,
    INTERRUPTED: 33,
}
_STATUS = "STATUS"  # a column in colour
_SENTENCES = {
    "pending": "hasn't begun yet",
    "running": "is still running",
    "interrupted": "was interrupted",
    "waiting": "waits",
    "paused": "is paused",
    "succeeded": "has succeeded",
    "failed": "has failed",
    "cancelled": "was cancelled",
    "deleted": "was deleted",
}
_GAP = "  "
_CUT = "..."
_INDENT = "    "
_MIN_NAME = 12
_MIN_TEXT = 24
_LONGEST_ERROR = 2_000


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    colours: bool = False,
    width: int | None = None,
) -> list[str]:
    """The lines of a table. Columns whose heading ends with `>` are set to the right.

    With a `width` no line is longer, if there is any way: the last column is broken between words,
    and long names in the first are shortened in their middle. Where not even that fits, each row
    takes several lines, which name the columns.
    """
    from rich.cells import cell_len

    names = [heading.rstrip(">") for heading in headings]
    widths = [
        max([cell_len(name), *(cell_len(row[column]) for row in rows)])
        for column, name in enumerate(names)
    ]
    gaps = len(_GAP) * (len(widths) - 1)
    has_text = not headings[-1].endswith(">")
    room = None
    if width is not None and sum(widths) + gaps > width:
        last = len(_GAP) + widths[-1] if has_text else 0
        others = sum(widths[1:]) + gaps - last
        if min(widths[0], _MIN_NAME) + others > width:
            return [line for row in rows for line in _stacked(headings, row, width)]
        widths[0] = min(widths[0], max(width - others, _MIN_NAME))
        rows = [(fit_name(row[0], widths[0]), *row[1:]) for row in rows]
        room = width - sum(widths[:-1]) - gaps if has_text else None
        if room is not None and room < len(names[-1]):
            names[-1] = ""

    def line(cells: Sequence[str]) -> list[str]:
        parts = []
        for cell, heading, span in zip(cells, headings, widths, strict=True):
            space = " " * (span - cell_len(cell))
            text = paint(cell, cell) if colours and heading == _STATUS else cell
            parts.append(f"{space}{text}" if heading.endswith(">") else f"{text}{space}")
        if room is None:
            return [_GAP.join(parts).rstrip()]
        start = _GAP.join(parts[:-1])
        if not cells[-1]:
            return [start.rstrip()]
        if room < _MIN_TEXT and cell_len(cells[-1]) > room:
            below = wrap(cells[-1], max(_MIN_TEXT, (width or 0) - len(_INDENT)))
            return [start.rstrip(), *(f"{_INDENT}{each}" for each in below)]
        first, *more = wrap(cells[-1], max(room, 1))
        indent = " " * (sum(widths[:-1]) + gaps)
        return [f"{start}{_GAP}{first}".rstrip(), *(f"{indent}{each}" for each in more)]

    return [*line(names), *(each for row in rows for each in line(row))]


def _stacked(headings: Sequence[str], row: Sequence[str], width: int) -> list[str]:
    """A row as its first cell, and below it the others with the names of their columns.

    A first cell that is a number has the name of its column as well.
    """
    from rich.cells import cell_len

    is_number = headings[0].endswith(">")
    lines = [f"{headings[0][:-1]} {row[0]}" if is_number else fit_name(row[0], width)]
    for heading, cell in zip(headings[1:], row[1:], strict=True):
        shown = f"{heading.rstrip('>')} {cell}"
        if not cell:
            continue
        if lines[1:] and cell_len(f"{lines[-1]}{_GAP}{shown}") <= width:
            lines[-1] += f"{_GAP}{shown}"
        else:
            lines += [f"{_INDENT}{part}" for part in wrap(shown, max(width - len(_INDENT), 1))]
    return lines


def fit_name(cell: str, width: int) -> str:
    """A name of at most so many columns, shortened in its middle: both ends tell names apart."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(cell) <= width:
        return cell
    end = set_cell_size(cell[::-1], (width - len(_CUT)) // 2)[::-1]
    return f"{set_cell_size(cell, width - len(_CUT) - cell_len(end))}{_CUT}{end}"


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most so many columns, broken between words, and in words that are longer."""
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
            continue
        pieces = chop_cells(word, width) or [""]
        lines[-1:] = [lines[-1], *pieces] if lines[-1] else pieces
    return lines


def paint(status: str, text: str) -> str:
    """`text` in the colour of a status."""
    colour = _COLOURS.get(status)
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def show_status(status: str) -> str:
    """The status of a run as the end of a sentence."""
    return _SENTENCES[status]


def show_error(error: ErrorInfo | None, width: int = _LONGEST_ERROR) -> str:
    """An error in one line."""
    return shorten(f"{error.type}: {error.message}", width) if error else ""


def show_time(at: float | None) -> str:
    """A time where the reader is; nothing for None."""
    return "" if at is None else f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}"


def count(number: int, noun: str) -> str:
    """`1 task`, `2,000 tasks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
