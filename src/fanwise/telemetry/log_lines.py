"""Lines in JSON about what a process does, for programs that gather logs.

A line is an object with `at`, `level`, `event`, and fields of the event, such as `run`, `workflow`,
`status` and `duration_s`. It never has a value of a workflow, a query or a message of an action.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from fanwise.reports.objects import iso_time

Field: TypeAlias = "str | int | float | list[str] | None"


class LogLines:
    """Writes lines, each by one call of `write`. Any thread may use it."""

    def __init__(self, write: Callable[[str], None], now: Callable[[], float] = time.time) -> None:
        self._write = write
        self._now = now

    def __call__(self, event: str, *, level: str = "info", **fields: Field) -> None:
        """Write a line about an event; fields that are None are left out."""
        told: dict[str, Field] = {"at": iso_time(self._now()), "level": level, "event": event}
        told |= {name: value for name, value in fields.items() if value is not None}
        self._write(msgspec.json.encode(told).decode())

    def take_logging(self) -> None:
        """Write what libraries log as lines, too, from warnings on."""
        logging.basicConfig(level=logging.WARNING, handlers=[_Handler(self)], force=True)


class _Handler(logging.Handler):
    def __init__(self, lines: LogLines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info
        self._lines(
            "log",
            level=record.levelname.lower(),
            logger=record.name,
            message=record.getMessage(),
            traceback="".join(traceback.format_exception(*fault)) if fault else None,
        )
