"""The actions of a run in progress: how many are at work, and how many merely sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Activity:
    """Counts the actions of a run, at whatever depth, and tells when all that are left sleep.

    Sleeps are those of actions, the delay of a task, and the waits before retries. Workflows that
    run as actions don't count: their steps do.
    """

    __slots__ = ("_when_asleep", "asleep", "awake")

    def __init__(self) -> None:
        self.awake = 0
        self.asleep = 0
        self._when_asleep: Callable[[], None] | None = None

    def left(self, actions: int) -> None:
        """Count so many actions less that are at work."""
        self.awake -= actions
        if self._when_asleep is not None:
            self._look()

    def lie_down(self, waits: int) -> None:
        """Count so many waits more, or less if negative."""
        self.asleep += waits
        if self._when_asleep is not None:
            self._look()

    @contextmanager
    def sleeping(self, *, was_awake: bool) -> Iterator[None]:
        """A block that does nothing but wait; `was_awake` of an action that counts as at work."""
        self.awake -= was_awake
        self.lie_down(1)
        try:
            yield
        finally:
            self.asleep -= 1
            self.awake += was_awake

    def when_asleep(self, call: Callable[[], None]) -> None:
        """Have `call` called once nothing is at work, and something sleeps."""
        self._when_asleep = call
        self._look()

    def _look(self) -> None:
        # Not right here: a caller is in the midst of changing what the call may change as well.
        if self._is_asleep():
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        if self._is_asleep() and self._when_asleep is not None:
            call, self._when_asleep = self._when_asleep, None
            call()

    def _is_asleep(self) -> bool:
        return not self.awake and self.asleep > 0
