"""Shows where authors' code failed: a few tracebacks, each from another place."""

from __future__ import annotations

from fanwise.model import ErrorInfo
from fanwise.reports.plain import clean_lines

_MAX_SHOWN = 5


class Tracebacks:
    """Collects the tracebacks of errors; of those from the same place it keeps the first."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, ...], tuple[str, str]] = {}

    def add(self, name: str, error: ErrorInfo) -> None:
        """Take in the error of what is called `name`."""
        if error.traceback and len(self._shown) < _MAX_SHOWN:
            lines = error.traceback.splitlines()
            frames = tuple(line for line in lines if line.startswith("  File "))
            self._shown.setdefault(frames, (name, error.traceback))

    def lines(self) -> list[str]:
        """All of them, as lines."""
        return [
            line
            for name, trace in self._shown.values()
            for line in ("", f"{name} failed here:", clean_lines(trace).rstrip())
        ]
