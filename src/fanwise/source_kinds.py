"""The kinds of streams that `with-items` can name: the one table.

The language, plans and messages take the kinds from here; `fanwise.sources` has a class for each,
which a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec


class SourceKind(msgspec.Struct, frozen=True):
    """A kind of stream, by the key that names it; `takes` says in words what the key takes.

    `gives` says what each item is, if that is a value without parts.
    """

    name: str
    is_file: bool
    takes: str
    gives: str = ""


_FILE: Final = "takes the path of a file"

SOURCE_KINDS: Final[Mapping[str, SourceKind]] = {
    kind.name: kind
    for kind in (
        SourceKind("jsonl", is_file=True, takes=_FILE),
        SourceKind("csv", is_file=True, takes=_FILE),
        SourceKind("lines", is_file=True, takes=_FILE, gives="text"),
        SourceKind(
            "range",
            is_file=False,
            takes="takes a whole number of 0 or more",
            gives="a number",
        ),
    )
}
"""All kinds by name, in the order in which messages list them."""
