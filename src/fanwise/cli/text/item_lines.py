"""Items as rows of a table. Prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fanwise.cli.text.render import show_error, table
from fanwise.model import ItemOutcome
from fanwise.reports.objects import read_error
from fanwise.reports.plain import shorten
from fanwise.units import show_span

_HEADINGS: Final = ("INDEX>", "LABEL", "STATUS", "ATTEMPTS>", "TIME>", "OUTPUT OR ERROR")
BEGINNING: Final = 1_000
"""As much of an output as a table needs at most; blanks take part of it."""

_OUTPUT_WIDTH: Final = 100


def table_lines(
    items: Sequence[ItemOutcome], *, colours: bool, width: int | None = None
) -> list[str]:
    """A table of items, as wide as that if it is given. Errors are whole, outputs are not."""
    return table(_HEADINGS, [_row(item) for item in items], colours=colours, width=width)


def _row(item: ItemOutcome) -> tuple[str, ...]:
    if item.error is not None:
        outcome = show_error(read_error(item.error))
    else:
        # Only what can be shown is decoded: an output may be megabytes.
        outcome = shorten((item.output or b"")[:BEGINNING].decode(errors="ignore"), _OUTPUT_WIDTH)
    return (
        f"{item.index}",
        shorten(item.label or "", 40),
        item.status,
        f"{item.attempts}",
        show_span(item.duration_s),
        outcome,
    )
