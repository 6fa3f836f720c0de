"""Named limits on attempts, of which engines that share a store lease shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from fanwise.model import Share, ShareUse, ShareWish


class Shares(Protocol):
    """Shares of named limits. Any thread may call these; they block.

    The shares of a limit never add up to more slots than it has. One that isn't renewed for
    `SHARE_S` seconds by the store's clock is free for others.
    """

    def exchange(self, engine_no: int, wishes: Sequence[ShareWish]) -> Mapping[str, Share]:
        """Renew an engine's shares by its wishes, and return them by the names of the limits.

        A share is never less than what its engine holds. Starts are reserved one after the other
        over all engines, evenly spaced.
        """

    def give_back(self, engine_no: int) -> None:
        """Free all shares of an engine."""

    def shares(self) -> Sequence[ShareUse]:
        """Return the shares of all engines, by name and engine."""
