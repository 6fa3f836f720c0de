"""Items as lines of CSV, for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fanwise.model import ItemOutcome
from fanwise.reports.objects import iso_time, read_error
from fanwise.reports.plain import clean, escaped

CSV_COLUMNS: Final = (
    *("index", "label", "status", "attempts", "started_at", "duration_s"),
    *("output", "error_type", "error_message", "item"),
)
"""The heading of CSV; `output` and `item` are JSON."""

_FORMULA_BEGINNINGS: Final = ("=", "+", "-", "@")


def csv_lines(pages: Iterable[Sequence[ItemOutcome]]) -> Iterator[list[str]]:
    """The lines of CSV: first the heading, then those of each page."""
    writer = csv.writer(_Line(), lineterminator="")
    yield [writer.writerow(CSV_COLUMNS)]
    for page in pages:
        yield [writer.writerow(_csv_row(item)) for item in page]


class _Line:
    """The file of a CSV writer: it returns each line, and so does the writer then."""

    def write(self, line: str) -> str:
        return line


def _csv_row(item: ItemOutcome) -> tuple[object, ...]:
    error = None if item.error is None else read_error(item.error)
    return (
        item.index,
        _text_cell(item.label or ""),
        item.status.value,
        item.attempts,
        iso_time(item.started_at),
        item.duration_s,
        "" if item.output is None else escaped(item.output.decode()),
        "" if error is None else _text_cell(error.type),
        "" if error is None else _text_cell(error.message),
        "" if item.item is None else escaped(item.item.decode()),
    )


def _text_cell(text: str) -> str:
    """Text of others in one line, which no spreadsheet takes for a formula."""
    line = clean(text)
    return f"'{line}" if line.startswith(_FORMULA_BEGINNINGS) else line
