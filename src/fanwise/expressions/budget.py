"""Limits on one evaluation of a template: steps and bytes.

A step is a piece of work of about 100 nanoseconds: one call, one expression of a block, one element
of a list, 256 characters that are scanned, or 32 that are looked at one by one; a turn of a loop
takes three. Bytes are what an evaluation allocates
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


_LONG_SEARCH = 30_000
"""Characters of a text from which on CPython searches for any part of it in linear time."""

_LONG_INTEGER_BITS = 512
"""Bits of two integers together, up to which work on them takes no more than a step."""


class Budget:
    """The steps and bytes that are left; methods raise `EvaluationError` at the end of them."""

    __slots__ = ("_bytes", "_limits", "_steps", "_texts")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._steps = limits.template_steps
        self._bytes = limits.template_bytes
        self._texts: set[str] | None = None

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

    def read(self, characters: int) -> None:
        """Pay for work that looks at so many characters one by one."""
        if characters > 31:
            self.step(characters >> 5)

    def search(self, text: str, part: str) -> None:
        """Pay for a search from the start of a text for a part of it."""
        # CPython takes the product of both lengths for short texts, and searches long ones in
        # linear time, though with a larger factor.
        sizes = len(text), len(part)
        self.scan(sizes[0] * sizes[1] if sizes[0] < _LONG_SEARCH else 8 * sum(sizes))

    def product(self, bits: int, other_bits: int) -> None:
        """Pay for work that takes the product of the lengths of two integers."""
        if bits + other_bits > _LONG_INTEGER_BITS:
            self.step(1 + (bits + other_bits >> 12) + (bits * other_bits >> 18))

    def square(self, value: object) -> None:
        """Pay for a conversion between an integer and its digits; other values are free."""
        if type(value) is int:
            bits = value.bit_length()
            self.product(bits, bits)

    def is_first(self, text: str) -> bool:
        """True if it is asked for the first time about this text, which is compiled only once."""
        if self._texts is None:
            self._texts = set()
        is_first = text not in self._texts
        self._texts.add(text)
        return is_first

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
