"""What a retry says about the tasks of its run: which run again, what of them is kept, and why.

A plain retry says it in one line; one that was told where to start, or with which workflow to go
on, in a line for each task. Nothing in it is a value of the run.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fanwise.model import ItemCounts

_NAMED = 5
"""How many tasks one line names."""


class RerunNote(msgspec.Struct, frozen=True):
    """What a retry makes of one task: it runs again, is kept, or has never run.

    `why` says why it runs again, `items` how its items were if those that had succeeded are kept,
    and `is_changed` that it reads otherwise now.
    """

    name: str
    why: str | None = None
    items: ItemCounts | None = None
    is_kept: bool = False
    is_changed: bool = False


def in_one_line(fates: Sequence[RerunNote]) -> str:
    """All tasks in one line, such as `runs b (2 of 4 items), c; keeps a`."""
    runs = [_with_items(fate) for fate in fates if not fate.is_kept]
    keeps = [fate.name for fate in fates if fate.is_kept]
    kept = f"; keeps {_listed(keeps)}" if keeps else ""
    return f"runs {_listed(runs) if runs else 'no task but those of finally'}{kept}"


def line_by_line(fates: Sequence[RerunNote]) -> list[str]:
    """A line for each task that says why."""
    return [f"{fate.name}: {_told(fate)}" for fate in fates]


def _told(fate: RerunNote) -> str:
    if fate.why is not None:
        items = fate.items
        kept = f"; {items.succeeded:,} of {items.total:,} items are kept" if items else ""
        return f"runs again, since {fate.why}{kept}"
    if fate.is_kept:
        changed = "; what has changed in it is not used" if fate.is_changed else ""
        return f"kept, since it has succeeded{changed}"
    return "has not run yet"


def _with_items(fate: RerunNote) -> str:
    if fate.items is None:
        return fate.name
    left = fate.items.total - fate.items.succeeded
    return f"{fate.name} ({left:,} of {fate.items.total:,} items)"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
