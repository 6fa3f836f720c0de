"""`fanwise bench`: measures what fanwise costs, next to what the same job costs without it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_benchmarks
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
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw the figures of `context`.")
    ] = None,
    list_names: Annotated[bool, typer.Option("--list", help="Only list the benchmarks.")] = False,
    json: options.JsonFlag = False,
) -> None:
    """Measure fanwise against what a job costs without it.

    Exit status: 1 if something doesn't hold that must hold on any machine.
    """
    from fanwise.bench.budget import render
    from fanwise.bench.suite import BENCHMARKS, PICTURED, measure

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
    if svg is not None and name not in PICTURED:
        raise UsageError(
            "--svg draws one benchmark's figures, and not every benchmark has a picture.",
            hint=f"Take `fanwise bench {PICTURED[0]} --svg {svg}`.",
        )
    if svg is not None:
        # Before measuring for a minute, see whether there is somewhere to put the picture.
        _refuse_missing_folder(svg)
    results, budgets = {}, []
    for each in BENCHMARKS if name is None else [name]:
        say(f"Measuring {each} ...")
        measured = measure(each, rounds=rounds)
        results[each] = {"figures": measured.figures, "budgets": measured.budgets}
        budgets += measured.budgets
        if svg is not None and measured.picture is not None:
            _write(svg, measured.picture)
        if not json:
            print_results([*_lines(measured.shown), ""])
            flush_results()
    print_results([as_json(results)] if json else _lines(render(budgets)))
    if not all(budget.met for budget in budgets if budget.strict):
        raise typer.Exit(1)


def _refuse_missing_folder(file: Path) -> None:
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent}.", hint="Make it, or name another one.")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"can't write {file}: {error.strerror}.", hint="Check its rights, or name another file."
        ) from error
    say(f"{file} shows it.")


def _lines(shown: RenderableType) -> list[str]:
    """What Rich draws, without the spaces at the ends of lines."""
    from rich.console import Console

    console = Console(
        highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 120
    )
    with console.capture() as capture:
        console.print(shown)
    return [line.rstrip() for line in capture.get().splitlines()]
