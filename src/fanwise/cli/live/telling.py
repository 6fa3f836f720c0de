"""Lines of processes that run for long: sentences for people, or objects for programs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli.text.output import say

if TYPE_CHECKING:
    from fanwise.telemetry.log_lines import Field, LogLines


class LogFormat(StrEnum):
    """Forms of lines."""

    TEXT = "text"
    JSON = "json"


LogFormatOption = Annotated[
    LogFormat,
    typer.Option("--log-format", help="Lines on standard error: text, or an object a line."),
]


class Teller:
    """Tells events on standard error, by their text or, with `lines`, by their name and fields."""

    def __init__(self, lines: LogLines | None = None) -> None:
        self.lines = lines

    def __call__(self, text: str, event: str, *, level: str = "info", **fields: Field) -> None:
        """Tell an event."""
        if self.lines is None:
            say(text)
        else:
            self.lines(event, level=level, **fields)


def open_teller(format: LogFormat) -> Teller:
    """Return a teller that writes in a format, and in JSON also what libraries log."""
    if format is LogFormat.TEXT:
        return Teller()
    from fanwise.telemetry.log_lines import LogLines

    lines = LogLines(say)
    lines.take_logging()
    return Teller(lines)
