"""The number of streams that are open, which is bounded: all, of a token, and of a session."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

from fanwise.server.problems import Refusal

_MOST: Final = 500
_MOST_OF_TOKEN: Final = 50
_MOST_OF_SESSION: Final = 10
"""The most streams at a time: of all readers, of a token, and of one session of it."""


class OpenStreams:
    """The streams that are open; used on the event loop's thread alone."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextlib.contextmanager
    def one_of(self, token_id: str, session: str) -> Iterator[None]:
        """The time of one more stream of a token's session. Raises `Refusal` for too many."""
        most = {
            "all": _MOST,
            f"token {token_id}": _MOST_OF_TOKEN,
            f"session {session}": _MOST_OF_SESSION,
        }
        if any(self._open[each] >= most[each] for each in most):
            hint = "Close another one first."
            raise Refusal(429, "too-many", "Too many streams are open.", hint=hint)
        self._open.update(most.keys())
        try:
            yield
        finally:
            self._open.subtract(most.keys())
            self._open += Counter()  # forgets those without streams
