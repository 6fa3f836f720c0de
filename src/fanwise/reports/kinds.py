"""Kinds of errors: the same type, and messages of the same shape.

A shape is a message with placeholders for what may differ from item to item: numbers, quoted text,
addresses and long ids. Statuses and exit codes tell kinds apart. A kind shows placeholders only
where its errors do differ. At most 1,000 kinds are kept, so memory is bounded whatever items say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from fanwise.model import ItemOutcome, Status
from fanwise.ports import Records
from fanwise.reports.plain import clean

MAX_SHAPES = 1_000
"""The most kinds that are counted one by one; the others are counted together."""

_PAGE = 1_000
_MAX_MESSAGE = 500

_varying = re.compile(
    r"""(?P<kept>\b(?:status|code|signal|errno|HTTP)[ :=]+\d+\b)
      | (?P<URL>\w+://[^\s'"<>]+)
      | (?P<TEXT>"[^"]*"|(?<!\w)'[^']*'(?!\w))
      | (?P<ID>\b0x[0-9a-fA-F]+\b
          | \b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b
          | \b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b)
      | (?P<N>\d+(?:[.,:]\d+)*)""",
    re.VERBOSE,
)

_placeholder = re.compile("\0([A-Z]+)\0")


class ErrorKind(msgspec.Struct):
    """Errors of one type and shape: how many there are, and the first of them.

    `shape` has placeholders where the messages differ.
    """

    type: str
    shape: str
    count: int
    index: int
    label: str | None


class Digest(msgspec.Struct):
    """The errors of a task's items. `others` were of kinds beyond `MAX_SHAPES`."""

    kinds: list[ErrorKind]
    failed: int
    others: int


class _Error(msgspec.Struct):
    type: str
    message: str


_read = msgspec.json.Decoder(_Error).decode


class _Group:
    """Errors of one kind while they are counted. `parts` are texts that all of them agree on."""

    __slots__ = ("count", "first", "parts", "shape")

    def __init__(self, first: ItemOutcome, shape: str, parts: Sequence[str]) -> None:
        self.first = first
        self.shape = shape
        self.parts: list[str | None] = list(parts)
        self.count = 1

    def add(self, parts: Sequence[str]) -> None:
        self.count += 1
        for place, part in enumerate(parts):
            if self.parts[place] != part:
                self.parts[place] = None

    def kind(self, type_: str) -> ErrorKind:
        texts = iter(self.parts)
        shape = _placeholder.sub(lambda found: next(texts) or found[1], self.shape)
        return ErrorKind(type_, shape, self.count, self.first.index, self.first.label)


def split(message: str) -> tuple[str, list[str]]:
    """The shape of a message, and the texts in the places of its placeholders.

    A placeholder stands between characters that no message holds.
    """
    parts: list[str] = []

    def take(found: re.Match[str]) -> str:
        if found.lastgroup == "kept":
            return found[0]
        parts.append(found[0])
        return f"\0{found.lastgroup}\0"

    return _varying.sub(take, clean(message[:_MAX_MESSAGE])), parts


def digest_items(records: Records, run_no: int, visit_no: int) -> Digest:
    """Read a task's failed items, page by page, and count their kinds, the most frequent first."""
    groups: dict[tuple[str, str], _Group] = {}
    failed = others = 0
    for item in _failed_items(records, run_no, visit_no):
        assert item.error is not None  # it has failed
        failed += 1
        error = _read(item.error)
        shape, parts = split(error.message)
        group = groups.get((error.type, shape))
        if group is not None:
            group.add(parts)
        elif len(groups) < MAX_SHAPES:
            groups[error.type, shape] = _Group(replace(item, error=None), shape, parts)
        else:
            others += 1
    ranked = sorted(groups.items(), key=lambda each: -each[1].count)
    return Digest([group.kind(type_) for (type_, _), group in ranked], failed, others)


def _failed_items(records: Records, run_no: int, visit_no: int) -> Iterator[ItemOutcome]:
    """A task's failed items in the order of their indexes; holds one page of them."""
    after = -1
    while page := records.items(run_no, visit_no, status=Status.FAILED, after=after, limit=_PAGE):
        yield from page
        after = page[-1].index
