"""Draws the memory of contexts over the number of items, for docs/performance.md.

    fanwise bench context --json | python tools/memory_picture.py > docs/memory.svg

The picture is SVG with two logarithmic axes. It has the measured points and straight lines between
them, and no other points. It brings its background with it and follows the reader's light or dark
setting, so it can be read wherever it is shown.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import msgspec

from fanwise.bench.context import ContextFigures
from fanwise.units import show_bytes

Points = Sequence[tuple[float, float]]
"""Points of a curve, all of them positive."""

_WIDTH, _HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 110, 56, 64
"""Margins, in pixels like all lengths here; the right one has the names of curves."""

_COLOURS = [("#c2410c", "#fb923c"), ("#7c3aed", "#c4b5fd"), ("#0f766e", "#5eead4")]
"""Colours of each curve, on a light background and on a dark one."""

_STYLE = """\
  svg { font: 13px system-ui, sans-serif }
  .paper { fill: #ffffff } .grid { stroke: #e2e2e2 } text { fill: #333333 }
  .title { font-size: 16px; font-weight: 600 }"""
_DARK_STYLE = """\
    .paper { fill: #14171c } .grid { stroke: #333941 } text { fill: #d5d9e0 }"""


class _Axis(NamedTuple):
    """The decades from `low` to `high`, as powers of ten, laid out from pixel `start` to `end`."""

    low: int
    high: int
    start: float
    end: float

    def place(self, value: float) -> float:
        """The pixel of a value."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def decades(self) -> Iterator[int]:
        """The values that have a line of the grid."""
        return (10**power for power in range(self.low, self.high + 1))


class _Context(msgspec.Struct):
    figures: ContextFigures


class _Measured(msgspec.Struct):
    context: _Context


def picture(figures: ContextFigures) -> str:
    """Draw the memory of all contexts as items are added."""
    return log_plot(
        figures.growth,
        title=f"Memory of all items' contexts; {show_bytes(figures.context_bytes)} of task results",
        x_title="items whose contexts are kept",
        y_title="memory",
        show_y=show_bytes,
    )


def log_plot(
    curves: Mapping[str, Points],
    *,
    title: str,
    x_title: str,
    y_title: str,
    show_y: Callable[[float], str],
) -> str:
    """Draw up to three curves, whose points are positive and in the order of x, as a document."""
    points = [point for curve in curves.values() for point in curve]
    x_axis = _axis([x for x, _ in points], _LEFT, _WIDTH - _RIGHT)
    y_axis = _axis([y for _, y in points], _HEIGHT - _BOTTOM, _TOP)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            *_style(len(curves)),
            f'<rect class="paper" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>',
            _text(_LEFT, 30, title, "start", kind="title"),
            *_grid(x_axis, y_axis, show_y),
            _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 16, x_title, "middle"),
            f'<g transform="rotate(-90 18 {_HEIGHT / 2})">',
            _text(18, _HEIGHT / 2, y_title, "middle"),
            "</g>",
            *_curves(curves, x_axis, y_axis),
            "</svg>\n",
        ]
    )


def _axis(values: list[float], start: float, end: float) -> _Axis:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return _Axis(low, max(high, low + 1), start, end)


def _style(count: int) -> Iterator[str]:
    light = [f"  .curve{n} {_paint(_COLOURS[n][0])}" for n in range(count)]
    dark = [f"    .curve{n} {_paint(_COLOURS[n][1])}" for n in range(count)]
    yield from ["<style>", _STYLE, *light]
    yield from ["  @media (prefers-color-scheme: dark) {", _DARK_STYLE, *dark, "  }", "</style>"]


def _paint(colour: str) -> str:
    return f"{{ stroke: {colour}; fill: {colour} }}"


def _grid(x_axis: _Axis, y_axis: _Axis, show_y: Callable[[float], str]) -> Iterator[str]:
    for value in x_axis.decades():
        x = x_axis.place(value)
        yield f'<path class="grid" d="M{x} {y_axis.start}V{y_axis.end}"/>'
        yield _text(x, y_axis.start + 20, f"{value:,}", "middle")
    for value in y_axis.decades():
        y = y_axis.place(value)
        yield f'<path class="grid" d="M{x_axis.start} {y}H{x_axis.end}"/>'
        yield _text(x_axis.start - 8, y + 4, show_y(value), "end")


def _curves(curves: Mapping[str, Points], x_axis: _Axis, y_axis: _Axis) -> Iterator[str]:
    for number, (name, curve) in enumerate(curves.items()):
        places = [(x_axis.place(x), y_axis.place(y)) for x, y in curve]
        line = " ".join(f"{x},{y}" for x, y in places)
        yield f'<g class="curve{number}">'
        yield f'<polyline points="{line}" stroke-width="2" style="fill: none"/>'
        yield from (f'<circle cx="{x}" cy="{y}" r="3"/>' for x, y in places)
        yield "</g>"
        last_x, last_y = places[-1]
        yield _text(last_x + 10, last_y + 4, name, "start")


def _text(x: float, y: float, text: str, anchor: str, *, kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


if __name__ == "__main__":
    measured = msgspec.json.decode(sys.stdin.buffer.read(), type=_Measured)
    sys.stdout.write(picture(measured.context.figures))
