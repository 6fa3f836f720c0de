"""Keeps the values of secrets out of everything that is recorded or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

MASK = "***"


class Masker:
    """Replaces each occurrence of a secret's value, in any text, by `***`.

    A secret is found as it is, with its white space made single blanks, and as Python escapes it.
    """

    def __init__(self, secrets: Iterable[str | None]) -> None:
        forms = {form for secret in secrets if secret for form in _forms(secret) if form}
        # The longest first, so that a secret that holds another one goes as a whole.
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        self._longest = len(longest_first[0]) if longest_first else 0
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

    def beginning(self, text: str) -> str:
        """A text without secrets of which the end was cut off, maybe in the middle of one.

        What could be the first part of a secret is left out.
        """
        if not self.is_active:
            return text
        certain = len(text) - (self._longest - 1)  # a secret that begins before is there whole
        parts, end = [], 0
        for found in self._pattern.finditer(text):
            if found.start() >= certain:
                break
            parts += [text[end : found.start()], MASK]
            end = found.end()
        return "".join([*parts, text[end : max(end, certain)]])


def _forms(secret: str) -> Iterator[str]:
    """How a secret can stand in a text: as it is, on one line, or as in the text of a KeyError."""
    yield secret
    yield " ".join(secret.split())
    yield repr(secret)[1:-1]
