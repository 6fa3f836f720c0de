"""Answers of servers on several runs at once, as public records. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fanwise.values import Json, decode


class RefusedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a change of many isn't made to, with the refusal's `code`, cause and remedy."""

    run_id: str
    code: str
    detail: str
    hint: str


class BulkChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of many runs: of all `runs` so many are `done`, among them all `refusals`.

    `refused` has the first thousand of these. A server that ends before it `is_over` leaves the
    other runs as they are.
    """

    id: str
    action: str
    runs: int
    done: int
    refusals: int
    refused: tuple[RefusedRun, ...]
    is_over: bool


class ComparedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task in two runs; a side is None where a run doesn't have the task, or no such figure.

    In the second run it took `change_s` longer. `failed` counts items.
    """

    name: str
    statuses: tuple[str | None, str | None]
    durations_s: tuple[float | None, float | None]
    failed: tuple[int | None, int | None]
    change_s: float | None


class ComparedKind(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of a task of one type and shape, with their counts in two runs."""

    task: str
    type: str
    shape: str
    counts: tuple[int, int]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The differences of two runs.

    `definition` is a unified diff of their workflows, and `parameters` have both values of those
    that differ. Tasks come first that took much longer or shorter, and kinds of errors that are
    new.
    """

    definition: tuple[str, ...]
    parameters: Mapping[str, tuple[Json, Json]]
    tasks: tuple[ComparedTask, ...]
    kinds: tuple[ComparedKind, ...]


class _Line(msgspec.Struct, frozen=True):
    text: str


class _Parameter(msgspec.Struct, frozen=True):
    name: str
    a: msgspec.Raw
    b: msgspec.Raw


class _Items(msgspec.Struct, frozen=True):
    failed: int


class _Side(msgspec.Struct, frozen=True):
    status: str | None = None
    duration_s: float | None = None
    items: _Items | None = None

    @property
    def failed(self) -> int | None:
        """The failed items of a task that has items."""
        return None if self.items is None else self.items.failed


class _Task(msgspec.Struct, frozen=True):
    name: str
    a: _Side | None
    b: _Side | None
    change_s: float | None

    def compared(self) -> ComparedTask:
        """The task with both sides of each figure."""
        a, b = self.a or _Side(), self.b or _Side()
        return ComparedTask(
            name=self.name,
            statuses=(a.status, b.status),
            durations_s=(a.duration_s, b.duration_s),
            failed=(a.failed, b.failed),
            change_s=self.change_s,
        )


class _Kind(msgspec.Struct, frozen=True):
    task: str
    type: str
    shape: str
    a: int
    b: int

    def compared(self) -> ComparedKind:
        """The kind with both counts."""
        return ComparedKind(
            task=self.task, type=self.type, shape=self.shape, counts=(self.a, self.b)
        )


class SentComparison(msgspec.Struct, frozen=True):
    """The differences of two runs, as they are sent."""

    definition: list[_Line]
    parameters: list[_Parameter]
    tasks: list[_Task]
    kinds: list[_Kind]

    def comparison(self) -> Comparison:
        """The differences as a public record."""
        return Comparison(
            definition=tuple(each.text for each in self.definition),
            parameters={each.name: (decode(each.a), decode(each.b)) for each in self.parameters},
            tasks=tuple(each.compared() for each in self.tasks),
            kinds=tuple(each.compared() for each in self.kinds),
        )
