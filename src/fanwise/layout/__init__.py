"""The places of a drawn graph: nodes in layers, and links as lines that pass between them.

Knows sizes and links, and nothing of tasks, texts or formats. The same input gives the same
layout. `x` grows to the right and `y` downward. Nodes and labels keep their distance, and a line
leads downward, unless its link closes a cycle.
"""

# Layers, points in each layer that a link passes, and sweeps of means for the order in layers:
# K. Sugiyama, S. Tagawa, M. Toda, IEEE Transactions SMC 11(2), 1981. Two things differ. Places in
# a layer are the least squares to the means of neighbours under the distances, which pooling
# adjacent violators finds exactly and in linear time. And the points of links that pass layers are
# bounded: a link from each task of a chain to its last one would need n * n / 2 of them.

from __future__ import annotations

from collections.abc import Sequence

from fanwise.layout.layers import Layers
from fanwise.layout.places import GAP_X, sort, spread
from fanwise.layout.routes import GAP_Y, Routes
from fanwise.layout.shapes import Layout, Link, Point, Route, Size

__all__ = ["GAP_X", "GAP_Y", "Layout", "Link", "Point", "Route", "Size", "layout"]


def layout(sizes: Sequence[Size], links: Sequence[Link]) -> Layout:
    """Lay out nodes of these sizes. Links name them by their numbers, from 0."""
    if not sizes:
        return Layout((), (), Size(0, 0))
    layers = Layers(sizes, links)
    sort(layers)
    return Routes(layers, spread(layers)).layout()
