"""A small plot of curves, drawn with characters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Points = Sequence[tuple[float, float]]
"""Points of one curve, none of them negative."""

_MARKS = "█░▒▓"


def plot(
    curves: Mapping[str, Points],
    *,
    show_y: Callable[[float], str],
    x_title: str,
    width: int = 64,
    height: int = 12,
) -> str:
    """Draw up to four curves over one another, from 0 to the largest x and y.

    Each has a mark of its own, which a legend below names; where curves meet, the later one shows.
    """
    top_x = max(x for points in curves.values() for x, _ in points) or 1
    top_y = max(y for points in curves.values() for _, y in points) or 1
    grid = [[" "] * width for _ in range(height)]
    for mark, points in zip(_MARKS, curves.values(), strict=False):
        for x, y in points:
            row = round((height - 1) * (1 - y / top_y))
            grid[row][round((width - 1) * x / top_x)] = mark
    labels = {0: show_y(top_y), height - 1: show_y(0)}
    margin = max(len(label) for label in labels.values())
    lines = [
        f"{labels.get(row, ''):>{margin}} │{''.join(cells).rstrip()}"
        for row, cells in enumerate(grid)
    ]
    legend = "   ".join(f"{mark} {name}" for mark, name in zip(_MARKS, curves, strict=False))
    title = f"0 to {top_x:,.0f} {x_title}"
    return "\n".join(
        [*lines, f"{'':>{margin}} └{'─' * width}", f"{title:>{margin + width + 2}}", legend]
    )
