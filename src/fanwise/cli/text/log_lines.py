"""Logs as lines for people. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterator

from fanwise.cli.text.render import show_time
from fanwise.model import LogEntry
from fanwise.reports.plain import clean_lines, shorten


def log_lines(log: LogEntry) -> Iterator[str]:
    """The lines of a log, each after its time, task, item and, from the second on, attempt."""
    place = f"{show_time(log.at)}  {log.path}"
    if log.label is not None:
        place += f" {shorten(log.label, 40)}"
    if log.attempt > 1:
        place += f" attempt {log.attempt}"
    # What overwrites its line on a terminal, as a progress bar does, stands on lines of its own.
    text = clean_lines(log.text.replace("\r\n", "\n").replace("\r", "\n"))
    for line in text.removesuffix("\n").split("\n"):
        yield f"{place}  {line}".rstrip()
