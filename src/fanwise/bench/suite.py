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
    "start": "Starting commands, against an empty Python",
}
"""Titles of the benchmarks, in their order. Each is a module of its name."""

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


def measure(name: str, *, rounds: int) -> Measured:
    """Run one of `BENCHMARKS`. Raises `UsageError` if one of its sides fails."""
    return measure_module(f"fanwise.bench.{name}", rounds=rounds)


def measure_module(path: str, *, rounds: int, **options: int) -> Measured:
    """Run the benchmark that is the module at `path`, with further options of its own."""
    module = import_module(path)
    figures = module.compare(rounds=rounds, **options)
    picture = module.picture(figures) if hasattr(module, "picture") else None
    return Measured(figures, module.render(figures), module.budgets(figures), picture)
