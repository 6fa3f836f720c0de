"""Command lines that don't fit, told in one line as every other error."""

from __future__ import annotations

from typing import Any

import typer

from fanwise.reports.plain import clean

# Typer brings its own Click, whose classes have no public names but this one's.
UsageProblem: Any = typer.BadParameter.__mro__[1]
"""What Typer raises for a command line that doesn't fit."""


def usage_text(problem: Any) -> str:
    """What is wrong, and which command tells more; the whole help if a group stands alone."""
    if type(problem).__name__ == "NoArgsIsHelpError":
        return str(problem.format_message())
    what = clean(problem.format_message().replace("Value error, ", ""))
    if what[-1] not in ".?":
        what += "."
    if problem.ctx is None:
        return f"fanwise: {what}"
    command = problem.ctx.command_path
    return f"{command}: {what} Its help: {command} --help"
