"""Moments at which more holders of slots were at work than there are slots, by recorded times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Spell(NamedTuple):
    """A time for which a holder of a slot was at work, in seconds since the epoch."""

    holder: str
    started_at: float
    ended_at: float


def too_many(spells: Iterable[Spell], most: int) -> Iterator[str]:
    """The moments at which more than `most` were at work; who begins as another ends is no more."""
    changes: list[tuple[float, int, str]] = []
    for each in spells:
        changes += [(each.started_at, 1, each.holder), (each.ended_at, -1, each.holder)]
    working = Counter[str]()
    for at, change, holder in sorted(changes):
        working[holder] += change
        if len(+working) > most:
            yield f"at {at} {', '.join(sorted(+working))} were at work together"
