"""The items of a task as a whole: tiles, cells, kinds of errors; and the changes of runs.

Nothing here grows with the number of items but what says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from fanwise.model import ErrorKind, Tile, VisitProgress

MOST_CELLS = 100_000
"""The most cells that are given at once."""


class Tiles(Protocol):
    """Many items at once, as people see them. Any thread may call these; they may block."""

    def tiles(self, run_no: int, visit_no: int) -> Sequence[Tile]:
        """The task's tiles that have recorded items, in the order of their numbers.

        They are exact: a tile changes in the transaction that records an item, or takes it back.
        """

    def tile_totals(self, run_no: int, visit_no: int) -> Tile:
        """The task's tiles added up, as one tile with the number 0."""

    def cells(self, run_no: int, visit_no: int, start: int, stop: int) -> bytes:
        """A byte for each index with `start <= index < stop`, 0 if no item is recorded.

        Bits 0 and 1 are the status (1 succeeded, 2 failed, 3 any other), bits 2 and 3 the attempts
        less one, at most 3, and bits 4 to 7 how many of `CELL_SPANS_S` the last one took at least.
        Raises `ValueError` for more than `MOST_CELLS`.
        """

    def failed_indexes(
        self, run_no: int, visit_no: int, *, after: int = -1, limit: int = 20_000
    ) -> Sequence[int]:
        """The first `limit` indexes over `after` of items that have failed, in their order."""

    def last_failed_before(self, run_no: int, visit_no: int, index: int) -> int | None:
        """The highest index under `index` of an item that has failed, or None."""

    def kinds(self, run_no: int, visit_no: int, *, limit: int = 1_001) -> Sequence[ErrorKind]:
        """The kinds of errors of the task's failed items, the most frequent first."""

    def progress(self, run_no: int) -> Mapping[int, VisitProgress]:
        """The latest progress of the run's visits with items, by `visit_no`.

        It is as old as it says, and means something only while a visit is in work.
        """

    def in_work(
        self, run_nos: Collection[int], *, told_s: float
    ) -> Sequence[tuple[VisitProgress, Tile]]:
        """The visits with items that these runs are at work on, with their tiles added up.

        Their progress is less than `told_s` older than the newest of their run.
        """


class Heads(NamedTuple):
    """The state of some runs: the number of changes of each, by `run_no`, 0 for none.

    `newest` is the `run_no` of the newest run of all.
    """

    runs: Mapping[int, int] = {}
    newest: int = 0


class Changes(Protocol):
    """Hears of changes that any process makes. Any thread may call these; they block."""

    def heads(self, run_nos: Collection[int]) -> Heads:
        """The state of these runs."""

    def await_heads(self, seen: Heads, timeout_s: float) -> Heads:
        """Block until the state of the runs in `seen` is another one; return what it is then.

        After `timeout_s` it is returned although it is the same. A run changes with each commit of
        its records, and when an engine takes it or gives it back, a request is sent to it, an order
        for it is given or declined, or a wait is settled. A run that was deleted has no changes.
        """
