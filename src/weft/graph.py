"""The names and edges of a workflow: which task can follow which.

A graph knows nothing of templates, statuses or time. Tasks are numbered from 0 in the order in
which the file lists them; an `Edge` leads from a task to one that may start when it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple


class Edge(NamedTuple):
    """A way from `source` to `target`, both numbers of tasks."""

    source: int
    target: int


class Graph:
    """Tasks by number and name, and the edges between them; immutable."""

    def __init__(self, names: Sequence[str], edges: Iterable[Edge]) -> None:
        self.names = tuple(names)
        self.numbers = {name: number for number, name in enumerate(self.names)}
        outgoing: list[list[int]] = [[] for _ in self.names]
        incoming: list[list[int]] = [[] for _ in self.names]
        for source, target in edges:
            outgoing[source].append(target)
            incoming[target].append(source)
        self.targets = tuple(map(tuple, outgoing))
        """For each task, those that may follow it."""
        self.sources = tuple(map(tuple, incoming))
        """For each task, those that it may follow."""

    @classmethod
    def chain(cls, names: Sequence[str]) -> Graph:
        """Each task after the one listed before it."""
        return cls(names, (Edge(number, number + 1) for number in range(len(names) - 1)))

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """The tasks that nothing leads to."""
        return tuple(number for number, sources in enumerate(self.sources) if not sources)

    @cached_property
    def _ancestors(self) -> Sequence[int]:
        """For each task, a bit set of the tasks from which a way leads to it."""
        # One integer of n bits for each task: 12 MB for 10,000 tasks, and a union is one `|`.
        ancestors = [0] * len(self.names)
        pending = [len(sources) for sources in self.sources]
        ready = list(self.roots)
        while ready:
            source = ready.pop()
            reached = ancestors[source] | (1 << source)
            for target in self.targets[source]:
                ancestors[target] |= reached
                pending[target] -= 1
                if not pending[target]:
                    ready.append(target)
        return ancestors

    def precedes(self, earlier: int, later: int) -> bool:
        """Whether a way leads from `earlier` to `later`."""
        return bool(self._ancestors[later] >> earlier & 1)
