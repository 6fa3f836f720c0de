"""Events that the actions of a run emit; those that come together are recorded together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from fanwise.engine.attempt import masked_json
from fanwise.engine.masking import Masker
from fanwise.model import Arrival
from fanwise.ports import Arrivals

_MOST_AT_ONCE: Final = 1_000


class Emitter:
    """Records the events of one run on its event loop. They hold no secret of the run.

    `depth` counts the triggers that led to the run.
    """

    def __init__(self, arrivals: Arrivals, masker: Masker, run_id: str, depth: int) -> None:
        self._arrivals = arrivals
        self._masker = masker
        self._by = f"run {run_id}"
        self._depth = depth
        self._waiting: list[tuple[Arrival, asyncio.Future[bool]]] = []
        self._recorder: asyncio.Task[None] | None = None

    async def emit(self, event: Arrival) -> bool:
        """Record an event, and return whether it is new. Raises `StoreError`."""
        recorded: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._masked(event), recorded))
        if self._recorder is None:
            self._recorder = asyncio.create_task(self._record())
        return await recorded

    def _masked(self, event: Arrival) -> Arrival:
        return replace(
            event,
            data=masked_json(event.data, self._masker),
            id=self._masker.mask(event.id),
            key=self._masker.mask(event.key),
            by=self._by,
            depth=self._depth + 1,
        )

    async def _record(self) -> None:
        while self._waiting:
            some = self._waiting[:_MOST_AT_ONCE]
            del self._waiting[:_MOST_AT_ONCE]
            try:
                new: Sequence[bool] = await asyncio.to_thread(
                    self._arrivals.arrive, [event for event, _ in some]
                )
            except Exception as error:
                for _, recorded in some:
                    if not recorded.done():
                        recorded.set_exception(error)
                continue
            for (_, recorded), is_new in zip(some, new, strict=True):
                if not recorded.done():  # its attempt has been cut off
                    recorded.set_result(is_new)
        self._recorder = None
