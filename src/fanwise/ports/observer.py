"""Observers of runs: the base class that watches nothing.

Methods are called on the event loop's thread, after the store has committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fanwise.model import ErrorInfo, Run, Status


class TaskProgress(Protocol):
    """A running task's counters, which an observer reads whenever it likes.

    `visit` is which start of the task it is, from 1. `total` is None while a source isn't known to
    its end; `succeeded` and `failed` count what is recorded, `running` and `waiting` the items that
    are being tried and that wait to be retried. `restored` are those of the recorded ones that were
    so before the run went on.
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


class Observer:
    """A watcher of runs, whose methods do nothing; subclasses override those that they need.

    Methods are called on the event loop's thread, after the store has committed.
    """

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        """React to a run that has been recorded; `tasks` are its tasks in the order listed."""

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        """React to a recorded run that is resumed or retried."""

    def task_started(self, progress: TaskProgress) -> None:
        """React to a task that has started; `progress` changes while it runs."""

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        """React to a task that has ended, also if it never started."""

    def notice(self, text: str) -> None:
        """Pass on, in one line, a fact that whoever runs the workflow should know."""

    def run_ended(self, run: Run) -> None:
        """React to a run that is over or paused."""
