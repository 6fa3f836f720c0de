"""The order of parts within their layers, and how far to the left they stand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import floor
from typing import Final

from fanwise.layout.layers import Layers

GAP_X: Final = 24
"""The least distance between two parts of a layer."""

_SWEEPS: Final = 3
_POINT_WEIGHT: Final = 8.0  # links that pass layers are straight rather than close to their ends
_LONE_WEIGHT: Final = 0.1

_Beside = Sequence[Sequence[int]]


def sort(parts: Layers) -> None:
    """Order each layer by the mean places of what stands above it, then below it, some times."""
    place = [0.0] * len(parts.layer_of)
    for layer in parts.layers:
        _number(layer, place)
    downward, upward = parts.layers[1:], parts.layers[-2::-1]
    for _ in range(_SWEEPS):
        for layers, beside in ((downward, parts.up), (upward, parts.down)):
            for layer in layers:
                if len(layer) > 1:
                    for part in layer:
                        place[part] = _mean(beside[part], place, place[part])
                    layer.sort(key=place.__getitem__)
                _number(layer, place)


def spread(parts: Layers) -> list[int]:
    """The left side of each part: close to parts above and below, apart from those beside it."""
    middles = [0.0] * len(parts.layer_of)
    offsets = []
    for layer in parts.layers:
        halves = [parts.widths[part] / 2 for part in layer]
        steps = (left + right + GAP_X for left, right in pairwise(halves))
        offsets.append(list(accumulate(steps, initial=halves[0])))
        centre = (offsets[-1][-1] + halves[-1]) / 2
        for part, offset in zip(layer, offsets[-1], strict=True):
            middles[part] = offset - centre
    order = range(len(parts.layers))
    both = [above + below for above, below in zip(parts.up, parts.down, strict=True)]
    upward = order[::-1]
    passes = ((parts.up, order), (parts.down, upward), (both, upward), (both, order))
    for beside, numbers in passes:
        for number in numbers:
            _move(parts, number, offsets[number], beside, middles)
    return [
        floor(middle - width / 2 + 0.5) for middle, width in zip(middles, parts.widths, strict=True)
    ]


def _move(
    parts: Layers, number: int, offsets: Sequence[float], beside: _Beside, middles: list[float]
) -> None:
    """Move the parts of a layer to the means of their neighbours, as close as there is room.

    Without their distances, which `offsets` add up, places must only grow: others are pooled.
    """
    layer, nodes = parts.layers[number], len(parts.sizes)
    pools: list[tuple[float, float, int]] = []  # mean, weight, and number of parts
    for part, offset in zip(layer, offsets, strict=True):
        near = beside[part]
        mean, count = _mean(near, middles, middles[part]) - offset, 1
        weight = _POINT_WEIGHT if part >= nodes else 1.0 if near else _LONE_WEIGHT
        while pools and pools[-1][0] >= mean:
            other, its_weight, its_count = pools.pop()
            total = weight + its_weight
            mean = (mean * weight + other * its_weight) / total
            weight, count = total, count + its_count
        pools.append((mean, weight, count))
    at = 0
    for mean, _, count in pools:
        whole = floor(mean + 0.5)
        for place in range(at, at + count):
            middles[layer[place]] = whole + offsets[place]
        at += count


def _mean(near: Sequence[int], places: Sequence[float], otherwise: float) -> float:
    """The mean place of parts, or another one if there are none."""
    if len(near) == 1:
        return places[near[0]]
    return sum([places[part] for part in near]) / len(near) if near else otherwise


def _number(layer: Sequence[int], place: list[float]) -> None:
    for at, part in enumerate(layer):
        place[part] = float(at)
