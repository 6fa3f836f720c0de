"""All benchmarks by their names, and how to run one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

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


class Measured(NamedTuple):
    """A benchmark's figures, their form for a terminal, and their budgets."""

    figures: object
    shown: RenderableType
    budgets: list[Budget]


def measure(name: str, *, rounds: int) -> Measured:
    """Run one of `BENCHMARKS`. Raises `UsageError` if one of its sides fails."""
    return measure_module(f"fanwise.bench.{name}", rounds=rounds)


def measure_module(path: str, *, rounds: int, **options: int) -> Measured:
    """Run the benchmark that is the module at `path`, with further options of its own."""
    module = import_module(path)
    figures = module.compare(rounds=rounds, **options)
    return Measured(figures, module.render(figures), module.budgets(figures))
