"""Records that stand for many items: tiles, cells, kinds of errors, and the progress of a visit."""

from __future__ import annotations

from typing import Final

import msgspec

TILE_ITEMS: Final = 1_000
"""The number of indexes in a tile: tile 0 has the items 0 to 999."""

MAX_KINDS: Final = 1_000
"""The most kinds of errors that are told apart in a visit; the others are one kind."""

OTHER_KINDS: Final = 0
"""The number of the kind that stands for all beyond `MAX_KINDS`, without a type and a shape."""

CELL_SPANS_S: Final = tuple((1 << power) / 1_000 for power in range(15))
"""The spans at which the duration in a cell is the next higher one: 1 ms, 2 ms, 4 ms up to 16 s."""


class Tile(msgspec.Struct, frozen=True, gc=False):
    """The recorded items of a visit among `TILE_ITEMS` indexes in a row.

    `attempts` is for all together; their last attempts took `busy_s`, and the longest `longest_s`.
    """

    number: int
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    attempts: int = 0
    busy_s: float = 0.0
    longest_s: float = 0.0

    @property
    def items(self) -> int:
        """The number of its recorded items."""
        return self.succeeded + self.failed + self.cancelled


class ErrorKind(msgspec.Struct, frozen=True, gc=False):
    """Errors of a visit's items that have one type, and messages of one shape.

    `number` is that of the kind within the visit. `shape` has a word such as TEXT or N where the
    messages differ. `index`, `label` and `message` are those of the item with the lowest index.
    """

    number: int
    type: str
    shape: str
    count: int
    index: int
    label: str | None
    message: str


class VisitProgress(msgspec.Struct, frozen=True, gc=False):
    """The progress of a visit in work, as its engine knew it at `at`.

    `total` is the number of its items so far as it is known. `running` items are being tried and
    `waiting` ones wait to be retried; `per_s` ended in a second lately.
    """

    run_no: int
    visit_no: int
    at: float
    total: int | None
    running: int
    waiting: int
    per_s: float
