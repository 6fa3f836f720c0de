"""Observers of runs: the base class that watches nothing.

Methods are called on the event loop's thread, after the store has committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from fanwise.model import ErrorInfo, ItemCounts, LogEntry, Run, Status


class TaskProgress(Protocol):
    """A running task's counters, which an observer reads whenever it likes.

    `visit` is which start of the task it is, from 1. `total` is None while a source isn't known to
    its end; `succeeded` and `failed` count what is recorded, `running` and `waiting` the items that
    are being tried and that wait to be retried. `restored` are those of the recorded ones that were
    so before the run went on. `bad_records` counts records that are left out because they can't be
    read; it is None where they are items that fail. `is_stopping` says that nothing new starts, as
    in a pause, and `is_failing` that more has failed than the task tolerates.
    """

    name: str
    visit: int
    has_items: bool
    total: int | None
    succeeded: int
    failed: int
    running: int
    waiting: int
    restored: int
    bad_records: int | None
    is_stopping: bool
    is_failing: bool


class RerunReason(StrEnum):
    """The reason for which a retry runs a task again."""

    FAILED = "failed"
    CANCELLED = "cancelled"
    ITEMS_FAILED = "items-failed"
    OTHER_ITEMS = "other-items"
    """its items come from elsewhere in the repaired workflow"""
    LED_TO_FAIL = "led-to-fail"
    """its transition to `fail` was taken"""
    NAMED = "named"
    """the retry starts at this task"""
    FOLLOWS_RERUN = "follows-rerun"
    """a task before it runs again"""


class RerunNote(msgspec.Struct, frozen=True):
    """A retry's effect on one task, which runs again, is kept, or has never run.

    `reason` is None unless the task runs again. `failed_items` counts the items that had failed,
    and `items` has all counts if the items that had succeeded are kept. `is_changed` says of a kept
    task that its action or input differs in the repaired workflow, without effect. `uses` names the
    corrected parameters whose old values the kept work has used.
    """

    name: str
    reason: RerunReason | None = None
    failed_items: int = 0
    items: ItemCounts | None = None
    is_kept: bool = False
    is_changed: bool = False
    uses: tuple[str, ...] = ()


class RerunNotes(msgspec.Struct, frozen=True):
    """A retry's effect on each task, in the order listed; tasks of `finally` always run again.

    `from_task` is the task that the retry was given to start at, and `is_repaired` says that the
    workflow's text differs from the recorded one. `corrected` names the parameters that have new
    values.
    """

    tasks: tuple[RerunNote, ...]
    from_task: str | None = None
    is_repaired: bool = False
    corrected: tuple[str, ...] = ()


class Observer:
    """A watcher of runs, whose methods do nothing; subclasses override those that they need.

    Methods are called on the event loop's thread, after the store has committed.
    """

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        """React to a run that has been recorded; `tasks` are its tasks in the order listed."""

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        """React to a recorded run that is resumed or retried."""

    def rerun_planned(self, notes: RerunNotes) -> None:
        """React to the plan of a retry: the tasks that run again, and the tasks that are kept."""

    def task_started(self, progress: TaskProgress) -> None:
        """React to a task that has started; `progress` changes while it runs."""

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        """React to a task that has ended, also if it never started."""

    def notice(self, text: str) -> None:
        """Pass on, in one line, a fact that whoever runs the workflow should know."""

    def logged(self, log: LogEntry) -> None:
        """React to text that an attempt has printed: whole lines, about a second ago."""

    def run_ended(self, run: Run) -> None:
        """React to a run that is over or paused."""


def together(observers: Sequence[Observer]) -> Observer:
    """Return several observers as one, which are told in this order."""
    return _Together(observers)


class _Together(Observer):
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        for observer in self._observers:
            observer.run_started(run_id, workflow, tasks)

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        for observer in self._observers:
            observer.run_resumed(run_id, workflow, tasks)

    def rerun_planned(self, notes: RerunNotes) -> None:
        for observer in self._observers:
            observer.rerun_planned(notes)

    def task_started(self, progress: TaskProgress) -> None:
        for observer in self._observers:
            observer.task_started(progress)

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        for observer in self._observers:
            observer.task_ended(name, status, error)

    def notice(self, text: str) -> None:
        for observer in self._observers:
            observer.notice(text)

    def logged(self, log: LogEntry) -> None:
        for observer in self._observers:
            observer.logged(log)

    def run_ended(self, run: Run) -> None:
        for observer in self._observers:
            observer.run_ended(run)
