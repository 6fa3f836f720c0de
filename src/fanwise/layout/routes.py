"""The lines of links through the layers, and the whole layout, from the places of parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor
from typing import Final

from fanwise.layout.layers import LOOP, Layers
from fanwise.layout.shapes import Layout, Point, Route, Size

GAP_Y: Final = 40
"""The distance between two layers, in which lines bend."""

_PORT: Final = 16


class Routes:
    """The layout of parts that are in order; `left` has the left side of each."""

    def __init__(self, parts: Layers, left: Sequence[int]) -> None:
        corner = min(left)
        self._parts = parts
        self._left = [each - corner for each in left]
        self._tops, self._bottoms, top = [], [], 0
        for layer in parts.layers:
            self._tops.append(top)
            self._bottoms.append(top + max(parts.heights[part] for part in layer))
            top = self._bottoms[-1] + GAP_Y

    def layout(self) -> Layout:
        """The layout, whose corner is at 0."""
        right = max(map(int.__add__, self._left, self._parts.widths))
        nodes = tuple(self._place(node) for node in range(len(self._parts.sizes)))
        return Layout(nodes, tuple(self._routes()), Size(right, self._bottoms[-1]))

    def _place(self, part: int) -> Point:
        """The corner of a part, in the middle of its layer's height."""
        layer = self._parts.layer_of[part]
        room = self._bottoms[layer] - self._tops[layer] - self._size(part).height
        return Point(self._left[part], self._tops[layer] + room // 2)

    def _middle(self, part: int) -> int:
        return self._left[part] + self._size(part).width // 2

    def _size(self, part: int) -> Size:
        """The size of a node without its loops, or that of a point's label."""
        parts = self._parts
        if part < len(parts.sizes):
            return parts.sizes[part]
        return Size(parts.widths[part], parts.heights[part])

    def _routes(self) -> Iterator[Route]:
        leaving, entering = self._ports()
        for number, (link, is_back) in enumerate(
            zip(self._parts.links, self._parts.is_back, strict=True)
        ):
            if link.source == link.target:
                yield self._loop(number)
                continue
            upper, lower = self._parts.ends(number)
            points = [*self._below(upper, leaving[number])]
            label = None
            for part in self._parts.passed[number]:
                layer, middle = self._parts.layer_of[part], self._middle(part)
                points += [Point(middle, self._tops[layer]), Point(middle, self._bottoms[layer])]
                label = self._place(part) if self._parts.widths[part] else label
            points += reversed([*self._above(lower, entering[number])])
            if is_back:
                points.reverse()
            yield Route(tuple(dict.fromkeys(points)), label, is_back)

    def _below(self, node: int, x: int) -> Iterator[Point]:
        """From the lower side of a node straight to that of its layer."""
        yield Point(x, self._place(node).y + self._size(node).height)
        yield Point(x, self._bottoms[self._parts.layer_of[node]])

    def _above(self, node: int, x: int) -> Iterator[Point]:
        """From the upper side of a node straight to that of its layer."""
        yield Point(x, self._place(node).y)
        yield Point(x, self._tops[self._parts.layer_of[node]])

    def _ports(self) -> tuple[Sequence[int], Sequence[int]]:
        """The `x` at which each link leaves its upper node, and at which it enters its lower one.

        The links of a node meet it in the order in which they come, and so don't cross there.
        """
        below: list[list[tuple[int, int]]] = [[] for _ in self._parts.sizes]
        above: list[list[tuple[int, int]]] = [[] for _ in self._parts.sizes]
        for number, passed in enumerate(self._parts.passed):
            upper, lower = self._parts.ends(number)
            if upper != lower:
                below[upper].append((self._middle(passed[0] if passed else lower), number))
                above[lower].append((self._middle(passed[-1] if passed else upper), number))
        return self._divided(below), self._divided(above)

    def _divided(self, met: Sequence[list[tuple[int, int]]]) -> Sequence[int]:
        """The place of each link on the side of its node; `met` has the links of each side."""
        found = [0] * len(self._parts.links)
        for node, links in enumerate(met):
            if links:
                middle = self._middle(node)
                step = min(_PORT, self._parts.sizes[node].width / (len(links) + 1))
                first = (1 - len(links)) / 2
                for at, (_, number) in enumerate(sorted(links)):
                    found[number] = middle + floor((first + at) * step + 0.5)
        return found

    def _loop(self, number: int) -> Route:
        """From the right side of a node back to it, round the loops that come after."""
        node, _, label = self._parts.links[number]
        loops, size, corner = self._parts.loops[node], self._parts.sizes[node], self._place(node)
        at = loops.index(number)
        right = corner.x + size.width
        out = right + LOOP // 2 + sum(map(self._parts.loop_width, loops[at + 1 :]))
        rise = size.height * (at + 1) // (2 * (len(loops) + 1))
        upper, lower = corner.y + rise, corner.y + size.height - rise
        points = (Point(right, upper), Point(out, upper), Point(out, lower), Point(right, lower))
        above = 0 if label is None else (label.height - size.height) // 2
        place = None if label is None else Point(out + LOOP // 4, corner.y - above)
        return Route(points, place, is_back=True)
