"""The number of streams that are open, which is bounded: of all readers, and of each token."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

from fanwise.server.problems import Refusal

_MOST: Final = 500
_MOST_EACH: Final = 50
"""The most streams at a time: of all readers, and of one token."""


class OpenStreams:
    """The streams that are open; used on the event loop's thread alone."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextlib.contextmanager
    def one_of(self, token_id: str) -> Iterator[None]:
        """The time of one more stream of a token. Raises `Refusal` if there are too many."""
        if self._open.total() >= _MOST or self._open[token_id] >= _MOST_EACH:
            raise Refusal(429, "too-many", "Too many streams are open.", hint="Close some pages.")
        self._open[token_id] += 1
        try:
            yield
        finally:
            self._open[token_id] -= 1
            self._open += Counter()  # forgets tokens without streams
