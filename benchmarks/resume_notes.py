"""Notes of the items of the benchmark `resume` inside a `fanwise` process, set by the environment.

`FANWISE_BENCH_DIE_AT` names the item at which the process kills itself, once all before it have had
time to be recorded. `FANWISE_BENCH_NOTES` names the file in which a process that comes to its end
leaves `Notes`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import time
from functools import cache
from pathlib import Path

import msgspec

from fanwise.bench.measure import peak_memory_bytes

DIE_AT = "FANWISE_BENCH_DIE_AT"
NOTES = "FANWISE_BENCH_NOTES"

_RECORDED_S = 0.3  # more than a store takes to record what has queued up


class Notes(msgspec.Struct, frozen=True):
    """The start of the process's first item, in seconds since the epoch, and its peak memory."""

    first_item_at: float
    peak_memory_bytes: float


async def take_note(index: int) -> None:
    """Note that an item begins, or die of it."""
    if index >= _begin():
        await asyncio.sleep(_RECORDED_S)
        os.kill(os.getpid(), signal.SIGKILL)


@cache
def _begin() -> float:
    """At the first item: note it, and find out at which one to die."""
    now = time.time()
    if notes := os.environ.get(NOTES):
        atexit.register(lambda: _write(Path(notes), now))
    return float(os.environ.get(DIE_AT, "inf"))


def _write(file: Path, first_item_at: float) -> None:
    file.write_bytes(msgspec.json.encode(Notes(first_item_at, peak_memory_bytes())))
