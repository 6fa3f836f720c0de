"""Triggers that are skipped over and over, since a run of theirs doesn't end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace

from fanwise.model import FireRecord, FireStatus, TriggerState
from fanwise.triggers.local_times import iso_utc

LEAST_SKIPS: Final = 3
"""The number of skipped times in a row from which on a trigger stands still."""

MOST_SKIPS: Final = 1_000
"""The number of fires that are looked at."""

WHEN_FAILS: Final = "its `when` doesn't hold"
"""The reason of a fire that is skipped as it ought to be."""


class LatestFires(Protocol):
    """Gives fires of triggers, as `ports.Fires.fires` does."""

    def __call__(self, workflow: str, name: str, *, most: int) -> Sequence[FireRecord]:
        """Return the latest fires of a trigger, at most so many, the newest first."""


class Skips(NamedTuple):
    """The latest times of a trigger, all of which were skipped: how often, since when, and why."""

    times: int
    since: float
    reason: str

    @property
    def text(self) -> str:
        """The skips as a sentence."""
        many = "at least " if self.times >= MOST_SKIPS else ""
        since = iso_utc(int(self.since))
        return f"It was skipped {many}{self.times:,} times in a row since {since}: {self.reason}."


def latest_skips(fires: Sequence[FireRecord]) -> Skips | None:
    """The skips that the latest fires, the newest first, begin with; None if they are too few."""
    skipped = list(takewhile(_is_blocked, fires))
    count = sum(fire.n for fire in skipped)
    if count < LEAST_SKIPS:
        return None
    return Skips(count, skipped[-1].first, skipped[0].reason)


def with_skips(state: TriggerState, fires: LatestFires) -> TriggerState:
    """A trigger's state, whose trouble tells if the trigger stands still."""
    if state.trouble or state.paused_at is not None or state.last_status != FireStatus.SKIPPED:
        return state
    names = (state.workflow, state.name)
    if latest_skips(fires(*names, most=LEAST_SKIPS)) is None:  # as of most triggers
        return state
    skips = latest_skips(fires(*names, most=MOST_SKIPS))
    return state if skips is None else replace(state, trouble=skips.text)


def _is_blocked(fire: FireRecord) -> bool:
    return fire.status is FireStatus.SKIPPED and fire.reason != WHEN_FAILS
