"""Sizes and links of a graph to lay out, and its places and routes. Lengths are whole units."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """The width and height of a node or a label."""

    width: int
    height: int


class Point(NamedTuple):
    """A place; that of a node or a label is its upper left corner."""

    x: int
    y: int


class Link(NamedTuple):
    """A line to draw from the node `source` to the node `target`, maybe with a label."""

    source: int
    target: int
    label: Size | None = None


class Route(NamedTuple):
    """The line of a link through `points`, and the place of its label.

    The line bends between a point and the next, and it is straight where their `x` are equal.
    `is_back` says that the link closes a cycle: its line leads upward, or round its node.
    """

    points: tuple[Point, ...]
    label: Point | None
    is_back: bool


class Layout(NamedTuple):
    """The places of nodes and the routes of links, in their order, and the size of the whole."""

    nodes: tuple[Point, ...]
    routes: tuple[Route, ...]
    size: Size
