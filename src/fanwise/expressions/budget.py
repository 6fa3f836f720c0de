"""Limits on one evaluation of a template: steps and bytes.

A step is a piece of work of about 100 nanoseconds: one call, one element of a list, or 256
characters that are scanned; a turn of a loop takes three. Bytes are what an evaluation allocates
over its whole life, about, and are counted before they are allocated. No clock is read, so the
same template and the same values are refused everywhere or nowhere.
"""

from __future__ import annotations

from fanwise.expressions.refusal import EvaluationError
from fanwise.model import Limits

REFERENCE_BYTES = 8
"""Bytes of a list for each element that exists already."""

ELEMENT_BYTES = 64
"""Bytes of a new value at least, with its reference: a number, a short text, an empty list."""


class Budget:
    """The steps and bytes that are left; methods raise `EvaluationError` at the end of them."""

    __slots__ = ("_bytes", "_limits", "_steps")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.renew()

    def renew(self) -> None:
        """Start again with all that the limits allow."""
        self._steps = self._limits.template_steps
        self._bytes = self._limits.template_bytes

    def step(self, count: int = 1) -> None:
        """Pay for `count` steps."""
        self._steps -= count
        if self._steps < 0:
            raise EvaluationError(
                f"it takes more than {self._limits.template_steps:,} steps.",
                "Do the work in an action, or raise limits.template_steps.",
                setting="limits.template_steps",
            )

    def turn(self) -> None:
        """Pay for one turn of a loop, or for one element that a lazy filter looks at."""
        self.step(3)

    def scan(self, characters: int) -> None:
        """Pay for work that reads so many characters of text."""
        if characters > 255:
            self.step(characters >> 8)

    def allocate(self, size_bytes: int) -> None:
        """Pay for memory that is about to be allocated."""
        self._bytes -= size_bytes
        if self._bytes < 0:
            raise EvaluationError(
                f"it allocates more than {self._limits.template_bytes:,} bytes.",
                "Do the work in an action, or raise limits.template_bytes.",
                setting="limits.template_bytes",
            )

    def text(self, text: str, times: int = 1) -> None:
        """Pay for `times` copies of a text."""
        # Python stores one to four bytes a character; isascii() reads a flag.
        size = len(text) if text.isascii() else 4 * len(text)
        self.allocate(size * times)
        self.scan(size * times)
