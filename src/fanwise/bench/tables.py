"""The one form in which figures are tabled: a name, then figures, with a title above the names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def figures_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table with a row for each name and a column for each heading.

    A row is a name and its figures, in the order of the headings.
    """
    from rich.table import Table

    table = Table(title)
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    return table
