"""The names and edges of a workflow: which task can follow which, and which lie on a cycle.

A graph knows nothing of templates, statuses or time. Tasks are numbered from 0 in the order in
which the file lists them. An `Edge` leads from a task to one that may start when it has ended, by
one of the task's transitions. Tasks from which a way leads back to themselves form a loop with all
others on that way; every other task is alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

IMPLICIT: Final = -1
"""The transition of an edge that no `next` names: from listed order or from `needs`."""


class Edge(NamedTuple):
    """A way from `source` to `target`, both numbers of tasks.

    `transition` is the number of the source's transition, from 0, or `IMPLICIT`.
    """

    source: int
    target: int
    transition: int = IMPLICIT


class Graph:
    """Tasks by number and name, and the edges between them; immutable.

    `joins` says of some tasks how many edges to them must be taken; others start as soon as no
    edge to them can be taken any more and at least one was. `starts` are the tasks that start with
    the run; by default those to which no edge leads.
    """

    def __init__(
        self,
        names: Sequence[str],
        edges: Iterable[Edge],
        *,
        joins: Mapping[int, int] | None = None,
        starts: Iterable[int] | None = None,
    ) -> None:
        self.names = tuple(names)
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.edges = tuple(edges)
        self.joins = dict(joins or {})
        outgoing: list[list[int]] = [[] for _ in self.names]
        incoming: list[list[int]] = [[] for _ in self.names]
        for number, edge in enumerate(self.edges):
            outgoing[edge.source].append(number)
            incoming[edge.target].append(number)
        self.outgoing = tuple(map(tuple, outgoing))
        """For each task, the numbers of the edges that leave it."""
        self.incoming = tuple(map(tuple, incoming))
        """For each task, the numbers of the edges that lead to it."""
        self.starts = frozenset(
            (number for number, edges_in in enumerate(self.incoming) if not edges_in)
            if starts is None
            else starts
        )

    @classmethod
    def chain(cls, names: Sequence[str]) -> Graph:
        """Each task after the one listed before it."""
        return cls(names, (Edge(number, number + 1) for number in range(len(names) - 1)))

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The tasks in groups: a loop is one group, any other task is one by itself.

        An edge between groups leads from a later group to an earlier one: ends come first.
        """
        return tuple(_strongly_connected([self._targets(number) for number in self._tasks]))

    @cached_property
    def group_of(self) -> tuple[int, ...]:
        """For each task, the number of its group."""
        found = [0] * len(self.names)
        for group, members in enumerate(self.groups):
            for number in members:
                found[number] = group
        return tuple(found)

    @cached_property
    def loops(self) -> frozenset[int]:
        """The numbers of the groups that are loops."""
        return frozenset(
            group
            for group, members in enumerate(self.groups)
            if len(members) > 1 or members[0] in self._targets(members[0])
        )

    def is_on_loop(self, number: int) -> bool:
        """True if a way leads from this task back to itself."""
        return self.group_of[number] in self.loops

    def precedes(self, earlier: int, later: int) -> bool:
        """True if a way leads from `earlier` to `later`."""
        return bool(self.before(later) >> earlier & 1)

    def before(self, number: int) -> int:
        """A bit set of the tasks from which a way leads to this one."""
        return self._ancestors[self.group_of[number]]

    @cached_property
    def reachable(self) -> int:
        """A bit set of the tasks to which a way leads from the start."""
        found, pending = 0, list(self.starts)
        while pending:
            number = pending.pop()
            if not found >> number & 1:
                found |= 1 << number
                pending.extend(self._targets(number))
        return found

    @cached_property
    def _ancestors(self) -> Sequence[int]:
        """For each group, a bit set of the tasks from which a way leads to it."""
        # One integer of n bits for each group: 12 MB for 10,000 tasks, and a union is one `|`.
        ancestors = [0] * len(self.groups)
        for group in range(len(self.groups) - 1, -1, -1):
            members = self.groups[group]
            reached = ancestors[group]
            for number in members:
                reached |= 1 << number
            if group in self.loops:
                ancestors[group] = reached
            for number in members:
                for target in self._targets(number):
                    if self.group_of[target] != group:
                        ancestors[self.group_of[target]] |= reached
        return ancestors

    @property
    def _tasks(self) -> range:
        return range(len(self.names))

    def _targets(self, number: int) -> list[int]:
        return [self.edges[edge].target for edge in self.outgoing[number]]


def _strongly_connected(targets: Sequence[Sequence[int]]) -> Iterable[tuple[int, ...]]:
    """Groups of nodes that reach each other, each after all groups that it leads to.

    Tarjan's algorithm (SIAM Journal on Computing 1(2), 1972), without recursion.
    """
    order: dict[int, int] = {}  # by which place each node was met
    lowest: dict[int, int] = {}  # the earliest place that each node leads back to
    path: list[int] = []
    on_path: set[int] = set()
    for root in range(len(targets)):
        if root in order:
            continue
        work = [(root, iter(targets[root]))]
        order[root] = lowest[root] = len(order)
        path.append(root)
        on_path.add(root)
        while work:
            node, rest = work[-1]
            for target in rest:
                if target not in order:
                    order[target] = lowest[target] = len(order)
                    path.append(target)
                    on_path.add(target)
                    work.append((target, iter(targets[target])))
                    break
                if target in on_path:
                    lowest[node] = min(lowest[node], order[target])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[node])
                if lowest[node] == order[node]:
                    group = [path.pop()]
                    while group[-1] != node:
                        group.append(path.pop())
                    on_path.difference_update(group)
                    yield tuple(sorted(group))
