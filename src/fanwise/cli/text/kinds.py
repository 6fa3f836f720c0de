"""Kinds of errors as lines, and items by their names. Prints nothing."""

from __future__ import annotations

from fanwise.cli.text.render import table
from fanwise.reports.kinds import Digest
from fanwise.reports.plain import clean, shorten

_MAX_SHOWN = 10


def digest_lines(digest: Digest, width: int | None) -> list[str]:
    """The most frequent kinds as a table, as wide as that if it is given.

    A kind has its number only where there are others.
    """
    shown = digest.kinds[:_MAX_SHOWN]
    has_choice = len(digest.kinds) > 1
    rows = [
        (
            *([str(kind.number)] if has_choice else []),
            f"{kind.count:,}",
            shorten(kind.type, 40),
            show_item(kind.index, kind.label),
            clean(kind.shape),
        )
        for kind in shown
    ]
    headings = [*(["KIND>"] if has_choice else []), "COUNT>", "ERROR", "EXAMPLE", "MESSAGE"]
    lines = table(headings, rows, width=width)
    rest = digest.failed - sum(kind.count for kind in shown)
    return [*lines, f"and {rest:,} more of other kinds"] if rest else lines


def show_item(index: int, label: str | None) -> str:
    """An item's index, and its label if it has one."""
    return f"[{index}] {shorten(label, 40)}" if label else f"[{index}]"
