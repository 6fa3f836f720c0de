"""Kinds of errors: the same type, and messages of the same shape.

A shape is a message with placeholders for what differs from item to item: numbers, quoted text,
addresses and long ids. At most 1,000 shapes are kept, so memory is bounded whatever the items say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fanwise.model import ItemOutcome, Status
from fanwise.ports import Records
from fanwise.reports.plain import clean

MAX_SHAPES = 1_000
"""The most kinds that are counted one by one; the others are counted together."""

_PAGE = 1_000
_MAX_MESSAGE = 500

_varying = re.compile(
    r"""(?P<URL>\w+://[^\s'"<>]+)
      | (?P<TEXT>"[^"]*"|(?<!\w)'[^']*'(?!\w))
      | (?P<ID>\b0x[0-9a-fA-F]+\b
          | \b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b
          | \b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b)
      | (?P<N>\d+(?:[.,:]\d+)*)""",
    re.VERBOSE,
)


class ErrorKind(msgspec.Struct):
    """Errors of one type and shape: how many there are, and the first of them."""

    type: str
    shape: str
    count: int
    index: int
    label: str | None
    message: str


class Digest(msgspec.Struct):
    """The errors of a task's items. `others` were of kinds beyond `MAX_SHAPES`."""

    kinds: list[ErrorKind]
    failed: int
    others: int


class _Error(msgspec.Struct):
    type: str
    message: str


_read = msgspec.json.Decoder(_Error).decode


def shape_of(message: str) -> str:
    """The message with placeholders for what differs from item to item."""
    return _varying.sub(lambda found: str(found.lastgroup), clean(message[:_MAX_MESSAGE]))


def digest_items(records: Records, run_no: int, visit_no: int) -> Digest:
    """Read a task's failed items, page by page, and count their kinds, the most frequent first."""
    kinds: dict[tuple[str, str], ErrorKind] = {}
    failed = others = 0
    for item in _failed_items(records, run_no, visit_no):
        assert item.error is not None  # it has failed
        failed += 1
        error = _read(item.error)
        key = error.type, shape_of(error.message)
        kind = kinds.get(key)
        if kind is not None:
            kind.count += 1
        elif len(kinds) < MAX_SHAPES:
            message = error.message[:_MAX_MESSAGE]
            kinds[key] = ErrorKind(*key, 1, item.index, item.label, message)
        else:
            others += 1
    ranked = sorted(kinds.values(), key=lambda kind: -kind.count)
    return Digest(ranked, failed, others)


def _failed_items(records: Records, run_no: int, visit_no: int) -> Iterator[ItemOutcome]:
    """A task's failed items in the order of their indexes; holds one page of them."""
    after = -1
    while page := records.items(run_no, visit_no, status=Status.FAILED, after=after, limit=_PAGE):
        yield from page
        after = page[-1].index
