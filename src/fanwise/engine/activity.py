"""The actions of a run in progress: how many are at work, and how many merely sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from fanwise.model import Sleep


class RunningVisit(Protocol):
    """A visit in progress, at whatever depth."""

    @property
    def is_still(self) -> bool:
        """True if the visit starts nothing unless an attempt of it ends, or its time comes."""

    @property
    def resting(self) -> int:
        """The number of its attempts that wait for recorded waits, or for their next try."""

    def waiting_tries(self) -> Iterator[Sleep]:
        """Yield the attempts that wait for their next try, as records."""

    @property
    def next_try_s(self) -> float | None:
        """The seconds until the first of these tries, or None if there is none."""


class Activity:
    """Counts the actions of a run, at whatever depth, and tells when all that are left sleep.

    Sleeps are those of actions, the delay of a task, and the waits before retries. Workflows that
    run as actions don't count: their steps do. `sleeps` has the ends of recorded sleeps by a number
    of each, in seconds since the epoch, and `changes` grows with each change of the counts. Of
    `stayers` a resume wouldn't know which attempt they are, or how much of their time is over.
    """

    __slots__ = (
        "_when_asleep",
        "asleep",
        "awake",
        "changes",
        "on_sleep",
        "sleeps",
        "stayers",
        "visits",
    )

    def __init__(self) -> None:
        self.awake = 0
        self.asleep = 0
        self.changes = 0
        self.stayers = 0
        self.sleeps: dict[int, float] = {}
        self.visits: set[RunningVisit] = set()
        self.on_sleep: Callable[[], None] | None = None
        """Hears of each sleep that begins, and of each wait before another try."""
        self._when_asleep: Callable[[], None] | None = None

    def left(self, actions: int) -> None:
        """Count so many actions less that are at work."""
        self.awake -= actions
        self.changes += 1
        if self._when_asleep is not None:
            self._look()

    def lie_down(self, waits: int) -> None:
        """Count so many waits more, or less if negative."""
        self.asleep += waits
        self.changes += 1
        if self._when_asleep is not None:
            self._look()

    def note_sleep(self) -> None:
        """Tell of a sleep that begins."""
        if self.on_sleep is not None:
            self.on_sleep()

    @contextmanager
    def staying(self, *, counts: bool) -> Iterator[None]:
        """A block in which the run has to stay with this process, if it `counts` tries or time."""
        self.stayers += counts
        try:
            yield
        finally:
            self.stayers -= counts

    @contextmanager
    def sleeping(self, until: float, *, was_awake: bool) -> Iterator[None]:
        """A block that does nothing but wait; `was_awake` of an action that counts as at work."""
        self.awake -= was_awake
        self.lie_down(1)
        number = self.changes
        self.sleeps[number] = until
        self.note_sleep()
        try:
            yield
        finally:
            del self.sleeps[number]
            self.asleep -= 1
            self.awake += was_awake
            self.changes += 1

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
