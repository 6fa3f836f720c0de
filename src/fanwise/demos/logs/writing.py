"""Writes the logs of the demo: the demo's server writes them, because it really is asked.

For more than `MAX_REQUESTS` lines, what the server wrote is repeated.
"""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import IO

import aiohttp
import msgspec

from fanwise.demos.monitor.fleet import Server, make_fleet, write_inventory
from fanwise.demos.monitor.process import ask_stats, serving
from fanwise.errors import UsageError

_CHUNK_BYTES = 2**20
_PLAIN_FILES = 2  # The newest two aren't compressed yet, as with logrotate's `delaycompress`.


def rotate(whole: Path, log: Path, files: int) -> int:
    """Cut `whole` into so many files, of which `log` is the newest, and remove it.

    Gives how many lines were cut: fewer than `files - 1` if the log has too few.
    """
    size, start, cuts = whole.stat().st_size, 0, 0
    with whole.open("rb") as source:
        for number in range(files - 1, 0, -1):
            source.seek(start + (size - start) // (number + 1))
            source.readline()
            line_start = source.tell()
            half = len(source.readline()) // 2
            if not half:  # It is the log's end.
                continue
            _copy(source, start, line_start + half, _file(log, number))
            start = line_start
            cuts += 1
        _copy(source, start, size, log)
    whole.unlink()
    return cuts


def _file(log: Path, number: int) -> Path:
    ending = "" if number < _PLAIN_FILES else ".gz"
    return log.with_name(f"{log.name}.{number}{ending}")


def _copy(source: IO[bytes], start: int, stop: int, target: Path) -> None:
    source.seek(start)
    with (
        gzip.open(target, "wb", compresslevel=1)
        if target.suffix == ".gz"
        else target.open("wb") as to
    ):
        while start < stop and (chunk := source.read(min(_CHUNK_BYTES, stop - start))):
            to.write(chunk)
            start += len(chunk)


_AT_ONCE = 100
_CHECKS_SHARE = 0.94

_AGENTS = {
    "HealthChecker/2.1": 12,
    "Prometheus/2.53": 4,
    "curl/8.5.0": 2,
    'probe "blue" (+https://example.org/probe)': 1,
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0": 1,
}
_REFERERS = ("https://status.example.org/", "https://www.example.org/fleet?page=3", None, None)
_UNKNOWN_PATHS = ("/favicon.ico", "/robots.txt", "/login?next=%2F", "/.env", "/index.php?page={}")


class Call(msgspec.Struct, frozen=True):
    """One request: its method, its path, and the headers of the same names."""

    method: str
    path: str
    agent: str
    referer: str | None


def calls(fleet: Sequence[Server], count: int, seed: int) -> Iterator[Call]:
    """So many requests to the servers of `fleet`, some of them for what there isn't."""
    chance = Random(seed)
    agents, weights = list(_AGENTS), list(_AGENTS.values())
    for number in range(count):
        server = f"/servers/{chance.choice(fleet).name}"
        if chance.random() < _CHECKS_SHARE:
            method, path = "GET", f"{server}/health"
        else:
            unknown = chance.choice(_UNKNOWN_PATHS).format(number)
            method, path = chance.choice(
                [("GET", unknown), ("GET", f"{server}x/health"), ("POST", f"{server}/health")]
            )
        (agent,) = chance.choices(agents, weights)
        yield Call(method, path, agent, chance.choice(_REFERERS))


async def request_all(url: str, wanted: Iterator[Call]) -> None:
    """Make all requests to the server at `url`, a hundred at once, over connections kept open."""

    async def request_some(session: aiohttp.ClientSession) -> None:
        for call in wanted:
            headers = {"User-Agent": call.agent}
            if call.referer:
                headers["Referer"] = call.referer
            try:
                async with session.request(call.method, url + call.path, headers=headers) as answer:
                    await answer.read()
            except aiohttp.ServerDisconnectedError:
                pass  # Some servers of the fleet answer so.

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(request_some(session) for _ in range(_AT_ONCE)))


MAX_REQUESTS = 10_000
"""So many requests are made at most."""

_SERVERS = 1_000
_SEED = 7
_MAX_FILES = 8


class Written(msgspec.Struct, frozen=True):
    """The files written: `log` is the newest of them, `inventory` lists the servers.

    `answers` has how many requests the server says that it answered with which status, each of
    which has a line; `cut` is how many lines there are besides, each cut off in its middle.
    """

    log: Path
    inventory: Path
    answers: dict[int, int]
    cut: int


def write_logs(folder: Path, lines: int) -> Written:
    """Write logs of at least so many lines into `folder`, in the place of those that are there.

    Raises `UsageError` if that isn't one line at least, or if the server doesn't start.
    """
    if lines < 1:
        raise UsageError(f"logs of {lines} lines can't be written.", hint="Take at least 1.")
    fleet = make_fleet(_SERVERS, _SEED)
    requests = min(lines, MAX_REQUESTS)
    whole, log = folder / "whole.log", folder / "access.log"
    for old in (*folder.glob("whole.log"), *folder.glob("access.log*")):
        old.unlink()
    with serving(servers=_SERVERS, seed=_SEED, access_log=whole) as url:
        asyncio.run(request_all(url, calls(fleet, requests, _SEED)))
        answers = Counter(ask_stats(url).by_status)
        answers[200] += 1  # the one that told them
        write_inventory(folder / "servers.json", url, fleet)
    times = -(-lines // requests)
    _repeat(whole, times)
    return Written(
        log=log,
        inventory=folder / "servers.json",
        answers={status: count * times for status, count in sorted(answers.items())},
        # Each file but the newest has a line that is cut off: one in a hundred at most.
        cut=rotate(whole, log, min(_MAX_FILES, 1 + lines // 100)),
    )


def _repeat(log: Path, times: int) -> None:
    content = log.read_bytes()
    with log.open("ab") as file:
        for _ in range(times - 1):
            file.write(content)
