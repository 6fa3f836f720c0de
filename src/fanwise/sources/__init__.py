"""Sources of a fan-out's items: lists, ranges, and files that are read as they grow.

A source is read once, by one reader at a time, and holds no more than a few chunks of at most
`CHUNK_ITEMS` items, or of `LIST_ITEMS` if they are in memory anyway. Each `read` gives what is
there, without waiting for a full chunk. Items are frozen values; what is wrong with one item is an
`ErrorInfo` in its place, and what is wrong with the whole is an `AttemptError`. Implements
`fanwise.ports.Source`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from fanwise.bitmap import Bitmap
from fanwise.errors import AttemptError
from fanwise.model import ErrorInfo, Limits
from fanwise.ports import Notice, Source
from fanwise.source_kinds import SOURCE_KINDS
from fanwise.sources.batches import BatchSource, FirstSource, SoundSource
from fanwise.sources.csv import CsvSource
from fanwise.sources.errors import source_error
from fanwise.sources.files import JsonLinesSource, LinesSource
from fanwise.sources.globs import FilesSource
from fanwise.sources.lists import (
    LIST_ITEMS,
    IteratorSource,
    ListSource,
    RangeSource,
    ZippedSource,
)
from fanwise.sources.stamps import stamp
from fanwise.values import CHUNK_ITEMS, EMPTY_DICT, Json, LazyList

FILE_SOURCES: Final[Mapping[str, Callable[..., Source]]] = {
    "csv": CsvSource,
    "files": FilesSource,
    "jsonl": JsonLinesSource,
    "lines": LinesSource,
}

_REMEDIES: Final[Mapping[str, str]] = {
    "a map": "Name a list inside of it.",
    "text": "To read a file's lines, write `with-items: {lines: path}`.",
    "a number": "To count, write `with-items: {range: N}`.",
}


def open_source(
    kind: str,
    given: Json,
    limits: Limits,
    *,
    options: Mapping[str, Json] = EMPTY_DICT,
    done: Bitmap | None = None,
    notice: Notice | None = None,
) -> Source:
    """Open a stream of one of `SOURCE_KINDS`, with the path or the number that it takes.

    Only the text of a workflow names a stream: the result of a template is data, and belongs to
    `open_list`. Items of a file with JSON whose index is in `done` are None, since nobody wants
    them. `notice` is told what looks like a mistake. Raises `AttemptError` if the kind doesn't take
    `given`, or an option its value.
    """
    if kind == "range":
        return RangeSource(given)
    if not isinstance(given, str):
        raise _not_items(f"`{kind}` in with-items", given, "the path of a file")
    read = {name: _option(kind, name, value) for name, value in options.items()}
    return FILE_SOURCES[kind](given, limits, done, notice=notice, **read)


def _option(kind: str, name: str, value: Json) -> object:
    try:
        return SOURCE_KINDS[kind].options[name](value)
    except ValueError as error:
        text = f"`{name}` in with-items {error}; its template gave something else."
        raise source_error("WithItemsError", text) from None


def zipped(lists: Mapping[str, object]) -> Source:
    """Return the source of lists or iterators that advance together, by their names."""
    return ZippedSource(
        {name: open_list(part, f"`{name}` in with-items") for name, part in lists.items()}
    )


def open_list(value: object, what: str = "with-items") -> Source:
    """The source of a list or an iterator. Raises `AttemptError` for anything else."""
    if isinstance(value, list | tuple | LazyList):
        return ListSource(value)
    if isinstance(value, Iterator):
        return IteratorSource(value)
    raise _not_items(what, value, "a list")


def sound(source: Source, left_out: Callable[[int, Sequence[ErrorInfo]], None]) -> Source:
    """The items of `source` that can be read; `left_out` is told of those that can't."""
    return SoundSource(source, left_out)


def batched(source: Source, size: int) -> Source:
    """Lists of up to `size` elements of `source`, each of them one item."""
    return BatchSource(source, size)


def first(source: Source, most: int) -> Source:
    """The first `most` items of `source`, which isn't read any further."""
    return FirstSource(source, most)


def _not_items(what: str, value: object, wanted: str) -> AttemptError:
    found = _kind(value)
    return source_error(
        "WithItemsError", f"{what} is {found}, not {wanted}.", hint=_REMEDIES.get(found, "")
    )


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a map"
        case list():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


__all__ = [
    "CHUNK_ITEMS",
    "LIST_ITEMS",
    "BatchSource",
    "CsvSource",
    "FilesSource",
    "FirstSource",
    "IteratorSource",
    "JsonLinesSource",
    "LinesSource",
    "ListSource",
    "RangeSource",
    "SoundSource",
    "ZippedSource",
    "batched",
    "first",
    "open_list",
    "open_source",
    "sound",
    "stamp",
    "zipped",
]
