"""The lanes of a timeline: one for each visit of a task, or for visits that share one.

Of very many visits those that went wrong and the longest have lanes of their own, and what lies
between two of them shares one, so a timeline never has more than about twice as many lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fanwise.model import Status
from fanwise.reports.ownership import visit_status
from fanwise.reports.plain import shorten
from fanwise.reports.progress import ItemProgress
from fanwise.reports.timing import Spell
from fanwise.units import show_span


class Lane(NamedTuple):
    """One visit, or the visits that share a lane.

    `status` and `items` are the status and the items of a sole visit, as they are shown.
    """

    spells: Sequence[Spell]
    status: str = ""
    items: str = ""

    @property
    def is_shared(self) -> bool:
        """True if several visits share the lane."""
        return len(self.spells) > 1

    @property
    def depth(self) -> int:
        """The number of tasks that the visit runs inside of."""
        return 0 if self.is_shared else self.spells[0].visit.path.count(".")

    @property
    def name(self) -> str:
        """The task of a sole visit, or the number of visits."""
        if self.is_shared:
            return f"({len(self.spells):,} visits)"
        visit = self.spells[0].visit
        name = visit.path.rpartition(".")[2]
        return f"{name} #{visit.visit}" if visit.visit > 1 else name

    def short_name(self, most: int) -> str:
        """The name, of at most so many characters with its depth, two for each."""
        return shorten(self.name, max(8, most - 2 * self.depth))

    @property
    def remark(self) -> str:
        """The span, the attempts, and the end unless it went well."""
        if self.is_shared:
            return ""
        spell = self.spells[0]
        parts = [show_span(spell.span_s)]
        if self.items:
            parts.append(self.items)
        elif spell.visit.attempts > 1:
            parts.append(f"{spell.visit.attempts:,} attempts")
        if spell.visit.status is not Status.SUCCEEDED:
            parts.append(self.status)
        return ", ".join(parts)


def lanes(
    spells: Sequence[Spell], progress: Mapping[int, ItemProgress], *, run_status: str, most: int
) -> list[Lane]:
    """The lanes of visits, in the order of their starts, with at most so many of sole visits.

    `progress` is that of visits with items, by `visit_no`; `run_status` is the shown one.
    """
    alone = _alone(spells, most)
    return [
        Lane(shared)
        if len(shared) > 1
        else Lane(shared, visit_status(visit.status, run_status), _items(progress, visit.visit_no))
        for shared in _shared(spells, alone)
        for visit in [shared[0].visit]
    ]


def _items(progress: Mapping[int, ItemProgress], visit_no: int) -> str:
    items = progress.get(visit_no)
    return "" if items is None else items.counted


def _shared(spells: Sequence[Spell], alone: set[int]) -> Iterator[Sequence[Spell]]:
    """The visits of each lane, in the order of starts."""
    between: list[Spell] = []
    for spell in spells:
        if spell.visit.visit_no not in alone:
            between.append(spell)
            continue
        if between:
            yield between
            between = []
        yield [spell]
    if between:
        yield between


def _alone(spells: Sequence[Spell], most: int) -> set[int]:
    """The numbers of the visits that have lanes of their own."""
    if len(spells) <= most:
        return {spell.visit.visit_no for spell in spells}
    longest = sorted(spells, key=lambda spell: -spell.span_s)
    troubled = [spell for spell in longest if spell.visit.status is not Status.SUCCEEDED]
    ranked = dict.fromkeys(spell.visit.visit_no for spell in [*troubled[: most * 3 // 4], *longest])
    return set(list(ranked)[:most])
