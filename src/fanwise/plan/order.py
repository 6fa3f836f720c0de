"""The order of a workflow's tasks: its graph, and everything that can be wrong with it.

If no task says `needs` or `next`, each task comes after the one listed before it. Otherwise every
task but the first listed says what it comes after.
"""

from __future__ import annotations

from collections.abc import Iterator

from fanwise.definition import FAIL, TaskDefinition, WorkflowDefinition, did_you_mean
from fanwise.errors import Diagnostic
from fanwise.graph import IMPLICIT, Edge, Graph

_JOIN_ON_CYCLE = (
    "Move the tasks that run side by side, and this one if need be, into a workflow of their own, "
    "and call that on the cycle: action: ./part.yaml"
)


class Order:
    """The graph of a definition. Iterate over `problems()` for what is wrong with it."""

    def __init__(self, definition: WorkflowDefinition) -> None:
        self._definition = definition
        self._tasks = definition.tasks
        self._names = [task.name for task in definition.tasks]
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._is_listed = all(task.needs is None and task.next is None for task in self._tasks)
        self.graph = Graph.chain(self._names) if self._is_listed else self._explicit()

    def _explicit(self) -> Graph:
        edges = list(self._edges())
        joins = {}
        incoming = [0] * len(self._tasks)
        for edge in edges:
            incoming[edge.target] += 1
        for number, task in enumerate(self._tasks):
            if task.needs:
                joins[number] = incoming[number]
            elif task.join is not None:
                joins[number] = incoming[number] if task.join == "all" else task.join
        starts = {number for number, task in enumerate(self._tasks) if task.needs == ()}
        graph = Graph(self._names, edges, joins=joins, starts=starts)
        if self._tasks[0].needs is None and all(
            graph.group_of[graph.edges[edge].source] == graph.group_of[0]
            for edge in graph.incoming[0]
        ):
            graph = Graph(self._names, edges, joins=joins, starts={0, *starts})
        return graph

    def _edges(self) -> Iterator[Edge]:
        """The edges that lead to tasks that exist."""
        for number, task in enumerate(self._tasks):
            for transition, each in enumerate(task.next or ()):
                for name in each.do:
                    if name in self._numbers:
                        yield Edge(number, self._numbers[name], transition)
            for name in task.needs or ():
                if name in self._numbers:
                    yield Edge(self._numbers[name], number, IMPLICIT)

    def problems(self) -> Iterator[Diagnostic]:
        """All that is wrong with the order."""
        unknown = [
            problem
            for number, task in enumerate(self._tasks)
            for problem in self._unknown_names(number, task)
        ]
        yield from unknown
        for number, task in enumerate(self._tasks):
            yield from self._misjoined(number, task)
        if not self._is_listed:
            yield from self._needs_on_loops()
        if not self._is_listed and not unknown:  # else a misspelt name may be why
            yield from self._misplaced()

    def _unknown_names(self, number: int, task: TaskDefinition) -> Iterator[Diagnostic]:
        for at, name in enumerate(task.needs or ()):
            if name not in self._numbers:
                yield self._unknown(("tasks", number, "needs", at), number, "needs", name)
        for transition, each in enumerate(task.next or ()):
            for at, name in enumerate(each.do):
                if name not in self._numbers and name != FAIL:
                    path = ("tasks", number, "next", transition, "do", at)
                    yield self._unknown(path, number, "leads to", name)

    def _unknown(
        self, path: tuple[str | int, ...], number: int, says: str, name: str
    ) -> Diagnostic:
        return Diagnostic(
            self._definition.place(*path),
            "unknown-task",
            f'task "{self._names[number]}" {says} "{name}", which does not exist.',
            did_you_mean(name, self._names) or f"The tasks are {_some(self._names)}.",
        )

    def _misjoined(self, number: int, task: TaskDefinition) -> Iterator[Diagnostic]:
        """Joins that could never be, and tasks that say twice what they come after."""
        graph = self.graph
        by_next = [edge for edge in graph.incoming[number] if graph.edges[edge].transition >= 0]
        if task.needs is not None and by_next:
            source = self._names[graph.edges[by_next[0]].source]
            yield Diagnostic(
                self._definition.key_place("tasks", number, "needs"),
                "needs-and-next",
                f'task "{task.name}" has needs, and "{source}" leads to it with next.',
                'Remove "needs", or say "join: all" in its place and lead to it from each.',
            )
        if task.join is None:
            return
        place = self._definition.key_place("tasks", number, "join")
        ways = len(graph.incoming[number])
        if not ways:
            text = f'task "{task.name}" joins, and nothing leads to it.'
            yield Diagnostic(place, "impossible-join", text, 'Remove "join".')
        elif graph.is_on_loop(number):
            text = f'task "{task.name}" is on a cycle, where a task starts at each arrival.'
            yield Diagnostic(place, "impossible-join", text, _JOIN_ON_CYCLE)
        elif isinstance(task.join, int) and task.join > ways:
            text = f'task "{task.name}" joins {task.join} ways, and {ways} lead to it.'
            yield Diagnostic(place, "impossible-join", text, f"Use a number up to {ways}, or all.")

    def _order_giver(self) -> str:
        """Words for the first task with a key that turns the order listed off."""
        for task in self._tasks:
            for key, value in (("needs", task.needs), ("next", task.next)):
                if value is not None:
                    return f'task "{task.name}" has "{key}"'
        raise AssertionError("tasks without needs and next run in the order listed")

    def _needs_on_loops(self) -> Iterator[Diagnostic]:
        """For each loop the first need within it, which no arrival could ever fulfil."""
        graph, told = self.graph, set()
        for number, task in enumerate(self._tasks):
            group = graph.group_of[number]
            for at, name in enumerate(task.needs or ()):
                needed = self._numbers.get(name)
                if needed is None or graph.group_of[needed] != group or group in told:
                    continue
                told.add(group)
                yield Diagnostic(
                    self._definition.place("tasks", number, "needs", at),
                    "needs-cycle",
                    f'task "{task.name}" needs "{name}", which comes after it, and on a cycle no '
                    "task waits for others.",
                    f'Remove this need, or lead to "{task.name}" with next.',
                )

    def _misplaced(self) -> Iterator[Diagnostic]:
        """Tasks that say nothing of their place, and loops that nothing leads to.

        Whatever else can't be reached comes after one of these, or after a loop with needs.
        """
        graph = self.graph
        for members in sorted(graph.groups):
            first, group = members[0], graph.group_of[members[0]]
            ways = [graph.edges[edge] for number in members for edge in graph.incoming[number]]
            if graph.reachable >> first & 1 or any(graph.group_of[w.source] != group for w in ways):
                continue
            place = self._definition.place("tasks", first, "name")
            if not ways:
                yield Diagnostic(
                    place,
                    "unplaced-task",
                    f'task "{self._names[first]}" doesn\'t say what it comes after, as it has to '
                    f"since {self._order_giver()}.",
                    f'Add "needs: [{self._names[first - 1]}]", or "needs: []" to start at once, '
                    "or lead to it with next.",
                )
            elif not any(way.transition == IMPLICIT for way in ways):
                names = [self._names[number] for number in members]
                text = f"nothing leads to the cycle of {_some(names)}, so it can never start."
                hint = "Lead to it with next from a task that runs."
                yield Diagnostic(place, "unreachable-task", text, hint)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
