"""A run that another process drives, followed by its records until it ends or is paused.

It shows the same bars or lines as the process that drives the run, whose engine records once a
second how many items run and wait.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from fanwise.cli.live import open_display
from fanwise.cli.live.progress import ProgressDisplay
from fanwise.definition import Tolerance, WorkflowDefinition
from fanwise.model import RequestKind, RunRecord, Status, VisitProgress, VisitRecord
from fanwise.ports import Changes
from fanwise.reports.lookup import find_run
from fanwise.reports.overview import overview
from fanwise.reports.ownership import Runs
from fanwise.reports.progress import item_progress

_LOOK_S = 1.0
"""The time after which it looks in any case: that a process has died is recorded by nobody."""

_LEAST_S = 0.25
"""The time between two looks at a run that changes all the time."""

_GOING = (Status.PENDING, Status.RUNNING)


def follow(
    runs: Runs, changes: Changes, record: RunRecord, definition: WorkflowDefinition | None
) -> RunRecord:
    """Show how a run gets on until nothing drives it any more; return its record then.

    It looks once there are `changes` of the run. Tasks that had ended before aren't told again.
    `definition` is the run's workflow, if known.
    """
    display = open_display()
    follower = Follower(runs, display, {} if definition is None else _tolerances(definition))
    shown_at = time.monotonic()
    seen = changes.heads([record.run_no])
    with display.opened():
        while runs.status(record) in _GOING:
            began = time.monotonic()
            follower.look(record)
            if began - shown_at >= display.interval_s:
                display.refresh()
                shown_at = began
            time.sleep(_LEAST_S)
            seen = changes.await_heads(seen, _LOOK_S - _LEAST_S)
            record = find_run(runs.records, record.id)
        follower.look(record)
    return record


def _tolerances(definition: WorkflowDefinition) -> dict[str, Tolerance]:
    """The failed items that each task accepts, of the tasks whose text alone says so."""
    return {
        task.name: task.tolerate
        for task in (*definition.tasks, *definition.ending)
        if isinstance(task.tolerate, Tolerance) and task.bad_records == "fail"
    }


class _Recorded:
    """The progress of a visit by its records; implements `ports.TaskProgress`."""

    def __init__(self, visit: VisitRecord, tolerance: Tolerance | None) -> None:
        self.name = visit.path
        self.visit = visit.visit
        self.has_items = visit.has_items
        self.total: int | None = None if visit.has_items else 1
        self.succeeded = 0
        self.failed = 0
        self.running = 0 if visit.has_items else 1
        self.waiting = 0
        self.restored = 0
        self.bad_records: int | None = None  # known at the end of the task
        self.is_stopping = False
        self.is_failing = False
        self._tolerance = tolerance

    def count(self, total: int | None, succeeded: int, failed: int) -> None:
        """Take the counts of the items."""
        self.total, self.succeeded, self.failed = total, succeeded, failed
        known = succeeded + failed if total is None else total
        if self._tolerance is not None:
            self.is_failing = failed > self._tolerance.allowed(known)


class Follower:
    """Tells a display about the visits of a run that start, get on and end."""

    def __init__(
        self, runs: Runs, display: ProgressDisplay, tolerances: Mapping[str, Tolerance]
    ) -> None:
        self._runs = runs
        self._records = runs.records
        self._display = display
        self._tolerances = tolerances
        self._watched: dict[int, _Recorded] = {}
        self._asked: tuple[RequestKind, ...] = ()

    def look(self, record: RunRecord) -> None:
        """Read requests and visits, and tell the display of the changes since the last time."""
        driver = self._runs.driver(record)
        asked = () if driver is None else driver.requests
        for kind in asked:
            if kind not in self._asked:
                self._display.notice(f"{record.id} was asked to {kind}, and is being stopped.")
        self._asked = asked
        at_work = {} if driver is None else self._records.progress(record.run_no)
        ended: list[VisitRecord] = []
        for visit in self._records.tasks(record.run_no):
            watched = self._watched.get(visit.visit_no)
            if watched is None and visit.status is Status.RUNNING:
                watched = self._watched[visit.visit_no] = _Recorded(
                    visit, self._tolerances.get(visit.path)
                )
                self._count(visit, watched, at_work)
                watched.restored = watched.succeeded + watched.failed
                started_at = visit.started_at or time.time()
                self._display.watch(watched, since_s=time.time() - started_at)
            elif watched is not None:
                self._count(visit, watched, at_work)
                if visit.status is not Status.RUNNING:
                    del self._watched[visit.visit_no]
                    ended.append(visit)
        self._tell_ends(record, ended)
        for watched in self._watched.values():
            watched.is_stopping = bool(asked)

    def _tell_ends(self, record: RunRecord, ended: Sequence[VisitRecord]) -> None:
        """Tell the ends of visits with the times that are told of the run later."""
        if not ended:
            return
        spells = overview(self._runs, record, (), time.time()).spells
        spans = {spell.visit.visit_no: spell.span_s for spell in spells}
        for visit in ended:
            took_s = spans.get(visit.visit_no)
            self._display.task_ended(visit.path, visit.status, visit.error, took_s=took_s)

    def _count(
        self, visit: VisitRecord, progress: _Recorded, at_work: Mapping[int, VisitProgress]
    ) -> None:
        items = item_progress(self._records, visit)
        if items is None:
            return
        progress.count(items.total, items.succeeded, items.failed)
        found = at_work.get(visit.visit_no) if visit.status is Status.RUNNING else None
        progress.running, progress.waiting = (found.running, found.waiting) if found else (0, 0)
