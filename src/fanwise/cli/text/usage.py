"""Command lines that don't fit, reported in one line as every other error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from fanwise.reports.plain import clean

# Typer brings its own Click, whose classes have no public names but this one's.
UsageProblem: Any = typer.BadParameter.__mro__[1]
"""The error of Typer for a command line that doesn't fit."""


LONG = 300
"""Characters of an argument, such as a path, that are quoted whole."""

_SHOWN = 60
_LONGEST = 500


def in_short(text: str, words: Sequence[str]) -> str:
    """The text with just the beginning of each long argument that it quotes, and each in a line."""
    values = [part for word in words for part in (word, word.partition("=")[2])]
    for value in sorted((each for each in values if len(each) > LONG), key=len, reverse=True):
        for quoted in (value, repr(value)[1:-1], clean(value)):
            text = text.replace(quoted, f"{clean(value[:_SHOWN])}...")
    for value in values:
        if len(value.splitlines()) > 1 and not value.isspace():
            text = text.replace(value, clean(value))
    return text


def usage_text(problem: Any) -> str:
    """The error, and the command for help; the whole help for a group without a command."""
    if type(problem).__name__ == "NoArgsIsHelpError":
        return str(problem.format_message())
    what = clean(problem.format_message().replace("Value error, ", ""))
    if len(what) > _LONGEST:
        what = f"{what[:_LONGEST]}..."
    if what[-1] not in ".?":
        what += "."
    if problem.ctx is None:
        return f"fanwise: {what}"
    command = problem.ctx.command_path
    return f"{command}: {what} Its help: {command} --help"
