"""A run that another process drives, followed by its records until it ends or is paused.

It shows the same bars or lines as the process that drives the run, whose engine records once a
second how many items run and wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from fanwise.cli.backends import Backend
from fanwise.cli.live import open_display
from fanwise.cli.live.progress import ProgressDisplay
from fanwise.definition import Tolerance, WorkflowDefinition
from fanwise.model import RequestKind, RunRecord, Status, VisitRecord
from fanwise.reports.questions import FollowedRun, driven_time, followed_run

_LOOK_S = 1.0
"""The time after which it looks in any case: that a process has died is recorded by nobody."""

_LEAST_S = 0.25
"""The time between two looks at a run that changes all the time."""

_GOING = (Status.PENDING, Status.RUNNING)


def follow(
    backend: Backend, record: RunRecord, definition: WorkflowDefinition | None
) -> FollowedRun:
    """Show how a run gets on until nothing drives it any more; return it as it stands then.

    It looks once the run has changed. Tasks that had ended before aren't told again. `definition`
    is the run's workflow, if known.
    """
    display = open_display()
    follower = Follower(
        display,
        {} if definition is None else _tolerances(definition),
        lambda visit_no: backend.ask(driven_time, record.id, visit_no),
    )
    shown_at = time.monotonic()
    with backend.changes(record.id) as await_change, display.opened():
        while (seen := backend.ask(followed_run, record.id)).status in _GOING:
            began = time.monotonic()
            follower.look(seen)
            if began - shown_at >= display.interval_s:
                display.refresh()
                shown_at = began
            time.sleep(_LEAST_S)
            await_change(_LOOK_S - _LEAST_S)
        follower.look(seen)
    return seen


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
        self,
        display: ProgressDisplay,
        tolerances: Mapping[str, Tolerance],
        took_s: Callable[[int], float | None],
    ) -> None:
        """`took_s` tells for how long a visit was driven, by its number."""
        self._display = display
        self._took_s = took_s
        self._tolerances = tolerances
        self._watched: dict[int, _Recorded] = {}
        self._asked: tuple[RequestKind, ...] = ()

    def look(self, seen: FollowedRun) -> None:
        """Tell the display of the changes since the last time."""
        asked = () if seen.driver is None else seen.driver.requests
        for kind in asked:
            if kind not in self._asked:
                self._display.notice(f"{seen.record.id} was asked to {kind}, and is being stopped.")
        self._asked = asked
        for visit in seen.visits:
            watched = self._watched.get(visit.visit_no)
            if watched is None and visit.status is Status.RUNNING:
                watched = self._watched[visit.visit_no] = _Recorded(
                    visit, self._tolerances.get(visit.path)
                )
                _count(visit, watched, seen)
                watched.restored = watched.succeeded + watched.failed
                started_at = visit.started_at or time.time()
                self._display.watch(watched, since_s=time.time() - started_at)
            elif watched is not None:
                _count(visit, watched, seen)
                if visit.status is not Status.RUNNING:
                    del self._watched[visit.visit_no]
                    took_s = self._took_s(visit.visit_no)
                    self._display.task_ended(visit.path, visit.status, visit.error, took_s=took_s)
        for watched in self._watched.values():
            watched.is_stopping = bool(asked)


def _count(visit: VisitRecord, progress: _Recorded, seen: FollowedRun) -> None:
    items = seen.progress.get(visit.visit_no)
    if items is None:
        return
    progress.count(items.total, items.succeeded, items.failed)
    found = seen.at_work.get(visit.visit_no) if visit.status is Status.RUNNING else None
    progress.running, progress.waiting = (found.running, found.waiting) if found else (0, 0)
