"""Regular expressions of RE2, which reads a text once: no expression can run away.

They are those of Python without references back and without looking around.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

_MEMORY_BYTES = 512 * 1024  # It bounds the compiled expression: one takes up to about 20 ms.
_KEPT = 64


class Match(Protocol):
    """A part of a text that an expression matches."""

    def start(self) -> int:
        """The place of its first character."""

    def end(self) -> int:
        """The place behind its last character."""

    def groups(self, default: str) -> tuple[str, ...]:
        """The parts that its groups match, with `default` for none."""

    def __getitem__(self, group: int | str) -> str | None: ...


class Expression(Protocol):
    """A compiled expression of RE2."""

    groups: int
    programsize: int

    def finditer(self, text: str) -> Iterator[Match]:
        """All matches, from left to right."""

    def fullmatch(self, text: str) -> Match | None:
        """The match that is the whole text, or None."""


@lru_cache(maxsize=_KEPT)
def compiled(pattern: str) -> Expression:
    """The expression that `pattern` spells. Raises `ValueError` with the reason for a faulty one.

    The reason quotes no part of it.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_BYTES
    try:
        expression: Expression = re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(_reason(error)) from None
    return expression


def _reason(error: Exception) -> str:
    """RE2's own reason, without the part of the expression that it quotes."""
    text = error.args[0] if error.args else ""
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return text.split(":")[0]
