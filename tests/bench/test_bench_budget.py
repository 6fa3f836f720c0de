"""Budgets, and the suite that ends with a table of them."""

from io import StringIO

import pytest
from rich.console import Console

from fanwise.bench.budget import Budget, at_least, at_most, render
from fanwise.bench.suite import BENCHMARKS, measure


@pytest.mark.parametrize(
    ("budget", "met"),
    [
        (at_most("a", 40, "bytes", 40), True),
        (at_most("a", 40, "bytes", 40.1), False),
        (at_least("a", 0.6, "times", 0.6), True),
        (at_least("a", 0.6, "times", 0.59), False),
    ],
)
def test_a_budget_is_met_up_to_its_limit(budget: Budget, met: bool) -> None:
    """What is promised includes the figure itself."""
    assert budget.met is met


def test_budgets_are_shown_with_what_was_measured() -> None:
    """A row has the promise, the figure in the same unit, and the verdict."""
    output = StringIO()
    budgets = [at_most("start", 0.3, "seconds", 0.0512), at_most("memory", 3e7, "bytes", 4.5e7)]
    Console(file=output, width=100).print(render(budgets))

    lines = [line.replace("│", " ").split() for line in output.getvalue().splitlines()]
    assert ["start", "at", "most", "300", "ms", "51.2", "ms", "yes"] in lines
    assert ["memory", "at", "most", "30", "MB", "45", "MB", "NO"] in lines


def test_a_benchmark_is_run_by_its_name() -> None:
    """Figures, what shows them, and budgets come together."""
    measured = measure("render", rounds=1)
    output = StringIO()
    Console(file=output, width=100).print(measured.shown)

    assert list(BENCHMARKS)[:2] == ["context", "render"]
    assert measured.figures.paths.rounds == 1
    assert "Jinja2" in output.getvalue()
    assert len(measured.budgets) == 3
