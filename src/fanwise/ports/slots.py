"""The slots of limits across runs, and the processes that wait for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fanwise.model import ChildSlot, LimitUse, RunLimit, SlotWish


class RunSlots(Protocol):
    """Places of processes that wait for a slot, to drive a run themselves.

    Any thread may call these; they block. Slots are given by `Journal.create_run`,
    `Ownership.acquire` and `Queue.claim`, and freed in the transaction that ends, pauses or puts
    back a run.
    """

    def line_up(self, wish: SlotWish, *, is_new: bool) -> int:
        """Take a place among those that wait, and return its number.

        For a run that `is_new` others make way, as its limit says. Raises `QueueFullError` if it is
        one too many.
        """

    def keep_place(self, wish: SlotWish) -> bool:
        """Record that the process is still there; returns False if its place is gone."""

    def has_room(self, wish: SlotWish) -> bool:
        """Say whether the key has a slot, which another process may be about to take."""

    def step_out(self, waiter_no: int) -> None:
        """Leave a place."""

    def take_child(self, child: ChildSlot, wish: SlotWish) -> None:
        """Give a workflow that a run calls a slot, unless it has it already.

        It is free again once the run is given back or taken over. Raises `NoSlotError`, and
        `LeaseLostError` if that has happened.
        """

    def free_child(self, child: ChildSlot, limit: RunLimit) -> None:
        """Take back the slot of a called workflow, if this process still has it."""

    def limits(self) -> Sequence[LimitUse]:
        """Return the limits of which a run has a slot or waits for one, by scope and key."""
