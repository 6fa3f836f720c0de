"""Small pictures in fragments: bars, histograms and strips, sized by attributes of SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

_LEAST_PERCENT: Final = 0.6
"""The width of a part that would be too small to be seen."""


class Column(NamedTuple):
    """A column of a picture, and its words.

    Its parts stand one on another: each has a class, and a height as a share of the whole.
    """

    parts: Sequence[tuple[str, float]]
    words: str


def bar(
    total: float | None, succeeded: float = 0, failed: float = 0, others: float = 0, size: str = ""
) -> str:
    """A bar of items that succeeded, failed or ended otherwise, out of all of them.

    It is for the eye only: the counts stand beside it.
    """
    whole = max(total or 0, succeeded + failed + others, 1)
    parts = [("bad", failed), ("rest", others), ("ok", succeeded)]
    drawn, begin = [], 0.0
    for kind, count in sorted(parts, key=lambda part: part[0] != "ok"):
        if not count:
            continue
        width = max(_LEAST_PERCENT, 100 * count / whole)
        begin = min(begin, 100 - width)
        drawn.append(_rect(kind, f"{begin:.2f}%", "0", f"{width:.2f}%", "100%"))
        begin += width
    mark = Markup('<svg class="bar {}" aria-hidden="true">{}</svg>')
    return mark.format(size, Markup("").join(drawn))


def columns(kind: str, found: Sequence[Column], title: str) -> str:
    """Columns side by side, each with its words for a pointer."""
    width = 100 / max(len(found), 1)
    drawn = [_column(each, place * width, width) for place, each in enumerate(found)]
    mark = Markup('<svg class="{}" role="img" aria-label="{}">{}</svg>')
    return mark.format(kind, title, Markup("").join(drawn))


def _column(column: Column, x: float, width: float) -> str:
    drawn, top = [], 100.0
    for kind, share in column.parts or [("none", 0.0)]:
        height = max(2.0, 100 * share)
        top -= height
        place = (f"{x + width * 0.08:.3f}%", f"{top:.2f}%")
        drawn.append(_rect(kind, *place, f"{width * 0.84:.3f}%", f"{height:.2f}%"))
    mark = Markup("<g><title>{}</title>{}</g>")
    return mark.format(column.words, Markup("").join(drawn))


def _rect(kind: str, x: str, y: str, width: str, height: str) -> str:
    mark = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
    return mark.format(kind, x, y, width, height)
