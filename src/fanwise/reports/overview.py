"""A run at one moment: its status, its tasks with their progress, and its times, from its records.

Figures of a run that isn't over, or was interrupted or retried, follow from the items and sessions
that are recorded. The time is given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fanwise.model import (
    ItemCounts,
    Run,
    RunRecord,
    Status,
    TaskSummary,
    VisitRecord,
    driven_span,
)
from fanwise.ports import Records
from fanwise.reports.lookup import last_visits, names_before, task_names
from fanwise.reports.ownership import Driver, Runs, visit_status
from fanwise.reports.progress import ItemProgress, item_progress
from fanwise.reports.sessions import Sessions, sessions_of
from fanwise.reports.sums import ItemSums, SumsOnce
from fanwise.reports.timing import RunTime, Spell, SpellTimes, run_time, spell_times, spells_of
from fanwise.values import decode

if TYPE_CHECKING:
    from fanwise.definition import WorkflowDefinition


class Overview(msgspec.Struct, frozen=True, dict=True):
    """A run at one moment. `visits` are in the order of their starts.

    `status` is the one to show. `names` are of tasks that are listed first. `progress` is that of
    tasks with items that have started, and `times` those of visits that have, by `visit_no`.
    """

    record: RunRecord
    status: str
    driver: Driver | None
    names: Sequence[str]
    visits: Sequence[VisitRecord]
    progress: Mapping[str, ItemProgress]
    sessions: Sessions | None
    times: Mapping[int, SpellTimes]

    @cached_property
    def last(self) -> Mapping[str, VisitRecord]:
        """The last visit of each task."""
        return last_visits(self.visits)

    @cached_property
    def spells(self) -> Sequence[Spell]:
        """The times of the visits that have started, in their order."""
        return spells_of(self.visits, self.times)

    @cached_property
    def run(self) -> Run:
        """The run with its tasks. A task that has not come up yet is `pending`."""
        record = self.record
        listed = dict.fromkeys([*self.names, *self.last])
        return Run(
            id=record.id,
            workflow=record.workflow,
            status=record.status,
            started_at=record.started_at,
            ended_at=record.ended_at,
            output=None if record.output is None else decode(record.output),
            error=record.error,
            tasks={
                name: _summary(name, self.last.get(name), self.progress.get(name))
                for name in listed
            },
            driven_s=None if self.sessions is None else self.sessions.driven_s,
        )

    def task_status(self, name: str) -> str:
        """The status of a task to show."""
        return visit_status(self.run.tasks[name].status, self.status)

    def duration_s(self, name: str) -> float | None:
        """The seconds for which the last visit of a task was driven; None before its start."""
        found = [spell for spell in self.spells if spell.visit is self.last.get(name)]
        return found[-1].span_s if found else None


def overview(runs: Runs, record: RunRecord, names: Collection[str], now: float) -> Overview:
    """The run as it stands at `now`. `names` are of tasks to list first, in their order.

    It has all tasks that have come up as well.
    """
    return _overview(runs, record, names, now, SumsOnce(runs.records))


def driven_s(runs: Runs, record: RunRecord, now: float) -> float | None:
    """The seconds for which the run was driven, up to `now` if it is; None if unknown."""
    return driven_times(runs, [record], now).get(record.run_no)


def driven_times(
    runs: Runs, records: Collection[RunRecord], now: float
) -> Mapping[int, float | None]:
    """The seconds for which runs were driven, by their numbers; see `driven_s`.

    They are those of their overviews, which are made only where the leases alone don't tell.
    """
    started = [each for each in records if each.started_at is not None]
    leases = runs.ownership.leases([each.run_no for each in started])
    found = {}
    for record in started:
        driving = runs.driving_by(leases.get(record.run_no))
        if driving.is_exact:
            span_s = driven_span(record.started_at, record.ended_at, driving.total_s)
        else:
            span_s = overview(runs, record, (), now).run.duration_s
        found[record.run_no] = span_s
    return found


def timed_overview(
    runs: Runs, record: RunRecord, definition: WorkflowDefinition | None, now: float
) -> tuple[Overview, RunTime | None]:
    """The run as it stands at `now`, and where its time went; None if no task has started.

    All tasks of the `definition` are listed, if it is known.
    """
    sums = SumsOnce(runs.records)
    seen = _overview(runs, record, task_names(definition), now, sums)
    if not seen.spells or seen.sessions is None:
        return seen, None
    before = {} if definition is None else names_before(definition)
    return seen, run_time(sums, seen.spells, seen.sessions, before)


def _overview(
    runs: Runs, record: RunRecord, names: Collection[str], now: float, sums: ItemSums
) -> Overview:
    records = runs.records
    visits = records.tasks(record.run_no)
    found = {name: item_progress(records, visit) for name, visit in last_visits(visits).items()}
    sessions, times = _sessions(runs, record, visits, now), {}
    if sessions is not None:
        times = spell_times(sums, visits, sessions, sessions.parts[-1][1])
        sessions = sessions.covering(part for each in times.values() for part in each.parts)
    return Overview(
        record=record,
        status=runs.status(record),
        driver=runs.driver(record) if runs.is_open(record) else None,
        names=list(names),
        visits=visits,
        progress={name: each for name, each in found.items() if each is not None},
        sessions=sessions,
        times=times,
    )


def visit_span(runs: Runs, record: RunRecord, visit: VisitRecord, now: float) -> float | None:
    """The seconds for which a visit was driven; None before its start.

    They are as an overview has them once it has ended, and until then without a look at its items.
    """
    if visit.started_at is None:
        return None
    driving = runs.driving(record)
    if driving.is_exact and (driving.is_on or visit.ended_at is not None):
        return (now if visit.ended_at is None else visit.ended_at) - visit.started_at
    visits = runs.records.tasks(record.run_no)
    if (sessions := _sessions(runs, record, visits, now)) is None:
        return None
    if visit.ended_at is None:
        return sum(max(0.0, end - max(begin, visit.started_at)) for begin, end in sessions.parts)
    times = spell_times(runs.records, [visit], sessions, sessions.parts[-1][1])
    return sum(spell.span_s for spell in spells_of([visit], times))


class Steps(NamedTuple):
    """Visits, with their times and the progress of their items, both by `visit_no`."""

    visits: Sequence[VisitRecord]
    times: Mapping[int, SpellTimes]
    progress: Mapping[int, ItemProgress]

    @property
    def spells(self) -> Sequence[Spell]:
        """The times of the visits that have started, in their order."""
        return spells_of(self.visits, self.times)


def steps_of(records: Records, seen: Overview, visits: Sequence[VisitRecord]) -> Steps:
    """Visits of a run, such as the steps of a child workflow; without times if none drove it."""
    progress = {visit.visit_no: item_progress(records, visit) for visit in visits}
    known = {number: each for number, each in progress.items() if each is not None}
    if (sessions := seen.sessions) is None:
        return Steps(visits, {}, known)
    left = [visit for visit in visits if visit.visit_no not in seen.times]
    times = spell_times(records, left, sessions, sessions.parts[-1][1])
    return Steps(visits, {**seen.times, **times}, known)


def _sessions(
    runs: Runs, record: RunRecord, visits: Sequence[VisitRecord], now: float
) -> Sessions | None:
    """The sessions of a run with these visits; None before its start."""
    if record.started_at is None:
        return None
    driving = runs.driving(record)
    until = _until(record, visits, now, is_known=driving.total_s is not None)
    return sessions_of(runs.records, record, None if driving.is_on else driving.total_s, until)


def _until(
    record: RunRecord, visits: Sequence[VisitRecord], now: float, *, is_known: bool
) -> float:
    """The end of a run's last session: of a run that is neither over nor driven, as far as known.

    If `is_known` the sessions end with the last sign of life, else with what was recorded last.
    """
    if record.ended_at is not None:
        return record.ended_at
    if is_known:
        return now
    times = (at for visit in visits for at in (visit.started_at, visit.ended_at) if at is not None)
    return max(times, default=record.started_at or now)


def _summary(name: str, task: VisitRecord | None, items: ItemProgress | None) -> TaskSummary:
    if task is None:
        return TaskSummary(name, Status.PENDING, None, None, 0, None, None)
    counts, attempts = task.items, task.attempts
    if items is not None:
        total = items.done if items.total is None else items.total
        counts, attempts = ItemCounts(total, items.succeeded, items.failed), items.attempts
    return TaskSummary(
        name, task.status, task.started_at, task.ended_at, attempts, task.error, counts
    )
