"""The times of a run, from its records. Prints nothing, asks no clock.

A visit lasts from its start to its end, and works once its delay is over. A visit that hasn't
ended counts until a given time. Spans are in seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from fanwise.model import ItemTimes, VisitRecord
from fanwise.reports.sessions import Part, Sessions
from fanwise.reports.sums import ItemSums


class SpellTimes(NamedTuple):
    """The times of a visit; see `Spell`."""

    started_at: float
    works_at: float
    ended_at: float
    parts: Sequence[Part]


class Spell(NamedTuple):
    """The time of a visit: from its start to its end, or to the time until which it counts.

    `works_at` is the end of its delay. `parts` are the times in which it was driven: a visit that
    was interrupted has several, and a visit that was retried has those of its items before its
    start.
    """

    visit: VisitRecord
    started_at: float
    works_at: float
    ended_at: float
    parts: Sequence[Part]

    @property
    def span_s(self) -> float:
        """Seconds of all parts; the clock may have been set back."""
        return sum(max(0.0, end - start) for start, end in self.parts)

    @property
    def waited_s(self) -> float:
        """Seconds of the delay, as far as it was driven."""
        waits = (min(end, self.works_at) - max(start, self.started_at) for start, end in self.parts)
        return sum(max(0.0, wait) for wait in waits)

    def at(self, clock: Callable[[float], float]) -> Spell:
        """The same on another clock."""
        times = clock(self.started_at), clock(self.works_at), clock(self.ended_at)
        return Spell(self.visit, *times, [(clock(a), clock(b)) for a, b in self.parts])


class TaskTime(NamedTuple):
    """The time of all visits of a task, `waited_s` of it for delays.

    `items` are those of its last visit, which took `items_span_s`; None without items.
    """

    path: str
    span_s: float
    waited_s: float
    items: ItemTimes | None
    items_span_s: float

    @property
    def items_per_s(self) -> float | None:
        """Items that ended per second."""
        return self._per_s(None if self.items is None else self.items.count)

    @property
    def at_once(self) -> float | None:
        """The average number of items at once, without attempts that were repeated."""
        return self._per_s(None if self.items is None else self.items.busy_s)

    def _per_s(self, amount: float | None) -> float | None:
        return amount / self.items_span_s if amount and self.items_span_s > 0 else None


class RunTime(NamedTuple):
    """The time of a run: `span_s` from its start to the end of its last visit, `driven_s` of it.

    `idle_s` is the part of `driven_s` in which no task worked, or None after a retry, which
    replaces the times of tasks. `tasks` are those that took longest, `others` counts the rest.
    `critical` names the tasks, from the first to the last, of which each had to wait for the one
    before.
    """

    span_s: float
    driven_s: float
    idle_s: float | None
    tasks: Sequence[TaskTime]
    others: int
    critical: Sequence[str]
    critical_s: float


def spell_times(
    records: ItemSums, visits: Iterable[VisitRecord], sessions: Sessions, until: float
) -> dict[int, SpellTimes]:
    """The times of the visits that have started, by `visit_no`.

    Those that haven't ended count until then.
    """
    found = {}
    for visit in visits:
        if visit.started_at is not None:
            ended_at = max(visit.started_at, until if visit.ended_at is None else visit.ended_at)
            works_at = min(max(visit.started_at, visit.due_at or 0.0), ended_at)
            parts = _parts(records, visit, (visit.started_at, ended_at), sessions)
            if visit.ended_at is None:  # items may be younger than the last sign of its process
                ended_at = max(ended_at, parts[-1][1])
            found[visit.visit_no] = SpellTimes(visit.started_at, works_at, ended_at, parts)
    return found


def spells_of(visits: Iterable[VisitRecord], times: Mapping[int, SpellTimes]) -> Sequence[Spell]:
    """The visits that have times, each with its own, in their order."""
    return [Spell(each, *times[each.visit_no]) for each in visits if each.visit_no in times]


def _parts(records: ItemSums, visit: VisitRecord, whole: Part, sessions: Sessions) -> list[Part]:
    """The parts of a visit, at most one of each session.

    Each covers the items that began in its session, so no more of them seem to have run at once
    than did. The row can't tell that: its times are those of the latest retry, and the last sign of
    life of a process that died may be older than its last item.
    """
    begins = [begin for begin, _ in sessions.parts]
    if len(begins) == 1 and (visit.ended_at is not None or not visit.has_items):
        return [whole]
    found = []
    for (begin, stop), next_begin in zip(sessions.parts, [*begins[1:], math.inf], strict=True):
        own = (max(begin, whole[0]), min(stop, whole[1]))
        parts = [own] if own[0] <= own[1] else []
        if visit.has_items:
            between = (begin if len(begins) > 1 else -math.inf, next_begin)
            items = records.item_totals(visit.run_no, visit.visit_no, between=between)
            parts += [(items.first_at, items.last_at)] if items.count else []
        if parts:
            found.append((min(start for start, _ in parts), max(end for _, end in parts)))
    return found or [(whole[1], whole[1])]


def run_time(
    records: ItemSums,
    all_spells: Sequence[Spell],
    sessions: Sessions,
    before: Mapping[str, Collection[str]],
    *,
    most: int = 10,
) -> RunTime:
    """Add up the times of a run, with at most so many tasks.

    `before` has the names of the tasks that lead to each task.
    """
    by_path: dict[str, list[Spell]] = {}
    for spell in all_spells:
        by_path.setdefault(spell.visit.path, []).append(spell)
    ranked = sorted(by_path.values(), key=lambda each: -sum(spell.span_s for spell in each))
    started_at = sessions.parts[0][0]
    ended_at = max((spell.ended_at for spell in all_spells), default=started_at)
    path = critical_path(by_path, before)
    return RunTime(
        span_s=ended_at - started_at,
        driven_s=sessions.before(ended_at),
        idle_s=None if sessions.is_rerun else _idle_s(all_spells, sessions),
        tasks=[_task_time(records, each) for each in ranked[:most]],
        others=len(ranked[most:]),
        critical=[spell.visit.path for spell in path],
        critical_s=sum(spell.span_s for spell in path),
    )


def _task_time(records: ItemSums, task_spells: Sequence[Spell]) -> TaskTime:
    last = task_spells[-1]
    visit = last.visit
    items = records.item_times(visit.run_no, visit.visit_no) if visit.has_items else None
    later_s = 0.0  # of a visit under way items end while its records are read
    if items is not None and visit.ended_at is None:
        last_at = records.item_totals(visit.run_no, visit.visit_no).last_at
        later_s = max(0.0, last_at - last.parts[-1][1])
    return TaskTime(
        path=visit.path,
        span_s=sum(spell.span_s for spell in task_spells),
        waited_s=sum(spell.waited_s for spell in task_spells),
        items=items,
        items_span_s=last.span_s - last.waited_s + later_s,
    )


def _idle_s(all_spells: Iterable[Spell], sessions: Sessions) -> float:
    """The driven time without a task at work, from the start to the end of the last visit."""
    idle_s, free_from = 0.0, 0.0
    works = (
        (sessions.before(max(start, spell.works_at)), sessions.before(end))
        for spell in all_spells
        for start, end in spell.parts
    )
    for works_at, ended_at in sorted(works):
        idle_s += max(0.0, works_at - free_from)
        free_from = max(free_from, ended_at)
    return idle_s


def critical_path(
    by_path: Mapping[str, Sequence[Spell]], before: Mapping[str, Collection[str]]
) -> list[Spell]:
    """The visits that led to the end of the run, each started by the end of the one before it.

    `by_path` has the visits of each task in the order of their ends.
    """
    ends = {path: [_end(spell) for spell in each] for path, each in by_path.items()}
    found: list[Spell] = []
    spell = max((each[-1] for each in by_path.values()), key=_end, default=None)
    while spell is not None:
        found.append(spell)
        start = spell.started_at, spell.visit.visit_no
        earlier = []
        for path in before.get(spell.visit.path, ()):
            place = bisect_left(ends.get(path, ()), start)
            if place:
                earlier.append(by_path[path][place - 1])
        spell = max(earlier, key=_end, default=None)
    return found[::-1]


def _end(spell: Spell) -> tuple[float, int]:
    """The order of ends: visits that took no time are in the order of their starts."""
    return spell.ended_at, spell.visit.visit_no
