"""A run at one moment: its status, its tasks with their progress, and its times, from its records.

Figures of a run that isn't over, or was interrupted or retried, follow from the items and sessions
that are recorded. The time is given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fanwise.model import ItemCounts, Run, RunRecord, Status, TaskSummary, VisitRecord
from fanwise.ports import Records
from fanwise.reports.lookup import last_visits, names_before
from fanwise.reports.ownership import Driver, Runs, visit_status
from fanwise.reports.progress import ItemProgress, item_progress
from fanwise.reports.sessions import Sessions, sessions_of
from fanwise.reports.sums import ItemSums, SumsOnce
from fanwise.reports.timing import RunTime, Spell, run_time, spells
from fanwise.values import decode

if TYPE_CHECKING:
    from fanwise.definition import WorkflowDefinition


class Overview(NamedTuple):
    """A run at one moment. `visits` are in the order of their starts, `last` has those of tasks.

    `status` is the one to show. `progress` is that of tasks with items that have started, and
    `spells` are the times of visits that have. `sums` has the sums over items.
    """

    record: RunRecord
    status: str
    driver: Driver | None
    run: Run
    visits: Sequence[VisitRecord]
    last: Mapping[str, VisitRecord]
    progress: Mapping[str, ItemProgress]
    sessions: Sessions | None
    spells: Sequence[Spell]
    sums: ItemSums

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
    records, driving = runs.records, runs.driving(record)
    visits = records.tasks(record.run_no)
    last = last_visits(visits)
    sums = SumsOnce(records)
    found = {name: item_progress(records, visit) for name, visit in last.items()}
    progress = {name: each for name, each in found.items() if each is not None}
    sessions, times = None, []
    if record.started_at is not None:
        until = _until(record, visits, now, is_known=driving.total_s is not None)
        sessions = sessions_of(records, record, None if driving.is_on else driving.total_s, until)
        times = spells(sums, visits, sessions, sessions.parts[-1][1])
        sessions = sessions.covering(part for spell in times for part in spell.parts)
    return Overview(
        record=record,
        status=runs.status(record),
        driver=runs.driver(record) if runs.is_open(record) else None,
        run=_as_run(record, last, progress, names, sessions),
        visits=visits,
        last=last,
        progress=progress,
        sessions=sessions,
        spells=times,
        sums=sums,
    )


def time_of(runs: Runs, seen: Overview, definition: WorkflowDefinition | None) -> RunTime | None:
    """The times of a run, or None if no task has started."""
    if not seen.spells or seen.sessions is None:
        return None
    before = {} if definition is None else names_before(definition)
    return run_time(seen.sums, seen.spells, seen.sessions, before)


def spells_of(records: Records, seen: Overview, visits: Sequence[VisitRecord]) -> Sequence[Spell]:
    """The times of visits of a run, such as steps of a child; none if it was never driven."""
    if (sessions := seen.sessions) is None:
        return []
    return spells(records, visits, sessions, sessions.parts[-1][1])


def timed(
    records: Records, seen: Overview, visits: Sequence[VisitRecord]
) -> tuple[Sequence[Spell], Mapping[int, ItemProgress]]:
    """The times of visits of a run, with the progress of those that have items."""
    progress = {visit.visit_no: item_progress(records, visit) for visit in visits}
    known = {number: items for number, items in progress.items() if items is not None}
    return spells_of(records, seen, visits), known


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


def _as_run(
    record: RunRecord,
    last: Mapping[str, VisitRecord],
    progress: Mapping[str, ItemProgress],
    names: Collection[str],
    sessions: Sessions | None,
) -> Run:
    """The run from its records. A task that has not come up yet is `pending`."""
    listed = dict.fromkeys([*names, *last])
    return Run(
        id=record.id,
        workflow=record.workflow,
        status=record.status,
        started_at=record.started_at,
        ended_at=record.ended_at,
        output=None if record.output is None else decode(record.output),
        error=record.error,
        tasks={name: _summary(name, last.get(name), progress.get(name)) for name in listed},
        driven_s=None if sessions is None else sessions.driven_s,
    )


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
