"""Very many streams of events at once: what they take of the server, and how late they hear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from benchmarks.processes import busy_s, memory_bytes
from fanwise.bench.budget import Budget, at_most
from fanwise.errors import UsageError
from fanwise.model import Role
from fanwise.server.token_making import new_token_text
from fanwise.stores import open_store
from fanwise.units import show_bytes, show_seconds

STREAMS: Final = 500
_OF_TOKEN: Final = 10
CHANGES: Final = 40
_PER_S: Final = 4
_PATIENCE_S: Final = 60.0
_AGAIN_S: Final = 0.1
_RUN: Final = "large"


class StreamFigures(msgspec.Struct, frozen=True):
    """The number of streams, the share of a core and the memory that they take, and their delay.

    Each change was heard within `told_s` by 95 % of the streams.
    """

    streams: int
    core: float
    memory_bytes: int
    told_s: float


def measure(url: str, pid: int, file: Path, streams: int, changes: int) -> StreamFigures:
    """Open streams at a server over a store, and change the run that they watch so many times."""
    with open_store(str(file)) as store:
        tokens = [
            str(new_token_text(store, f"s{number}", Role.READ))
            for number in range(-(-streams // _OF_TOKEN))
        ]
    given = [tokens[number // _OF_TOKEN] for number in range(streams)]
    return asyncio.run(_measure(url, pid, file, given, changes))


async def _measure(
    url: str, pid: int, file: Path, tokens: Sequence[str], changes: int
) -> StreamFigures:
    before = memory_bytes(pid)
    heard: dict[str, list[float]] = {}
    opened = asyncio.Semaphore(0)
    place = urlsplit(url)
    listening = [
        asyncio.create_task(_listen(place.hostname or "", place.port or 0, token, heard, opened))
        for token in tokens
    ]
    async with asyncio.timeout(_PATIENCE_S):
        for _ in tokens:
            await opened.acquire()
    begun, busy = time.perf_counter(), busy_s(pid)
    with open_store(str(file)) as store:
        run = store.run(_RUN)
        assert run is not None
        made: dict[str, float] = {}
        for number in range(changes):
            tag = f"change-{number}"
            made[tag] = time.perf_counter()
            await asyncio.to_thread(store.commit, [replace(run, tags=(tag,))])
            await asyncio.sleep(1 / _PER_S)
        await asyncio.sleep(1.0)
        core = (busy_s(pid) - busy) / (time.perf_counter() - begun)
        memory = memory_bytes(pid) - before
        await asyncio.to_thread(store.commit, [run])
    for each in listening:
        each.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    late = sorted(_delays(made, heard, len(tokens)))
    return StreamFigures(len(tokens), core, memory, late[len(late) * 95 // 100])


def _delays(made: dict[str, float], heard: dict[str, list[float]], streams: int) -> list[float]:
    """The time from each change to each stream that heard of it. Raises `UsageError`."""
    last = heard.get(f"change-{len(made) - 1}", [])
    if len(last) < streams:
        raise UsageError(f"{streams - len(last)} of {streams} streams never heard the last change.")
    return [at - made[tag] for tag, times in heard.items() if tag in made for at in times]


async def _listen(
    host: str, port: int, token: str, heard: dict[str, list[float]], opened: asyncio.Semaphore
) -> None:
    """Read one stream, and note when it hears of each change."""
    lines = (
        f"GET /api/v1/events?topic=run:{_RUN} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {token}",
    )
    while True:
        reader, writer = await asyncio.open_connection(host, port, limit=2**20)
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if b" 429 " not in await reader.readline():
            break
        writer.close()  # the streams that the page had open are counted for up to a second
        await asyncio.sleep(_AGAIN_S)
    has_begun = False
    try:
        while line := await reader.readline():
            if not line.startswith(b"data: {"):
                continue
            if not has_begun and b'"run_id"' in line:
                has_begun = True
                opened.release()
            begin = line.find(b'"change-')
            if begin >= 0:
                tag = line[begin + 1 : line.index(b'"', begin + 1)].decode()
                heard.setdefault(tag, []).append(time.perf_counter())
    finally:
        writer.close()


def budgets(figures: StreamFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    what = f"{figures.streams} streams at {_PER_S} changes a second"
    return [
        at_most(f"{what}, of a core", 0.1, "times", figures.core),
        at_most(f"{what}, memory", 20e6, "bytes", figures.memory_bytes),
        at_most(f"{what}, told within", 0.5, "seconds", figures.told_s),
    ]


def rows(figures: StreamFigures) -> list[tuple[str, str]]:
    """The rows of a table."""
    what = f"{figures.streams} streams at {_PER_S} changes a second"
    return [
        (f"{what}, of a core", f"{figures.core:.1%}"),
        (f"{what}, memory", show_bytes(figures.memory_bytes)),
        (f"{what}, 95 % told within", show_seconds(figures.told_s)),
    ]
