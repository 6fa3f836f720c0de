"""A store that doesn't answer, noticed from a thread of its own: the one that asks is blocked.

Nothing is asked here: callers say before a question that they ask, and after it that it was
answered. Times are real seconds, also where a test's clock jumps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final

_TOLD_S: Final = 2.0
_LOOK_S: Final = 0.5


class Silence(IntEnum):
    """The stages of a store's silence."""

    NONE = 0
    TOLD = 1
    """Long enough to be told."""
    FENCED = 2
    """Other engines may take this one for dead before it can beat again."""


class SilenceWatch:
    """Tells `on_change` of each new stage and how long the silence has taken by then.

    A silence of `fence_s` seconds is the last stage.
    """

    def __init__(
        self,
        fence_s: float,
        on_change: Callable[[Silence, float], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fence_s = fence_s
        self._on_change = on_change
        self._now = now
        self._asked_at: float | None = None
        self._silent_since = 0.0
        self._stage = Silence.NONE

    def ask(self) -> None:
        """Note that the store is asked, unless an answer is awaited already."""
        if self._asked_at is None:
            self._asked_at = self._now()

    def answered(self) -> None:
        """Note that the store has answered."""
        self._asked_at = None

    def watch(self, has_ended: threading.Event) -> None:
        """Look now and then until `has_ended`, which ends a silence as well."""
        while not has_ended.wait(min(_LOOK_S, self._fence_s / 4)):
            self.look()
        self.answered()
        self.look()

    def look(self) -> None:
        """Tell of a new stage, if there is one by now."""
        now, asked_at = self._now(), self._asked_at
        stage = Silence.NONE
        if asked_at is not None:
            self._silent_since = asked_at
            silent_s = now - asked_at
            told_s = min(_TOLD_S, self._fence_s)
            stage = Silence((silent_s >= told_s) + (silent_s >= self._fence_s))
        if stage is not self._stage:
            self._stage = stage
            self._on_change(stage, now - self._silent_since)
