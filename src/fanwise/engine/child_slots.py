"""Slots of the workflows that a run calls, where their `concurrency` counts those.

Of the children of a run that wait for slots of one key the first one alone has a place in the
store's line, so that a wide fan-out looks there no more often than a narrow one. A slot is free
again when its child is over or waits, and at the latest once the run is given back or taken over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from weakref import WeakValueDictionary

from fanwise.engine.entering import Entrance, each_once
from fanwise.engine.handle import RunInbox
from fanwise.engine.services import Services
from fanwise.model import ChildSlot, RunLimit, SlotWish
from fanwise.threaded import in_thread


class ChildSlots:
    """The slots of the workflows that one run calls."""

    def __init__(
        self,
        services: Services,
        run_id: str,
        run_no: int,
        token: int,
        notice: Callable[[str], None],
    ) -> None:
        self._services = services
        self._run_id = run_id
        self._run_no = run_no
        self._token = token
        self._notice = each_once(notice)
        # A line lasts as long as a child is in it or behind it: keys may be as many as children.
        self._lines: WeakValueDictionary[tuple[str, str], _Line] = WeakValueDictionary()

    @asynccontextmanager
    async def entered(self, limit: RunLimit, path: str) -> AsyncIterator[None]:
        """A block that begins once there is a slot for the child at `path`, and frees it."""
        slots = self._services.run_slots
        child = ChildSlot(self._run_no, path, self._token)

        async def take(wish: SlotWish | None) -> None:
            assert wish is not None
            await in_thread(partial(slots.take_child, child, wish))

        line = self._line(limit)
        async with AsyncExitStack() as stack:
            async with line.lock:
                # It may be taken although this is cut off; before that there is nothing to free.
                stack.push_async_callback(in_thread, partial(slots.free_child, child, limit))
                await line.entrance.enter(SlotWish(self._run_id, limit), take)
            yield

    def _line(self, limit: RunLimit) -> _Line:
        key = limit.scope, limit.key
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(self._services, self._notice)
        return line


class _Line:
    """The line of a run's children for the slots of one key."""

    def __init__(self, services: Services, notice: Callable[[str], None]) -> None:
        self.lock = asyncio.Lock()
        # A pause lets the child wait, as an attempt in flight, until it is cut off.
        inbox = RunInbox(0.0)
        self.entrance = Entrance(services, inbox, notice, wait_s=None, is_new=False)
