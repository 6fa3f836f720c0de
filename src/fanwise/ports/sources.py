"""Sources of items, and the catalog of actions.

Sources are in `fanwise.sources`, catalogs in `fanwise.packs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from fanwise.bitmap import Bitmap
from fanwise.catalog import ActionSpec
from fanwise.model import ErrorInfo, FileFingerprint, Limits
from fanwise.values import EMPTY_DICT, Json

Notice: TypeAlias = Callable[[str], None]
"""Takes a fact that people should know, as a sentence."""


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
        self,
        kind: str,
        given: Json,
        limits: Limits,
        *,
        options: Mapping[str, Json] = EMPTY_DICT,
        done: Bitmap | None = None,
        notice: Notice | None = None,
    ) -> Source:
        """Open a stream of one of `SOURCE_KINDS`, with the path or the number that it takes.

        `options` are those of its kind. Items whose index is in `done` aren't used: anything may be
        in their place. `notice` is told what looks like a mistake.
        """

    def open_list(self, value: object) -> Source:
        """Return the source of a list or an iterator: data, which never names a file."""

    def zipped(self, lists: Mapping[str, object]) -> Source:
        """Return the source of lists or iterators that advance together, by their names."""

    def sound(self, source: Source, left_out: Callable[[int, Sequence[ErrorInfo]], None]) -> Source:
        """The items of `source` that can be read.

        `left_out` is told of each chunk how many these are, and the errors of the others.
        """

    def batched(self, source: Source, size: int) -> Source:
        """Lists of up to `size` elements of `source`, each of them one item."""

    def first(self, source: Source, most: int) -> Source:
        """The first `most` items of `source`, which isn't read any further."""

    def stamp(self, kind: str, path: str) -> FileFingerprint | None:
        """What the file that a stream of this kind reads is like now. May block.

        It is None for a file that isn't a regular one. Of `files` it is the fingerprint of the
        names that match. Raises `AttemptError` if it can't be read.
        """


class Catalog(Protocol):
    """The actions that a workflow can call."""

    def get(self, name: str) -> ActionSpec | None:
        """The action with this name, or None."""

    def names(self) -> Sequence[str]:
        """All names, sorted."""
