"""The order of tasks: what can be wrong with it, where that is told, and what precedes what."""

from __future__ import annotations

from itertools import pairwise
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.definition import load
from fanwise.errors import DefinitionError
from fanwise.graph import IMPLICIT, Edge, Graph
from fanwise.plan import Plan, compile_plan


def plan_of(text: str) -> Plan:
    """The plan of tasks whose actions aren't looked up."""
    return compile_plan(load(dedent(text).lstrip(), file="flow.yaml"), None)


def wrong_with(text: str) -> list[str]:
    """What is told of a workflow, each as LINE:COLUMN CODE."""
    with pytest.raises(DefinitionError) as caught:
        plan_of(text)
    return [f"{p.place.line}:{p.place.column} {p.code}" for p in caught.value.problems]


WRONG = {
    "a task that says nothing of its place, while others do": (
        """
        tasks:
          - {name: a, action: x.y}
          - {name: b, action: x.y, needs: [a]}
          - {name: c, action: x.y}
          - {name: d, action: x.y, needs: [c]}
        """,
        ["4:12 unplaced-task"],
    ),
    "a need that doesn't exist, and what comes after it": (
        """
        tasks:
          - {name: build, action: x.y}
          - {name: b, action: x.y, needs: [build, biuld]}
          - {name: c, action: x.y, needs: [b]}
        """,
        ["3:43 unknown-task"],
    ),
    "a target that doesn't exist, and what it should have led to": (
        """
        tasks:
          - {name: a, action: x.y, next: [{do: [biuld, fail]}]}
          - {name: build, action: x.y}
        """,
        ["2:41 unknown-task"],
    ),
    "a target of shorthand that doesn't exist": (
        "tasks: [{name: a, action: x.y, next: b}]",
        ["1:38 unknown-task"],
    ),
    "a cycle that nothing leads to, and what comes after it": (
        """
        tasks:
          - {name: a, action: x.y}
          - {name: b, action: x.y, next: c}
          - {name: c, action: x.y, next: [b, d]}
          - {name: d, action: x.y}
        """,
        ["3:12 unreachable-task"],
    ),
    "a task that only leads to itself": (
        "tasks: [{name: a, action: x.y}, {name: b, action: x.y, next: b}]",
        ["1:40 unreachable-task"],
    ),
    "tasks that need each other": (
        """
        tasks:
          - {name: a, action: x.y}
          - {name: b, action: x.y, needs: [a, d]}
          - {name: c, action: x.y, needs: [b]}
          - {name: d, action: x.y, needs: [c]}
          - {name: e, action: x.y, needs: [d]}
        """,
        ["3:39 needs-cycle"],
    ),
    "a need on a cycle of transitions": (
        """
        tasks:
          - {name: a, action: x.y}
          - {name: b, action: x.y, needs: [a], next: c}
          - {name: c, action: x.y, next: b}
        """,
        ["3:28 needs-and-next"],
    ),
    "a need of a task that one leads back to": (
        """
        tasks:
          - {name: a, action: x.y}
          - {name: b, action: x.y, needs: [a], next: a}
        """,
        ["3:36 needs-cycle"],
    ),
    "needs and next to the same task": (
        """
        tasks:
          - {name: a, action: x.y, next: b}
          - {name: b, action: x.y, needs: [a]}
        """,
        ["3:28 needs-and-next"],
    ),
    "needs of nothing and next to the same task": (
        """
        tasks:
          - {name: a, action: x.y, next: b}
          - {name: b, action: x.y, needs: []}
        """,
        ["3:28 needs-and-next"],
    ),
    "a join on a cycle": (
        """
        tasks:
          - {name: a, action: x.y, next: b}
          - {name: b, action: x.y, join: all, next: [{when: "{{ failed() }}", do: a}]}
        """,
        ["3:28 impossible-join"],
    ),
    "a join of more ways than there are": (
        """
        tasks:
          - {name: a, action: x.y, next: [{do: c}, {do: c}]}
          - {name: b, action: x.y, needs: [], next: c}
          - {name: c, action: x.y, join: 4}
        """,
        ["4:28 impossible-join"],
    ),
    "a join to which nothing leads": (
        """
        tasks:
          - {name: a, action: x.y, join: 1}
          - {name: b, action: x.y, needs: [a]}
        """,
        ["2:28 impossible-join"],
    ),
    "several things at once, in the order of the file": (
        """
        tasks:
          - {name: a, action: x.y, join: all}
          - {name: b, action: x.y, needs: [a, zz]}
          - {name: c, action: x.y, next: b}
        """,
        ["2:28 impossible-join", "3:28 needs-and-next", "3:39 unknown-task"],
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_an_order_is_told_once_at_its_place(what: str) -> None:
    """At the name, the need or the key at fault; what only follows from it isn't told."""
    text, expected = WRONG[what]
    assert wrong_with(text) == expected


RIGHT = {
    "as many ways as a join wants, two of them from one task": """
        tasks:
          - {name: a, action: x.y, next: [{do: c}, {do: c}]}
          - {name: b, action: x.y, needs: [], next: c}
          - {name: c, action: x.y, join: 3}
        """,
    "the first task on a cycle starts it": """
        tasks:
          - {name: a, action: x.y, next: b}
          - {name: b, action: x.y, next: [{when: "{{ failed() }}", do: a}]}
        """,
    "the first task comes after another": """
        tasks:
          - {name: a, action: x.y}
          - {name: b, action: x.y, needs: [], next: a}
        """,
    "a cycle that one task leads into": """
        tasks:
          - {name: a, action: x.y, next: b}
          - {name: b, action: x.y, next: c}
          - {name: c, action: x.y, next: b}
        """,
    "only fail is led to": "tasks: [{name: a, action: x.y, next: fail}]",
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_looks_wrong_but_can_run_is_taken(what: str) -> None:
    """And nothing is warned of."""
    assert plan_of(RIGHT[what]).warnings == ()


def test_without_needs_and_next_each_task_follows_the_one_listed_before() -> None:
    plan = plan_of("tasks: [{name: a, action: x.y}, {name: b, action: x.y}]")
    assert plan.graph.edges == (Edge(0, 1, IMPLICIT),)
    assert plan.graph.starts == {0}


@pytest.mark.parametrize(
    ("needs", "racing"),
    [
        ({"b": "", "c": "", "d": ""}, ["b", "c", "d"]),
        ({"b": "a", "c": "a", "d": "b, c"}, ["b", "c"]),
        ({"b": "a", "c": "a", "d": "a"}, ["b", "c", "d"]),
        ({"b": "a", "c": "b", "d": "c"}, []),
        ({"b": "c", "c": "d", "d": "a"}, []),
        ({"b": "d", "c": "d", "d": "a"}, ["b", "c"]),
    ],
)
def test_variables_set_side_by_side_are_warned_of(needs: dict[str, str], racing: list[str]) -> None:
    """Whatever the order in which the tasks are listed; those after one another don't race."""
    tasks = [
        f"- {{name: {name}, action: x.y, publish: {{v: 1}}, needs: [{before}]}}"
        for name, before in needs.items()
    ]
    plan = plan_of("\n".join(["tasks:", "- {name: a, action: x.y}", *tasks]))
    told = {name for problem in plan.warnings for name in problem.message.split('"')[1:4:2]}
    assert sorted(told) == racing


def test_a_race_between_tasks_that_are_not_neighbours_is_warned_of() -> None:
    """One listed between them that comes after both doesn't hide it."""
    plan = plan_of(
        """
        tasks:
          - {name: a, action: x.y, publish: {v: 1}, needs: []}
          - {name: b, action: x.y, publish: {v: 1}, needs: [a, c]}
          - {name: c, action: x.y, publish: {v: 1}, needs: []}
        """
    )
    (problem,) = plan.warnings
    assert '"a" and "c"' in problem.message
    assert problem.place.line == 4


# The graph, against what a few naive lines compute


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs of all shapes: with cycles, several edges between two tasks, and tasks apart."""
    size = draw(st.integers(1, 9))
    node = st.integers(0, size - 1)
    edges = draw(st.lists(st.builds(Edge, node, node), max_size=16))
    return Graph([f"t{number}" for number in range(size)], edges)


def reached_from(graph: Graph, start: int) -> set[int]:
    """The tasks to which a way of one edge or more leads."""
    found: set[int] = set()
    due = [start]
    while due:
        number = due.pop()
        targets = {edge.target for edge in graph.edges if edge.source == number}
        due += targets - found
        found |= targets
    return found


@settings(deadline=None)
@given(graphs())
def test_a_task_precedes_those_to_which_a_way_leads_from_it(graph: Graph) -> None:
    """And itself only if it lies on a cycle."""
    for earlier in range(len(graph.names)):
        reached = reached_from(graph, earlier)
        for later in range(len(graph.names)):
            assert graph.precedes(earlier, later) == (later in reached)
        assert graph.is_on_loop(earlier) == (earlier in reached)


@settings(deadline=None)
@given(graphs())
def test_tasks_that_reach_each_other_are_one_group(graph: Graph) -> None:
    """Every task is in one group, which is that of the tasks with ways there and back."""
    assert sorted(n for members in graph.groups for n in members) == [*range(len(graph.names))]
    for number in range(len(graph.names)):
        together = {number} | {
            other for other in reached_from(graph, number) if number in reached_from(graph, other)
        }
        assert set(graph.groups[graph.group_of[number]]) == together


@settings(deadline=None)
@given(graphs())
def test_groups_come_after_all_that_they_lead_to(graph: Graph) -> None:
    """So one pass over them sees each edge between groups at a time when its end is known."""
    for source, target, _ in graph.edges:
        assert graph.group_of[source] >= graph.group_of[target]


@settings(deadline=None)
@given(graphs())
def test_what_the_starts_lead_to_is_reachable(graph: Graph) -> None:
    """The starts are the tasks to which no edge leads, if nothing else is said."""
    starts = set(range(len(graph.names))) - {edge.target for edge in graph.edges}
    assert graph.starts == starts
    expected = starts.union(*(reached_from(graph, number) for number in starts))
    assert {n for n in range(len(graph.names)) if graph.reachable >> n & 1} == expected


def test_ten_thousand_tasks_in_a_row_are_no_matter_of_depth() -> None:
    """Neither a chain nor a loop of that length runs into Python's limit of recursion."""
    size = 10_000
    names = [str(number) for number in range(size)]
    chain = Graph.chain(names)
    loop = Graph(names, [*chain.edges, Edge(size - 1, 0)])
    assert len(chain.groups) == size
    assert all(chain.precedes(a, b) for a, b in pairwise(range(0, size, 100)))
    assert loop.groups == (tuple(range(size)),)
