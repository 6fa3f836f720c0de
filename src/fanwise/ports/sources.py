"""Sources of items, and the catalog of actions.

Sources are in `fanwise.sources`, catalogs in `fanwise.packs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from fanwise.bitmap import Bitmap
from fanwise.catalog import ActionSpec
from fanwise.model import FileFingerprint, Limits


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
    """Makes sources of what `with-items` gives. Each raises `AttemptError` for anything else."""

    def open_source(self, value: Any, limits: Limits, *, done: Bitmap | None = None) -> Source:
        """Of what stands in the workflow: a list, `{jsonl: PATH}` and the like, or named lists.

        Nobody wants the items whose index is in `done`: anything may stand in their place.
        """

    def open_list(self, value: Any) -> Source:
        """Of what a template gave, which is data and never names a file: a list or an iterator."""

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
