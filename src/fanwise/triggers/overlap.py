"""The decision of what becomes of fires while runs of their trigger are open. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from fanwise.model import FireStatus, Status

MOST_HELD: Final = 10_000
REPLACED: Final = "a newer fire has taken its place"


class Overlap(StrEnum):
    """The choices for a fire while a run of its trigger is open."""

    SKIP = "skip"
    QUEUE = "queue"
    QUEUE_ALL = "queue-all"
    CANCEL = "cancel"
    ALLOW = "allow"


class OpenRun(msgspec.Struct, frozen=True):
    """A run of the trigger that isn't over. `is_held` says that it waits for others to end."""

    id: str
    status: Status
    is_held: bool = False


class Verdict(NamedTuple):
    """The end of a fire. One that `ran` makes its run once others have ended if `is_held`."""

    status: FireStatus
    reason: str = ""
    is_held: bool = False


class Admission:
    """Decides by a trigger's overlap, fire by fire, counting those that it has admitted.

    `replaces` are held runs that a newer fire takes the place of, and `cancels` runs to cancel.
    """

    def __init__(self, overlap: Overlap, open_runs: Sequence[OpenRun], most_held: int) -> None:
        self.replaces: list[str] = []
        self.cancels: list[str] = []
        self._overlap = overlap
        self._most_held = most_held
        self._active = [run for run in open_runs if not run.is_held]
        self._held = [run.id for run in open_runs if run.is_held]
        self._started: list[str] = []
        """Keys of fires of this decision whose runs start at once."""
        self._waiting: list[str] = []
        """Keys of fires of this decision whose runs wait for others to end."""
        self._superseded: set[str] = set()

    def admit(self, key: str) -> Verdict:
        """The end of a fire by its key, unless a later one takes its place."""
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        self._make_way()
        is_held = self._is_blocked() and self._overlap is not Overlap.ALLOW
        (self._waiting if is_held else self._started).append(key)
        return Verdict(FireStatus.RAN, is_held=is_held)

    def is_superseded(self, key: str) -> bool:
        """True if a later fire of the same decision has taken the place of this one."""
        return key in self._superseded

    def _is_blocked(self) -> bool:
        return bool(self._active or self._held or self._started or self._waiting)

    def _refusal(self) -> Verdict | None:
        if self._overlap is Overlap.SKIP and self._is_blocked():
            return Verdict(FireStatus.SKIPPED, self._blocked_by())
        held = len(self._held) + len(self._waiting)
        if self._overlap is Overlap.QUEUE_ALL and held >= self._most_held:
            return Verdict(FireStatus.REFUSED, f"{held} runs of the trigger wait already")
        return None

    def _make_way(self) -> None:
        """Take the place of runs that wait, if one alone may, or that are to be cancelled."""
        if self._overlap not in (Overlap.QUEUE, Overlap.CANCEL):
            return
        self.replaces += self._held
        self._superseded.update(self._waiting)
        self._held, self._waiting = [], []
        if self._overlap is Overlap.CANCEL:
            self.cancels = [run.id for run in self._active]
            self._superseded.update(self._started)
            self._started = []

    def _blocked_by(self) -> str:
        if self._active:
            return f"run {self._active[0].id} is {self._active[0].status}"
        if self._held:
            return f"run {self._held[0]} waits"
        return "an earlier one has fired at the same time"
