"""The ends of runs in a store, as run triggers take them up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fanwise.model import Ending, Lease


class Endings(Protocol):
    """Ends of runs, recorded in the transactions that end them. Any thread may call; they block.

    An end is kept for a week, and goes with its run.
    """

    def number_endings(self) -> int:
        """Give numbers to ends that have none yet, and return the highest number so far."""

    def endings(self, after: int, most: int) -> Sequence[Ending]:
        """Return the ends with numbers above `after`, the lowest first, at most `most`."""

    def held_leases(self) -> Sequence[Lease]:
        """Return the leases under which runs are driven, or were until their engines died."""

    def note_interrupted(self, leases: Sequence[Lease]) -> None:
        """Record that the runs of these leases are interrupted, each once, if that still holds."""
