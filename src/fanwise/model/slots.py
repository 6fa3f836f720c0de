"""Records of limits across runs: the limit of a run, and the key that makes it a repeat."""

from __future__ import annotations

from typing import Final

import msgspec

WHEN_FULL: Final = ("queue", "skip", "cancel", "latest")
"""The words for what becomes of a new run for which there is no slot."""

MOST_PRIORITY: Final = 100
"""The highest priority; the lowest is as far below 0."""

AGEING_S: Final = 600.0
"""Seconds of waiting that count as much as one more in priority."""


SHARE_S: Final = 15.0
"""Seconds without a renewal after which an engine's share of a named limit is free again."""


class RunLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """The limit on runs of one `key` in one `scope`: at most `most` of them have a slot.

    A run has one from the moment it is taken or started until it is over or paused, or waits
    unless it `keeps_slot`.
    `when_full` is one of `WHEN_FULL`. The limit of a key is that of the run of this key that was
    made last. It comes from the run's workflow, unless it `is_backfill`.
    """

    scope: str
    key: str = ""
    most: int = 1
    when_full: str = "queue"
    keeps_slot: bool = False
    is_backfill: bool = False

    @property
    def words(self) -> str:
        """The words that people know the limit by."""
        which = f' with the key "{self.key}"' if self.key else ""
        runs = "1 run" if self.most == 1 else f"{self.most:,} runs"
        return f'at most {runs} of "{self.scope}"{which} at a time'


class SlotWish(msgspec.Struct, frozen=True):
    """The wish of a process to drive a run under a limit.

    `priority` is the run's among those that wait, and `waiter_no` the place in which this one has
    waited, if it has. A new run doesn't wait if `most_waiting` of its workflow do already.
    """

    run_id: str
    limit: RunLimit
    priority: int = 0
    waiter_no: int | None = None
    most_waiting: int | None = None


class ChildSlot(msgspec.Struct, frozen=True):
    """The slot of a workflow that a run calls, at the path of the task or item that calls it.

    `token` is that of the lease under which the run is driven.
    """

    run_no: int
    path: str
    token: int


class LimitUse(msgspec.Struct, frozen=True):
    """The slots of a key: how many there are, the runs that have them, and how many wait."""

    scope: str
    key: str
    most: int
    holders: tuple[str, ...]
    waiting: int


class RepeatKey(msgspec.Struct, frozen=True):
    """The key under which a run is a repeat of one that was made in the last `for_s` seconds."""

    scope: str
    key: str
    for_s: float


class NamedLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A limit on attempts that tasks share by its name, over all engines that share a store.

    At most `most` of them run at once, and `per_s` start in a second; None is no bound.
    """

    name: str
    most: int | None = None
    per_s: float | None = None


class ShareWish(msgspec.Struct, frozen=True):
    """The wish of an engine for a share of a named limit, of which `running` attempts run there.

    It could use `wants` slots, those included, asks for so many more `starts`, and uses up to
    `holds` slots until it hears of its next share.
    """

    name: str
    most: int | None
    per_s: float | None
    running: int
    wants: int
    starts: int = 0
    holds: int = 0


class Share(msgspec.Struct, frozen=True):
    """The share of an engine: its slots, and starts of which the first is in so many seconds.

    It is to use no more than `target` of the slots from now on: others need them.
    """

    slots: int
    target: int
    first_in_s: float = 0.0
    starts: int = 0


class ShareUse(msgspec.Struct, frozen=True):
    """The share of an engine, as recorded: its slots, those in use, and how many it could use."""

    name: str
    engine_no: int
    slots: int
    running: int
    wants: int
    most: int | None
