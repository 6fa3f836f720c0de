"""Command lines that don't fit, reported in one line as every other error."""

from __future__ import annotations

from typing import Any

import typer

from fanwise.reports.plain import clean

# Typer brings its own Click, whose classes have no public names but this one's.
UsageProblem: Any = typer.BadParameter.__mro__[1]
"""The error of Typer for a command line that doesn't fit."""


def usage_text(problem: Any) -> str:
    """The error, and the command for help; the whole help for a group without a command."""
    if type(problem).__name__ == "NoArgsIsHelpError":
        return str(problem.format_message())
    what = clean(problem.format_message().replace("Value error, ", ""))
    if what[-1] not in ".?":
        what += "."
    if problem.ctx is None:
        return f"fanwise: {what}"
    command = problem.ctx.command_path
    return f"{command}: {what} Its help: {command} --help"
