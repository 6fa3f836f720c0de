"""The times of a run, from its records. Prints nothing, asks no clock.

A visit lasts from its start to its end, and works once its delay is over. A visit that hasn't
ended counts until a given time. Spans are in seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from fanwise.model import ItemTimes, VisitRecord
from fanwise.ports import Records


class Spell(NamedTuple):
    """The start of a visit, the end of its delay, and its end or the time until which it counts."""

    visit: VisitRecord
    started_at: float
    works_at: float
    ended_at: float

    @property
    def span_s(self) -> float:
        """From start to end."""
        return max(0.0, self.ended_at - self.started_at)  # the clock may have been set back


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
    """The time of a run, and the part of it in which no task worked.

    `tasks` are those that took longest, `others` counts the rest. `critical` names the tasks, from
    the first to the last, of which each had to wait for the one before.
    """

    span_s: float
    idle_s: float
    tasks: Sequence[TaskTime]
    others: int
    critical: Sequence[str]
    critical_s: float


def spells(visits: Iterable[VisitRecord], until: float) -> list[Spell]:
    """The visits that have started. Those that haven't ended count until then."""
    found = []
    for visit in visits:
        if visit.started_at is not None:
            ended_at = max(visit.started_at, until if visit.ended_at is None else visit.ended_at)
            works_at = min(max(visit.started_at, visit.due_at or 0.0), ended_at)
            found.append(Spell(visit, visit.started_at, works_at, ended_at))
    return found


def run_time(
    records: Records,
    all_spells: Sequence[Spell],
    started_at: float,
    before: Mapping[str, Collection[str]],
    *,
    most: int = 10,
) -> RunTime:
    """Add up the times of a run that started at `started_at`, with at most so many tasks.

    `before` has the names of the tasks that lead to each task.
    """
    by_path: dict[str, list[Spell]] = {}
    for spell in all_spells:
        by_path.setdefault(spell.visit.path, []).append(spell)
    ranked = sorted(by_path.values(), key=lambda each: -sum(spell.span_s for spell in each))
    ended_at = max((spell.ended_at for spell in all_spells), default=started_at)
    path = critical_path(by_path, before)
    return RunTime(
        span_s=ended_at - started_at,
        idle_s=_idle_s(all_spells, started_at),
        tasks=[_task_time(records, each) for each in ranked[:most]],
        others=len(ranked[most:]),
        critical=[spell.visit.path for spell in path],
        critical_s=sum(spell.span_s for spell in path),
    )


def _task_time(records: Records, task_spells: Sequence[Spell]) -> TaskTime:
    last = task_spells[-1]
    visit = last.visit
    items = records.item_times(visit.run_no, visit.visit_no) if visit.has_items else None
    return TaskTime(
        path=visit.path,
        span_s=sum(spell.span_s for spell in task_spells),
        waited_s=sum(spell.works_at - spell.started_at for spell in task_spells),
        items=items,
        items_span_s=last.ended_at - last.works_at,
    )


def _idle_s(all_spells: Iterable[Spell], started_at: float) -> float:
    """The time without a task at work, from `started_at` to the end of the last visit."""
    idle_s, free_from = 0.0, started_at
    for works_at, ended_at in sorted((spell.works_at, spell.ended_at) for spell in all_spells):
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
