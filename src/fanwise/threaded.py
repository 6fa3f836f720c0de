"""Blocking work in a thread that is waited for to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def in_thread(work: Callable[[], None]) -> None:
    """Do blocking work, and return once it is done, also if this is cancelled meanwhile."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise
