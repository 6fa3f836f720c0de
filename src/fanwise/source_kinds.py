"""The kinds of streams that `with-items` can name, and their options: the one table.

The language, plans and messages take the kinds from here; `fanwise.sources` has a class for each,
which a test compares. The functions that read options raise `ValueError` with a predicate that says
what is taken, and never quote the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from fanwise.charsets import charset


class SourceKind(msgspec.Struct, frozen=True):
    """A kind of stream, by the key that names it; `takes` says in words what the key takes.

    `example` is a remedy, for what else was written.
    Each of `options` reads the value of a further key. `is_path` says that the key takes a path,
    `has_records` that the items are made from what one file holds, `knows_total` that the number of
    items is known before the first. `gives` says what each item is, if that is a value without
    parts.
    """

    name: str
    takes: str
    example: str
    is_path: bool
    has_records: bool
    knows_total: bool
    options: Mapping[str, Callable[[object], object]] = {}
    gives: str = ""


def parse_delimiter(value: object) -> str:
    """Return the character between fields that a text names. Raises `ValueError`."""
    if value == "tab":
        return "\t"
    if isinstance(value, str) and len(value) == 1 and value.isprintable() and value != '"':
        return value
    if value == "\t":
        return "\t"
    raise ValueError('takes one character such as ";", or tab')


def parse_encoding(value: object) -> str:
    """Return the name of the codec for an encoding of text. Raises `ValueError`."""
    codec = charset(value) if isinstance(value, str) else None
    if codec is None:
        raise ValueError("takes the name of an encoding, such as windows-1252 or utf-16")
    return codec


def parse_header(value: object) -> bool | tuple[str, ...]:
    """Return whether a file has a header, or the names of its fields. Raises `ValueError`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        names = tuple(value)
        if len(set(names)) == len(names):
            return names
    raise ValueError("takes true, false or a list of the fields' names, each another one")


_ENCODING: Final = {"encoding": parse_encoding}


def _file(name: str, gives: str = "", **options: Callable[[object], object]) -> SourceKind:
    return SourceKind(
        name,
        "takes the path of a file",
        f"{{{name}: FILE}}, and options beside it" if name == "csv" else f"{{{name}: FILE}}",
        is_path=True,
        has_records=True,
        knows_total=False,
        options={**options, **_ENCODING},
        gives=gives,
    )


SOURCE_KINDS: Final[Mapping[str, SourceKind]] = {
    kind.name: kind
    for kind in (
        _file("jsonl"),
        _file("csv", delimiter=parse_delimiter, header=parse_header),
        _file("lines", gives="text"),
        SourceKind(
            "files",
            'takes a pattern of paths such as "data/*.csv"',
            '{files: "data/*.csv"}, which gives the paths that match',
            is_path=True,
            has_records=False,
            knows_total=True,
        ),
        SourceKind(
            "range",
            "takes a whole number of 0 or more",
            '{range: 100} for 0 to 99; from another start: with-items: "{{ range(1, 101) }}"',
            is_path=False,
            has_records=False,
            knows_total=True,
            gives="a number",
        ),
    )
}
"""All kinds by name, in the order in which messages list them."""
