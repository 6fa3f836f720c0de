"""Keeps the values of secrets out of everything that is recorded or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MASK = "***"


class Masker:
    """Replaces each occurrence of a secret's exact value, in any text, by `***`."""

    def __init__(self, secrets: Iterable[str | None]) -> None:
        # The longest first, so that a secret that holds another one goes as a whole.
        longest_first = sorted(filter(None, secrets), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        self.is_active = bool(longest_first)

    def mask(self, value: Any) -> Any:
        """A copy of a JSON value without secrets, its keys included."""
        if not self.is_active:
            return value
        if isinstance(value, str):
            return self._pattern.sub(MASK, value)
        if isinstance(value, Mapping):
            return {self.mask(key): self.mask(part) for key, part in value.items()}
        if isinstance(value, Sequence):
            return [self.mask(part) for part in value]
        return value

    def text(self, text: str) -> str:
        """A text without secrets."""
        return self._pattern.sub(MASK, text) if self.is_active else text
