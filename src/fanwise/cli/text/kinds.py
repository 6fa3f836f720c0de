"""Kinds of errors as lines, and items by their names. Prints nothing."""

from __future__ import annotations

from fanwise.cli.text.render import shorten, table
from fanwise.reports.kinds import Digest

_MAX_SHOWN = 10


def digest_lines(digest: Digest) -> list[str]:
    """The most frequent kinds as a table."""
    shown = digest.kinds[:_MAX_SHOWN]
    rows = [
        (
            f"{kind.count:,}",
            shorten(kind.type, 40),
            shorten(kind.message if kind.count == 1 else kind.shape),
            show_item(kind.index, kind.label),
        )
        for kind in shown
    ]
    lines = table(("COUNT>", "ERROR", "MESSAGE", "EXAMPLE"), rows)
    rest = digest.failed - sum(kind.count for kind in shown)
    return [*lines, f"and {rest:,} more of other kinds"] if rest else lines


def show_item(index: int, label: str | None) -> str:
    """An item's index, and its label if it has one."""
    return f"[{index}] {shorten(label, 40)}" if label else f"[{index}]"
