"""Places of drawn graphs: what holds for every graph, however its tasks are wired."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.graph import Edge, Graph
from fanwise.layout import GAP_X, Layout, Link, Point, Route, Size, layout

sizes = st.builds(Size, st.integers(10, 200), st.integers(10, 60))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[Link]]:
    """Nodes and links between any of them: cycles, loops, and several between the same two."""
    nodes = draw(st.lists(sizes, max_size=9))
    ends = st.integers(0, max(0, len(nodes) - 1))
    label = st.none() | sizes
    links = draw(st.lists(st.builds(Link, ends, ends, label), max_size=14)) if nodes else []
    return nodes, links


def boxes(nodes: list[Size], links: list[Link], laid: Layout) -> list[tuple[Point, Size]]:
    """The places and sizes of all nodes and labels."""
    labels = [(route.label, link.label) for route, link in zip(laid.routes, links, strict=True)]
    assert all((place is None) == (size is None) for place, size in labels)
    return [*zip(laid.nodes, nodes, strict=True), *(each for each in labels if each[1])]


@settings(deadline=None)
@given(graphs())
def test_nodes_and_labels_lie_apart_and_within_the_size(graph):
    """Nothing covers anything else, and nothing is cut off."""
    laid = layout(*graph)
    placed = boxes(*graph, laid)
    for (a, its), (b, others) in combinations(placed, 2):
        beside = a.x + its.width <= b.x or b.x + others.width <= a.x
        above = a.y + its.height <= b.y or b.y + others.height <= a.y
        assert beside or above
    for at, size in placed:
        assert at.x >= 0 <= at.y
        assert at.x + size.width <= laid.size.width
        assert at.y + size.height <= laid.size.height


@settings(deadline=None)
@given(graphs())
def test_nodes_side_by_side_keep_their_distance(graph):
    """Nodes of the same height in a layer have at least a gap between them."""
    nodes = [Size(size.width, 40) for size in graph[0]]
    laid = layout(nodes, graph[1])
    for (a, its), (b, _) in combinations(zip(laid.nodes, nodes, strict=True), 2):
        if a.y == b.y and a.x <= b.x:
            assert b.x - (a.x + its.width) >= GAP_X


@settings(deadline=None)
@given(graphs())
def test_lines_lead_downward_from_node_to_node(graph):
    """From the lower side of one to the upper side of the other; upward where they lead back."""
    nodes, links = graph
    laid = layout(nodes, links)
    for link, route in zip(links, laid.routes, strict=True):
        if link.source == link.target:
            assert route.is_back
            continue
        ends = (link.target, link.source) if route.is_back else (link.source, link.target)
        points = route.points[::-1] if route.is_back else route.points
        assert all(a.y <= b.y for a, b in pairwise(points))
        for end, point, height in zip(ends, (points[0], points[-1]), (1, 0), strict=True):
            corner, size = laid.nodes[end], nodes[end]
            assert point.y == corner.y + size.height * height
            assert corner.x <= point.x <= corner.x + size.width


@settings(deadline=None)
@given(graphs())
def test_no_line_passes_through_a_node(graph):
    """No upright part of a line lies within a node; bends lie between layers."""
    nodes, links = graph
    laid = layout(nodes, links)
    for route in laid.routes:
        for a, b in pairwise(route.points):
            for corner, size in zip(laid.nodes, nodes, strict=True):
                within = corner.x < a.x < corner.x + size.width and a.x == b.x
                top, bottom = min(a.y, b.y), max(a.y, b.y)
                assert not within or bottom <= corner.y or top >= corner.y + size.height


@given(graphs())
def test_without_the_links_that_lead_back_there_is_no_cycle(graph):
    """And a link leads back only where there is one."""
    nodes, links = graph
    is_back = [route.is_back for route in layout(nodes, links).routes]
    names = [str(number) for number in range(len(nodes))]
    edges = [Edge(link.source, link.target) for link in links]
    kept = [edge for edge, back in zip(edges, is_back, strict=True) if not back]
    assert not Graph(names, kept).loops
    whole = Graph(names, edges)
    for edge, back in zip(edges, is_back, strict=True):
        assert not back or whole.group_of[edge.source] == whole.group_of[edge.target]


@given(graphs())
def test_the_same_graph_has_the_same_layout(graph):
    """No order of a set and no chance is in it."""
    assert layout(*graph) == layout(*graph)


def test_a_chain_stands_in_one_line():
    """One node below the other, and each line is straight."""
    laid = layout([Size(60, 30), Size(80, 30), Size(60, 30)], [Link(0, 1), Link(1, 2)])
    assert laid.nodes == (Point(10, 0), Point(0, 70), Point(10, 140))
    assert laid.routes[0] == Route((Point(40, 30), Point(40, 70)), None, is_back=False)


def test_a_tree_has_no_crossings():
    """Children stand in the order of their parents, however they are listed."""
    links = [Link(0, 1), Link(0, 2), Link(2, 3), Link(1, 4), Link(2, 5), Link(1, 6)]
    x = [place.x for place in layout([Size(40, 20)] * 7, links).nodes]
    assert x[1] < x[2]
    assert max(x[4], x[6]) < min(x[3], x[5])


@pytest.mark.parametrize("label", [None, Size(30, 16)])
def test_many_long_links_take_points_in_proportion(label: Size | None):
    """A link from each of n tasks to the last one would pass n * n / 2 layers."""
    count = 400
    links = [Link(n, n + 1) for n in range(count - 1)]
    links += [Link(n, count - 1, label) for n in range(count - 2)]
    routes = layout([Size(60, 30)] * count, links).routes
    assert sum(len(route.points) for route in routes) < 12 * (count + len(links))
