"""Answers whether a server can serve now, as a supervisor or a balancer asks."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final, Literal

import msgspec

from fanwise.errors import StoreError
from fanwise.ports import Maintenance
from fanwise.telemetry.serving import ServerCounts

_STORE_S: Final = 1.0
_ROOM_BYTES: Final = 64 * 2**20

Reason = Literal["store", "revision", "disk", "workers"]


class Ready(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a server, and of one that isn't ready the reason."""

    ready: bool
    reason: Reason | None = None


class Readiness:
    """Asks whether a server can serve. It asks the store once at a time, however many ask it."""

    def __init__(self) -> None:
        self._asking: asyncio.Future[Reason | None] | None = None

    async def ask(self, store: Maintenance, counts: ServerCounts) -> Ready:
        """Return the state at this moment, within about a second."""
        if counts.needs_workers and not counts.workers:
            return Ready(ready=False, reason="workers")
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(asyncio.to_thread(_fault, store))
        try:
            reason = await asyncio.wait_for(asyncio.shield(self._asking), _STORE_S)
        except TimeoutError:
            reason = "store"
        return Ready(ready=reason is None, reason=reason)


def _fault(store: Maintenance) -> Reason | None:
    """The reason for which the store can't be worked with, if there is one."""
    try:
        is_current = store.is_current()
    except StoreError:
        return "store"
    if not is_current:
        return "revision"
    folder = Path(store.place).parent
    has_file = Path(store.place).is_absolute() and folder.is_dir()
    return "disk" if has_file and shutil.disk_usage(folder).free < _ROOM_BYTES else None
