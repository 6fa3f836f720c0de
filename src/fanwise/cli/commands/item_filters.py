"""Reading the conditions of `fanwise items`."""

from __future__ import annotations

from fanwise.cli.options import read_seconds
from fanwise.errors import UsageError
from fanwise.model import Status
from fanwise.reports.items import ItemFilters


def read_filters(
    status: str | None, error: str | None, label: str | None, slower: str | None, kind: int | None
) -> ItemFilters:
    """Read the conditions of a command line. Raises `UsageError`."""
    chosen = None if status is None else Status(status)
    if error is not None or kind is not None:
        if chosen not in (None, Status.FAILED):
            raise UsageError(f"only failed items have an error, not {chosen} ones.")
        chosen = Status.FAILED  # these have an index of their own in a store
    slower_s = None if slower is None else _read_slower(slower)
    return ItemFilters(chosen, error, label or None, slower_s, kind)


def _read_slower(text: str) -> float:
    """Read a duration or a number as seconds. Raises `UsageError`."""
    try:
        return read_seconds(text)
    except ValueError as problem:
        raise UsageError(f"--slower {problem}.") from None
