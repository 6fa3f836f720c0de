"""Reading the conditions and indexes of `fanwise items`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from fanwise.cli.options import read_seconds
from fanwise.cli.text.output import as_json
from fanwise.errors import UsageError
from fanwise.model import Status
from fanwise.reports.items import ItemFilters, Span

_MOST_DIGITS: Final = 18  # of an index: what has more is no number that a store can hold


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


def read_spans(texts: Sequence[str], *, after: int) -> list[Span]:
    """Read spans of indexes above `after`, or all of them; in order, no index twice.

    Raises `UsageError`.
    """
    if not texts:
        return [Span(after, None)]
    spans: list[Span] = []
    for first, last in sorted(map(_read_span, texts)):
        before = max(first - 1, after)
        after = max(last, after)
        if last > before:
            spans.append(Span(before, None if last == sys.maxsize else last))
    return spans


def _read_span(text: str) -> tuple[int, int]:
    """Read the first and the last index of `17`, `18-30` or `100-`. Raises `UsageError`."""
    first, dash, last = text.partition("-")
    if _is_index(first) and (not last or _is_index(last)):
        end = int(last) if last else sys.maxsize if dash else int(first)
        if int(first) <= end:
            return int(first), end
    raise UsageError(
        f"{as_json(text)} names no items.", hint="Give indexes, from 0, as 17, 18-30 or 100-."
    )


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
