"""One visit of a task: its identity in records and keys, and its end."""

from __future__ import annotations

import msgspec

from fanwise.model import FailedAttempt, TaskResult, inner_path


class Visit(msgspec.Struct, frozen=True, gc=False):
    """The identity of a visit: the names that records and idempotency keys give it."""

    run_id: str
    run_no: int
    visit_no: int
    path: str
    number: int

    @property
    def inside(self) -> str:
        """The path of everything inside this visit: it differs from one visit to the next."""
        return inner_path(self.path, self.number)

    def item(self, index: int | None) -> str:
        """The path inside one of the visit's items, or inside the visit if it has no items."""
        return self.inside if index is None else f"{self.inside}[{index}]"


class VisitEnd(msgspec.Struct, frozen=True, gc=False):
    """The end of a visit, or its pause: then its result's status is `paused`.

    `output` is its result's output as JSON text, if it had no items, and `earlier` its failed
    attempts before the last one. `handled` says of a failure that the task's `on-error` lets the
    run continue. Without `is_total_known` the items of its result are those that a stream gave
    before a pause.
    """

    result: TaskResult
    attempts: int = 0
    output: bytes | None = None
    handled: bool = False
    earlier: tuple[FailedAttempt, ...] = ()
    is_total_known: bool = True
