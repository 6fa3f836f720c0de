"""The executor of child processes. Each is a Python of its own that runs `fanwise.worker`.

Implements `ports.Executor`. Nothing is started, or even imported, before it is first used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from fanwise.ports import SECRET_PREFIX, ActionCall, ChunkFeed, Clock

if TYPE_CHECKING:
    from fanwise.executors.child import Child
    from fanwise.executors.pool import ProcessPool

RECYCLED_AFTER: Final = 200_000
"""Attempts after which a process makes room for a new one, so that leaks of actions stay small."""

_LEAST_S: Final = 0.003
"""The work that is worth a way to a process and back."""


def public(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that processes of actions get: neither secrets nor the store's URL."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(SECRET_PREFIX) and name != "FANWISE_STORE"
    }


class ProcessExecutor:
    """Implements `ports.Executor` in `size` child processes, which get this `environment`."""

    def __init__(
        self,
        clock: Clock,
        size: int,
        environment: Mapping[str, str],
        *,
        recycled_after: int = RECYCLED_AFTER,
    ) -> None:
        self._clock = clock
        self._size = size
        self._environment = environment
        self._recycled_after = recycled_after
        self._pool: ProcessPool[Child] | None = None

    async def execute(self, feed: ChunkFeed, call: ActionCall) -> None:
        """Make the attempts that `feed` hands out, until none will come any more."""
        from fanwise.executors.child import Child
        from fanwise.executors.pool import ProcessPool
        from fanwise.executors.remote import RemoteVisit

        portable = await asyncio.to_thread(call.portable)
        secrets = await asyncio.to_thread(call.secret_values)
        if self._pool is None:
            start = partial(Child, self._environment, self._recycled_after)
            self._pool = ProcessPool(self._size, start, least_s=_LEAST_S)
        await RemoteVisit(feed, call, self._pool, self._clock, portable, secrets).run()

    @property
    def processes(self) -> frozenset[int]:
        """The numbers of the processes that live."""
        living = () if self._pool is None else self._pool.living
        return frozenset(child.pid for child in living)

    def close(self) -> None:
        """End all processes."""
        if self._pool is not None:
            self._pool.close()
