"""Chance for tests, which leaves nothing to it."""

from __future__ import annotations


class FixedChance:
    """Draws the largest number each time, and tokens that count; implements `ports.Randomness`.

    So a wait with jitter is as long as it can be, and two runs never have the same id.
    """

    def __init__(self) -> None:
        self._tokens = 0

    def fraction(self) -> float:
        """Always 1."""
        return 1.0

    def token(self, length: int) -> str:
        """So many digits: the next whole number."""
        self._tokens += 1
        return f"{self._tokens:0{length}}"
