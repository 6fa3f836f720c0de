"""Tables, times and counts as text for people.

A table is plain columns, so that it reads well on a terminal and in a pipe. Times are seconds since
the epoch, spans are in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from fanwise.cli.output import clean
from fanwise.model import ErrorInfo, Status

_COLOURS = {
    Status.SUCCEEDED: 32,
    Status.FAILED: 31,
    Status.BLOCKED: 31,
    Status.PAUSED: 33,
    Status.CANCELLED: 33,
    Status.RUNNING: 36,
}
_GAP = "  "
_SIZES = ("KB", "MB", "GB", "TB")

Cell = str | Status
"""What stands in a table: text, or a status, which has a colour."""


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


def show_span(span_s: float | None) -> str:
    """A span of time in the unit that suits it; nothing for None."""
    if span_s is None:
        return ""
    if span_s < 0.9995:
        return f"{span_s * 1000:.0f} ms"
    if span_s < 59.995:
        return f"{span_s:.2f} s"
    minutes, seconds = divmod(round(span_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def show_size(size_bytes: int) -> str:
    """A number of bytes in the unit that suits it, which is a power of 1,000."""
    if size_bytes < 1_000:
        return f"{size_bytes} B"
    power = 1
    while size_bytes >= 999.5 * 1_000**power and power < len(_SIZES):
        power += 1
    size = size_bytes / 1_000**power
    return f"{size:.1f} {_SIZES[power - 1]}" if size < 9.95 else f"{size:,.0f} {_SIZES[power - 1]}"


def show_time(at: float | None) -> str:
    """A time where the reader is; nothing for None."""
    return "" if at is None else f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}"


def iso_time(at: float | None) -> str | None:
    """A time as ISO 8601 in UTC, with milliseconds."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def count(number: int, noun: str) -> str:
    """`1 task`, `2,000 tasks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
