"""Sources of items, and the catalog of actions.

Sources are in `fanwise.sources`, catalogs in `fanwise.packs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fanwise.bitmap import Bitmap
from fanwise.catalog import ActionSpec
from fanwise.model import FileFingerprint, Limits
from fanwise.values import Json


class Source(Protocol):
    """Where a fan-out's items come from."""

    total: int | None
    """How many items there are, or None while that isn't known."""

    async def read(self) -> Sequence[Any]:
        """The next few items, as soon as there are any; empty at the end.

        An element is a frozen value, or an `ErrorInfo` for an item that can't be read. Raises
        `AttemptError` if the source as a whole can't be read.
        """

    def close(self) -> None:
        """Give back files and the like; the source isn't read again."""


class Sources(Protocol):
    """Makes the sources of `with-items`. Each method raises `AttemptError` for anything else."""

    def open_source(
        self, kind: str, given: Json, limits: Limits, *, done: Bitmap | None = None
    ) -> Source:
        """Open a stream of one of `SOURCE_KINDS`, with the path or the number that it takes.

        Items whose index is in `done` aren't used: anything may be in their place.
        """

    def open_list(self, value: object) -> Source:
        """Return the source of a list or an iterator: data, which never names a file."""

    def zipped(self, lists: Mapping[str, object]) -> Source:
        """Return the source of lists or iterators that advance together, by their names."""

    def batched(self, source: Source, size: int) -> Source:
        """Lists of up to `size` elements of `source`, each of them one item."""

    def first(self, source: Source, most: int) -> Source:
        """The first `most` items of `source`, which isn't read any further."""

    def stamp(self, path: str) -> FileFingerprint | None:
        """What the file is like now, or None if it is no regular file. May block.

        Raises `AttemptError` if it can't be read.
        """


class Catalog(Protocol):
    """The actions that a workflow can call."""

    def get(self, name: str) -> ActionSpec | None:
        """The action with this name, or None."""

    def names(self) -> Sequence[str]:
        """All names, sorted."""
