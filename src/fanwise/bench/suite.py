"""All benchmarks by their names, and how to run one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from fanwise.bench.budget import Budget

if TYPE_CHECKING:
    from rich.console import RenderableType

BENCHMARKS = {
    "context": "An item's context: shared, against copied",
    "render": "Rendering an item's input, against Jinja2",
    "fanout": "A fan-out that is recorded, against a bare loop, and by the number of items",
    "children": "A child workflow of three steps per item, each step recorded",
    "graph": "Workflows of ten thousand tasks: checking, running, deciding",
    "resume": "Resuming a run of a million items, half of them recorded",
    "control": "Pausing and cancelling a run from another process",
    "torture": "Killing processes over and over, and counting what is lost by it",
    "habits": "What the advice on fan-outs is worth, each piece against its opposite",
    "http": "HTTP checks of a thousand servers, against a bare aiohttp loop",
    "start": "Starting commands, against an empty Python",
}
"""Titles of the benchmarks, in their order. Each is a module of its name."""

KILLING = ("torture",)
"""Benchmarks that kill a given number of processes."""

PICTURED = ("context",)
"""Benchmarks that can draw their figures; their modules have a `picture`."""


class Measured(NamedTuple):
    """A benchmark's figures, their form for a terminal, and their budgets.

    `picture` is a whole SVG document, or None if the benchmark isn't one of `PICTURED`.
    """

    figures: Any
    shown: RenderableType
    budgets: list[Budget]
    picture: str | None


def measure(name: str, *, rounds: int, kills: int | None = None) -> Measured:
    """Run one of `BENCHMARKS`, those of `KILLING` with so many kills, unless None.

    Raises `UsageError` if one of its sides fails.
    """
    module = import_module(f"fanwise.bench.{name}")
    options = {"kills": kills} if name in KILLING and kills is not None else {}
    figures = module.compare(rounds=rounds, **options)
    picture = module.picture(figures) if name in PICTURED else None
    return Measured(figures, module.render(figures), module.budgets(figures), picture)
