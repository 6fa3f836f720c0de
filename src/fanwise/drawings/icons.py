"""The shapes of statuses, which tell them apart without colour, in a square of 12."""

from __future__ import annotations

from typing import Final

from fanwise.drawings.svg import element

_PATHS: Final = {
    "pending": "M6 4a2 2 0 1 0 .01 0z",
    "running": "M3 1l8 5-8 5z",
    "waiting": "M2 1h8v2l-3 3 3 3v2H2V9l3-3-3-3z",
    "paused": "M2 1h3v10H2zM7 1h3v10H7z",
    "interrupted": "M5 1h2v6H5zM5 9h2v2H5z",
    "succeeded": "M1 6.5L2.5 5 5 7.5 9.5 2 11 3.5 5 10.5z",
    "failed": "M2.5 1L6 4.5 9.5 1 11 2.5 7.5 6 11 9.5 9.5 11 6 7.5 2.5 11 1 9.5 4.5 6 1 2.5z",
    "cancelled": "M2 2h8v8H2z",
    "skipped": "M1 2l5 4-5 4zM7 2l4 4-4 4z",
    "blocked": "M1 5h10v2H1z",
}


def icon(status: str, x: float, y: float) -> str:
    """The shape of a status, whose upper left corner is at a place; nothing for others."""
    path = _PATHS.get(status)
    if path is None:
        return ""
    return element("path", d=path, class_="icon", transform=f"translate({x:g} {y:g})")
