"""Statuses, errors and results: records for the conductor, for templates and for actions."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from fanwise.values import FrozenDict


class Status(StrEnum):
    """The status of a run, a task or an item.

    A run has any of the first seven, a task any at all, an item `succeeded`, `failed` or
    `cancelled`. Of a run that is `waiting` all that is left waits, and no process drives it.
    """

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    BLOCKED = "blocked"

    @property
    def is_final(self) -> bool:
        """True if nothing more happens after it."""
        return self not in _OPEN

    @property
    def told(self) -> str:
        """The end of a sentence about a run with a final status: `has failed`."""
        return "was cancelled" if self is Status.CANCELLED else f"has {self.value}"


_OPEN = frozenset({Status.PENDING, Status.RUNNING, Status.WAITING, Status.PAUSED})


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The failure of an attempt, a task or a run: one line of `message`, and JSON `data`.

    `traceback` is that of the author's code, without the engine's own frames, or None.
    """

    type: str
    message: str
    data: Any = None
    traceback: str | None = None

    @property
    def failed_step(self) -> str | None:
        """The name of the step that made a child workflow fail, if this is a child's failure."""
        inner = self.data.get("data") if isinstance(self.data, dict) else None
        step = inner.get("task") if isinstance(inner, dict) else None
        return step if isinstance(step, str) else None

    def as_value(self) -> FrozenDict:
        """The value that a template sees as an error."""
        return FrozenDict({"type": self.type, "message": self.message, "data": self.data})


class FailedAttempt(msgspec.Struct, frozen=True, gc=False):
    """A failed attempt that was followed by another one. Of its error's message the start is kept.

    `attempt` counts from 1; `duration_s` is how long it took.
    """

    attempt: int
    started_at: float
    duration_s: float
    type: str
    message: str


class ItemCounts(
    msgspec.Struct, frozen=True, gc=False, omit_defaults=True, repr_omit_defaults=True
):
    """Counts of a task's items: all of them, and those that ended in each way.

    `bad_records` counts the records of a file that were left out because they can't be read; it is
    None where such records are items that fail.
    """

    total: int
    succeeded: int
    failed: int
    bad_records: int | None = None

    def as_value(self) -> FrozenDict:
        """The value that a template sees as `task.NAME.items`."""
        return FrozenDict(msgspec.to_builtins(self))


class TaskResult(msgspec.Struct, frozen=True, gc=False):
    """The end of a task, as later tasks see it.

    `output` is frozen JSON, or a `LazyList` for a task with items; `error` is set only if it
    failed, and `items` only if it had items. `failures` is a `LazyList` of its failed items, or
    None if it has none.
    """

    status: Status
    output: Any = None
    error: ErrorInfo | None = None
    items: ItemCounts | None = None
    failures: Sequence[FrozenDict] | None = None
