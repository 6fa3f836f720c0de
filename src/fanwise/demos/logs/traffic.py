"""Requests to the demo's server: health checks mostly, and what else a server on a network sees.

Which requests are made follows from the fleet, their number and the seed alone; when each is
answered doesn't.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from random import Random

import aiohttp
import msgspec

from fanwise.demos.monitor.fleet import Server

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
