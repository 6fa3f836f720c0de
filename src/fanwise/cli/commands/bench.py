"""`fanwise bench`: measures what fanwise costs, next to what the same job costs without it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_benchmarks
from fanwise.cli.leaving import CleaningUpAtSignals
from fanwise.cli.text.output import as_json, flush_results, print_results, say
from fanwise.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType


def bench(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Run this one; else all of them.",
            autocompletion=complete_benchmarks,
        ),
    ] = None,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, metavar="N", help="Figures are medians of so many.")
    ] = 7,
    list_names: Annotated[bool, typer.Option("--list", help="Only list the benchmarks.")] = False,
    json: options.JsonFlag = False,
) -> None:
    """Measure fanwise against what a job costs without it.

    Exit status: 1 if something doesn't hold that must hold on any machine.
    """
    from fanwise.bench.budget import render
    from fanwise.bench.suite import BENCHMARKS, measure

    if list_names:
        width = max(map(len, BENCHMARKS))
        print_results(f"{each:{width}}  {what}" for each, what in BENCHMARKS.items())
        return
    if name is not None and name not in BENCHMARKS:
        from fanwise.definition import did_you_mean

        raise UsageError(
            f'there is no benchmark "{name}".',
            hint=did_you_mean(name, BENCHMARKS) or f"There are {', '.join(BENCHMARKS)}.",
        )
    results, budgets = {}, []
    for each in BENCHMARKS if name is None else [name]:
        say(f"Measuring {each} ...")
        with CleaningUpAtSignals():
            measured = measure(each, rounds=rounds)
        results[each] = {"figures": measured.figures, "budgets": measured.budgets}
        budgets += measured.budgets
        if not json:
            print_results([*_lines(measured.shown), ""])
            flush_results()
    print_results([as_json(results)] if json else _lines(render(budgets)))
    if not all(budget.met for budget in budgets if budget.strict):
        raise typer.Exit(1)


def _lines(shown: RenderableType) -> list[str]:
    """The lines that Rich draws, without the spaces at their ends."""
    from rich.console import Console

    console = Console(
        highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 120
    )
    with console.capture() as capture:
        console.print(shown)
    return [line.rstrip() for line in capture.get().splitlines()]
