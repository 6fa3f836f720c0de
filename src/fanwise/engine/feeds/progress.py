"""The counters of a running task, and the ways in which a task is stopped early."""

from __future__ import annotations

from enum import IntEnum


class Stop(IntEnum):
    """The way in which a task is brought to its end early; a higher one overrides the others."""

    PAUSE = 0
    """attempts in flight finish"""
    HOLD = 1
    """attempts in flight are cut off, to be made once more when the run is resumed"""
    CANCEL = 2
    """attempts in flight are cut off for good"""


class Progress:
    """A running task's counters; implements `ports.TaskProgress`."""

    __slots__ = (
        "bad_records",
        "failed",
        "has_items",
        "is_failing",
        "is_stopping",
        "name",
        "restored",
        "running",
        "succeeded",
        "total",
        "visit",
        "waiting",
    )

    def __init__(self, name: str, *, has_items: bool, visit: int = 1) -> None:
        self.name = name
        self.visit = visit
        self.has_items = has_items
        self.total: int | None = None if has_items else 1
        self.succeeded = 0
        self.failed = 0
        self.running = 0
        self.waiting = 0
        self.restored = 0
        self.bad_records: int | None = None
        self.is_stopping = False
        self.is_failing = False
