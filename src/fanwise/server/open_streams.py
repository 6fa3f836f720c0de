"""The streams that are open: they are bounded, and end with their clients.

A handler isn't told that its client has gone. One look at all clients costs a fraction of a timer
for each, and there may be hundreds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol

from fanwise.server.problems import Refusal

_MOST: Final = 500
_MOST_OF_TOKEN: Final = 50
_MOST_OF_SESSION: Final = 10
"""The most streams at a time: of all readers, of a token, and of one session of it."""

_LOOK_S: Final = 1.0
"""The time after which a client that has gone is missed, and its stream isn't counted any more."""


class OpenStream(Protocol):
    """A stream as far as it is looked at."""

    @property
    def has_reader(self) -> bool:
        """False once its client has gone, or takes nothing."""


class OpenStreams:
    """The streams that are open; used on the event loop's thread alone."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._tasks: dict[asyncio.Task[object], OpenStream] = {}
        self._timer: asyncio.TimerHandle | None = None

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

    @contextlib.contextmanager
    def while_read(self, stream: OpenStream) -> Iterator[None]:
        """A block that ends early once nobody reads the stream any more."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = stream
        if self._timer is None:
            self._look_later()
        try:
            yield
        except asyncio.CancelledError:
            if stream.has_reader or task.uncancel():
                raise
        finally:
            del self._tasks[task]

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        for task, stream in self._tasks.items():
            if not stream.has_reader:
                task.cancel()
        self._timer = None
        if self._tasks:
            self._look_later()
