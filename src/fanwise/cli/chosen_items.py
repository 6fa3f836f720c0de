"""Which items a command line wants, and reading them page by page."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from fanwise.cli.output import as_json
from fanwise.definition import parse_duration
from fanwise.errors import UsageError
from fanwise.model import ItemOutcome, Status
from fanwise.ports import Records

_PAGE: Final = 1_000
_MOST_DIGITS: Final = 18  # of an index: what has more is no number that a store can hold


class Span(NamedTuple):
    """Indexes over `after` and, unless it is None, up to `until`."""

    after: int
    until: int | None


class Wanted(NamedTuple):
    """What is to be true of items; see `Records.items`."""

    status: Status | None
    error: str | None
    label: str | None
    slower_s: float | None


class ChosenItems(NamedTuple):
    """The items of a task that are wanted, in spans that are in order and don't overlap."""

    records: Records
    run_no: int
    visit_no: int
    wanted: Wanted
    spans: Sequence[Span]

    def pages(self, limit: int | None = None) -> Iterator[Sequence[ItemOutcome]]:
        """At most `limit` of them, about a thousand at a time."""
        left = sys.maxsize if limit is None else limit
        held: list[ItemOutcome] = []
        for after, until in self.spans:
            while left and (page := self._page(after, until, min(_PAGE, left))):
                left -= len(page)
                after = page[-1].index
                held += page
                if len(held) >= _PAGE:
                    yield held
                    held = []
        if held:
            yield held

    def has_more(self, last: int) -> bool:
        """Whether any of them comes after the index `last`."""
        return any(
            (until is None or until > last) and self._page(max(after, last), until, 1)
            for after, until in self.spans
        )

    def _page(self, after: int, until: int | None, limit: int) -> Sequence[ItemOutcome]:
        wanted = self.wanted._asdict()
        return self.records.items(
            self.run_no, self.visit_no, **wanted, after=after, until=until, limit=limit
        )


def read_wanted(
    status: str | None, error: str | None, label: str | None, slower: str | None
) -> Wanted:
    """What the options of a command line want. Raises `UsageError`."""
    chosen = None if status is None else Status(status)
    if error is not None:
        if chosen not in (None, Status.FAILED):
            raise UsageError(f"only failed items have an error, not {chosen} ones.")
        chosen = Status.FAILED  # these have an index of their own in a store
    return Wanted(chosen, error, label or None, None if slower is None else _read_slower(slower))


def _read_slower(text: str) -> float:
    """Seconds of a duration or a number. Raises `UsageError`."""
    is_number = text.isascii() and text.replace(".", "", 1).isdigit()
    try:
        return parse_duration(float(text) if is_number else text)
    except ValueError as problem:
        raise UsageError(f"--slower {problem}.") from None


def read_spans(texts: Sequence[str], *, after: int) -> list[Span]:
    """The spans of indexes over `after` that texts name, or all; in order, no index twice.

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
    """The first and the last index of `17`, `18-30` or `100-`. Raises `UsageError`."""
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
