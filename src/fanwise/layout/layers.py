"""The layers of a graph: that of each node, and the points of links that pass layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fanwise.layout.shapes import Link, Size

LOOP: Final = 28
"""The room beside a node for a link that leads to the node itself, without its label."""

_POINTS_PER_PART: Final = 2


class Layers:
    """The parts of a drawing in their layers: nodes, and behind them the points of links.

    Each part has a width and a height, with its loops and their labels; `up` and `down` have the
    parts that it is linked to, in the layers above and below. `passed` has the points of each
    link, from its upper end on.
    """

    def __init__(self, sizes: Sequence[Size], links: Sequence[Link]) -> None:
        self.sizes, self.links = sizes, links
        self.is_back = _closing(len(sizes), links)
        self.loops: list[list[int]] = [[] for _ in sizes]
        for number, (source, target, _) in enumerate(links):
            if source == target:
                self.loops[source].append(number)
        self.heights = [
            max(
                [size.height, *(label.height for number in loops if (label := links[number].label))]
            )
            for size, loops in zip(sizes, self.loops, strict=True)
        ]
        self.widths = [
            size.width + sum(map(self.loop_width, loops))
            for size, loops in zip(sizes, self.loops, strict=True)
        ]
        self.layer_of = self._layered()
        self.up: list[list[int]] = [[] for _ in sizes]
        self.down: list[list[int]] = [[] for _ in sizes]
        self.passed = self._passing()
        self.layers: list[list[int]] = [[] for _ in range(max(self.layer_of) + 1)]
        for part, layer in enumerate(self.layer_of):
            self.layers[layer].append(part)

    def ends(self, number: int) -> tuple[int, int]:
        """The upper and the lower node of a link."""
        source, target, _ = self.links[number]
        return (target, source) if self.is_back[number] else (source, target)

    def loop_width(self, number: int) -> int:
        """The room of a link from a node to itself."""
        label = self.links[number].label
        return LOOP + (label.width if label else 0)

    def _layered(self) -> list[int]:
        """The layer of each node: one below the lowest from which a link leads to it.

        A link with a label and one that leads back leave a layer between, for a point.
        """
        below: list[list[tuple[int, int]]] = [[] for _ in self.sizes]
        waits = [0] * len(self.sizes)
        for number, link in enumerate(self.links):
            upper, lower = self.ends(number)
            if upper != lower:
                span = 2 if link.label is not None or self.is_back[number] else 1
                below[upper].append((lower, span))
                waits[lower] += 1
        layers = [0] * len(self.sizes)
        ready = [node for node, count in enumerate(waits) if not count]
        first = list(ready)
        for node in ready:
            for lower, span in below[node]:
                layers[lower] = max(layers[lower], layers[node] + span)
                waits[lower] -= 1
                if not waits[lower]:
                    ready.append(lower)
        for node in first:  # what nothing leads to stands close to what it leads to
            layers[node] = min((layers[to] - span for to, span in below[node]), default=0)
        return layers

    def _passing(self) -> list[list[int]]:
        """The points of each link, from its upper end to its lower one; the shortest have theirs.

        A link for which no more points are left has only that for which its layers leave room.
        """
        passed: list[list[int]] = [[] for _ in self.links]
        left = _POINTS_PER_PART * (len(self.sizes) + len(self.links))
        spans = []
        for number in range(len(self.links)):
            upper, lower = self.ends(number)
            spans.append(self.layer_of[lower] - self.layer_of[upper])
        for number in sorted(range(len(self.links)), key=spans.__getitem__):
            upper, lower = self.ends(number)
            label, is_back = self.links[number].label, self.is_back[number]
            if upper == lower:
                continue
            left -= spans[number] - 1
            layers = range(self.layer_of[upper] + 1, self.layer_of[lower])
            room = layers[-1:] if is_back else layers[:1] if label is not None else layers[:0]
            before = upper
            for layer in room if left < 0 else layers:
                point = self._point(layer, label if layer in room else None)
                self._connect(before, point)
                passed[number].append(point)
                before = point
            self._connect(before, lower)
        return passed

    def _point(self, layer: int, label: Size | None) -> int:
        size = label or Size(0, 0)
        self.widths.append(size.width)
        self.heights.append(size.height)
        self.layer_of.append(layer)
        self.up.append([])
        self.down.append([])
        return len(self.layer_of) - 1

    def _connect(self, upper: int, lower: int) -> None:
        if self.layer_of[lower] - self.layer_of[upper] == 1:
            self.down[upper].append(lower)
            self.up[lower].append(upper)


def _closing(count: int, links: Sequence[Link]) -> list[bool]:
    """For each link, whether it closes a cycle: it leads to a node on the way to its source.

    Ways begin where no link leads to, then at nodes in their order.
    """
    leaving: list[list[int]] = [[] for _ in range(count)]
    is_led_to = [False] * count
    for number, link in enumerate(links):
        leaving[link.source].append(number)
        is_led_to[link.target] = True
    found = [False] * len(links)
    state = [0] * count  # 1: on the way, 2: left
    for root in sorted(range(count), key=is_led_to.__getitem__):
        if state[root]:
            continue
        state[root] = 1
        work = [(root, iter(leaving[root]))]
        while work:
            node, rest = work[-1]
            for number in rest:
                target = links[number].target
                if state[target] == 1:
                    found[number] = True
                elif not state[target]:
                    state[target] = 1
                    work.append((target, iter(leaving[target])))
                    break
            else:
                state[node] = 2
                work.pop()
    return found
