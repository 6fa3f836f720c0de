"""A run that another process drives, followed by its records until it ends or is paused.

It shows the same bars or lines as the process that drives the run. Of attempts that are at work
nothing is recorded, so they aren't counted.
"""

from __future__ import annotations

import time

from fanwise.cli.live import open_display
from fanwise.cli.live.progress import ProgressDisplay
from fanwise.model import RunRecord, Status, VisitRecord
from fanwise.reports.lookup import find_run
from fanwise.reports.ownership import Runs
from fanwise.reports.progress import item_progress

_LOOK_S = 1.0
_SHARE = 0.1
"""The part of the time that looking may take at most, of tasks with very many items."""

_GOING = (Status.PENDING, Status.RUNNING)


def follow(runs: Runs, record: RunRecord) -> RunRecord:
    """Show how a run gets on until nothing drives it any more; return its record then.

    Tasks that had ended before aren't told again.
    """
    display = open_display()
    follower = Follower(runs, display)
    shown_at = time.monotonic()
    with display.opened():
        while runs.status(record) in _GOING:
            began = time.monotonic()
            follower.look(record)
            if began - shown_at >= display.interval_s:
                display.refresh()
                shown_at = began
            took_s = time.monotonic() - began
            time.sleep(max(_LOOK_S, took_s / _SHARE))
            record = find_run(runs.records, record.id)
        follower.look(record)
    return record


class _Recorded:
    """The progress of a visit by its records; implements `ports.TaskProgress`."""

    def __init__(self, visit: VisitRecord) -> None:
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
        self.is_stopping = False  # nor do records tell this
        self.is_failing = False


class Follower:
    """Tells a display about the visits of a run that start, get on and end."""

    def __init__(self, runs: Runs, display: ProgressDisplay) -> None:
        self._records = runs.records
        self._display = display
        self._watched: dict[int, _Recorded] = {}

    def look(self, record: RunRecord) -> None:
        """Read the visits, and tell the display of the changes since the last time."""
        for visit in self._records.tasks(record.run_no):
            watched = self._watched.get(visit.visit_no)
            if watched is None and visit.status is Status.RUNNING:
                watched = self._watched[visit.visit_no] = _Recorded(visit)
                self._count(visit, watched)
                watched.restored = watched.succeeded + watched.failed
                started_at = visit.started_at or time.time()
                self._display.watch(watched, since_s=time.time() - started_at)
            elif watched is not None:
                self._count(visit, watched)
                if visit.status is not Status.RUNNING:
                    del self._watched[visit.visit_no]
                    self._display.task_ended(visit.path, visit.status, visit.error)

    def _count(self, visit: VisitRecord, progress: _Recorded) -> None:
        items = item_progress(self._records, visit)
        if items is not None:
            progress.total = items.total
            progress.succeeded, progress.failed = items.succeeded, items.failed
