"""Shows where authors' code failed, and what commands and servers said: a few of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fanwise.model import ErrorInfo
from fanwise.reports.plain import clean_lines

_MAX_SHOWN: Final = 5
_MAX_LINES: Final = 10
_MAX_CHARACTERS: Final = 2_000

_ENDS: Final = {
    "stderr": "failed; the end of its standard error:",
    "stdout": "failed; the end of its standard output:",
}
_ANSWERED: Final = "failed; it was answered with"


class Tracebacks:
    """Collects what shows why things failed; of the same in several errors it keeps the first.

    It is the traceback of an exception, else the texts in an error's data: the ends of what a
    command has written (`stderr`, `stdout`), or the beginning of an answer (`status`, `body`).
    """

    def __init__(self) -> None:
        self._shown: dict[tuple[str, ...], list[str]] = {}

    def add(self, name: str, error: ErrorInfo) -> None:
        """Take in the error of what is called `name`."""
        if len(self._shown) >= _MAX_SHOWN:
            return
        if error.traceback:
            lines = error.traceback.splitlines()
            frames = tuple(line for line in lines if line.startswith("  File "))
            shown = ["", f"{name} failed here:", clean_lines(error.traceback).rstrip()]
            self._shown.setdefault(frames, shown)
            return
        texts = list(_texts(error.data))
        if texts:
            shown = [line for head, text in texts for line in ("", f"{name} {head}", text)]
            self._shown.setdefault(tuple(text for _, text in texts), shown)

    def lines(self) -> list[str]:
        """All of them, as lines."""
        return [line for shown in self._shown.values() for line in shown]


def _texts(data: object) -> Iterator[tuple[str, str]]:
    """The texts in the data of an error, or of the error in a child workflow."""
    if not isinstance(data, Mapping):
        return
    for key, head in _ENDS.items():
        if text := _text(data.get(key)):
            yield head, _indented(text.splitlines()[-_MAX_LINES:])
    if text := _text(data.get("body")):
        status = data.get("status")
        shown = f" status {status}" if isinstance(status, int) else ""
        yield f"{_ANSWERED}{shown}:", _indented(text[:_MAX_CHARACTERS].splitlines()[:_MAX_LINES])
    yield from _texts(data.get("data"))


def _text(value: object) -> str:
    return clean_lines(value[-_MAX_CHARACTERS:]).strip("\n") if isinstance(value, str) else ""


def _indented(lines: list[str]) -> str:
    return "\n".join(f"  {line}".rstrip() for line in lines)
