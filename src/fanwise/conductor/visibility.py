"""Visibility: the results and variables that a task sees, those of its path.

A visibility belongs to a place on a path: to a task that starts, or to an edge that was taken. It
holds no results but the tasks whose results are seen, as a bit set; the results themselves are once
in the conductor's state. So it costs the same in a workflow of ten tasks and of ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from fanwise.conductor.vector import Vector
from fanwise.model import Status, TaskResult
from fanwise.values import FrozenDict

_SKIPPED = TaskResult(Status.SKIPPED)


class Origin(NamedTuple):
    """The place where a variable's value was set: a task, its visit, and a transition.

    `transition` is -1 for the task's own `publish`. A run numbers its publishings from 0; `number`
    is the origin's, and `before` a bit set of the numbers that lay before it on its path.
    """

    task: int
    visit: int
    transition: int
    number: int
    before: int


class Visibility(msgspec.Struct, frozen=True, gc=False):
    """The results and variables that are seen at one place of a path.

    `tasks` is a bit set of the tasks whose results are seen, and `published` one of the numbers of
    publishings on the way. `origins` has the variables that were set at all.
    """

    variables: FrozenDict
    origins: Mapping[str, Origin] = {}
    tasks: int = 0
    published: int = 0

    def after(self, task: int) -> Visibility:
        """Return what is seen once `task` has ended as well."""
        return Visibility(self.variables, self.origins, self.tasks | 1 << task, self.published)

    def publish(self, values: Mapping[str, Any], origin: Origin) -> Visibility:
        """Return the visibility with these variables set."""
        return Visibility(
            FrozenDict({**self.variables, **values}),
            {**self.origins, **dict.fromkeys(values, origin)},
            self.tasks,
            self.published | 1 << origin.number,
        )


class VisibleResults(Mapping[str, TaskResult]):
    """The results that are seen at one place, by the tasks' names.

    Any other task reads as skipped: a run of it on another path doesn't count on this one.
    """

    __slots__ = ("_numbers", "_results", "_tasks")

    def __init__(
        self, numbers: Mapping[str, int], results: Vector[TaskResult | None], tasks: int
    ) -> None:
        self._numbers = numbers
        self._results = results
        self._tasks = tasks

    def __getitem__(self, name: str) -> TaskResult:
        number = self._numbers[name]
        if self._tasks >> number & 1:
            return self._results[number] or _SKIPPED
        return _SKIPPED

    def __iter__(self) -> Iterator[str]:
        return (name for name, number in self._numbers.items() if self._tasks >> number & 1)

    def __len__(self) -> int:
        return self._tasks.bit_count()
