"""Items of a task, chosen by conditions and spans of indexes, and read page by page."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, NamedTuple, Protocol

import msgspec

from fanwise.errors import UsageError
from fanwise.model import ItemOutcome, Status
from fanwise.ports import PAGE_BYTES, Records
from fanwise.reports.plain import escaped

_PAGE: Final = 1_000
_MOST_DIGITS: Final = 18  # of an index: what has more is no number that a store can hold


class Span(NamedTuple):
    """Indexes above `after` and, unless it is None, up to `until`."""

    after: int
    until: int | None


class ItemFilters(NamedTuple):
    """Conditions on items; see `Records.items`."""

    status: Status | None = None
    error: str | None = None
    label: str | None = None
    slower_s: float | None = None
    kind: Annotated[int, msgspec.Meta(ge=0, le=10**18)] | None = None


class ReadItems(Protocol):
    """Reads items of one task that meet some conditions; see `Records.items`."""

    def __call__(
        self, after: int, until: int | None, limit: int, beginning: int | None
    ) -> Sequence[ItemOutcome]:
        """The first `limit` of them at most, or fewer if they are large."""


def reader_of(records: Records, run_no: int, visit_no: int, filters: ItemFilters) -> ReadItems:
    """Return what reads the items of a visit from a store."""

    def read(
        after: int, until: int | None, limit: int, beginning: int | None
    ) -> Sequence[ItemOutcome]:
        return records.items(
            run_no,
            visit_no,
            **filters._asdict(),
            after=after,
            until=until,
            limit=limit,
            beginning=beginning,
        )

    return read


class ItemPages(NamedTuple):
    """The items that `read` gives, in spans that are in order and don't overlap."""

    read: ReadItems
    spans: Sequence[Span]

    def pages(
        self, limit: int | None = None, *, beginning: int | None = None
    ) -> Iterator[Sequence[ItemOutcome]]:
        """Yield at most `limit` items, about a thousand or `PAGE_BYTES` at a time.

        Outputs are cut off behind `beginning` characters, if that is given.
        """
        left = sys.maxsize if limit is None else limit
        held: list[ItemOutcome] = []
        size = 0
        for after, until in self.spans:
            while left and (page := self.read(after, until, min(_PAGE, left), beginning)):
                left -= len(page)
                after = page[-1].index
                size += sum(len(item.output or b"") + len(item.error or b"") for item in page)
                held += page
                del page  # else its items would stay while the next ones are read
                if len(held) >= _PAGE or size >= PAGE_BYTES:
                    yield held
                    held, size = [], 0
        if held:
            yield held

    def has_more(self, last: int) -> bool:
        """Say whether any item comes after the index `last`."""
        return any(
            (until is None or until > last) and self.read(max(after, last), until, 1, 0)
            for after, until in self.spans
        )


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


def clipped(spans: Sequence[Span], until: int | None) -> list[Span]:
    """Return spans without the indexes above `until`, if that is given."""
    if until is None:
        return list(spans)
    return [
        Span(span.after, until if span.until is None else min(span.until, until))
        for span in spans
        if span.after < until
    ]


def _read_span(text: str) -> tuple[int, int]:
    """Read the first and the last index of `17`, `18-30` or `100-`. Raises `UsageError`."""
    first, dash, last = text.partition("-")
    if _is_index(first) and (not last or _is_index(last)):
        end = int(last) if last else sys.maxsize if dash else int(first)
        if int(first) <= end:
            return int(first), end
    raise UsageError(
        f"{escaped(msgspec.json.encode(text).decode())} names no items.",
        hint="Give indexes, from 0, as 17, 18-30 or 100-.",
    )


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
