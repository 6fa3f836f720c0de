"""HTTP clients on the checks of `http`: the speed of a bare loop of each, and its CPU for each.

aiohttp is what `core.http` uses. The others are measured where they are installed:

    pip install httpx curl_cffi pyreqwest
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import msgspec

from benchmarks.http import CONCURRENCY, SERVERS, bare_checks
from fanwise.bench.budget import Budget
from fanwise.bench.measure import DEFAULT_ROUNDS, machine, take_turns
from fanwise.bench.tables import figures_table
from fanwise.errors import UsageError
from fanwise.units import show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

_Get = Callable[[Any, str], Awaitable[tuple[int, Any]]]


class ClientFigures(msgspec.Struct, frozen=True):
    """For each client the seconds of a request and its seconds of CPU, medians of `rounds`."""

    requests: int
    rounds: int
    seconds: dict[str, float]
    cpu_s: dict[str, float]


def compare(*, servers: int = SERVERS, rounds: int = DEFAULT_ROUNDS) -> ClientFigures:
    """Measure the clients that are installed. Raises `UsageError` if a check fails."""
    from fanwise.demos.monitor.fleet import health_endpoint, make_fleet
    from fanwise.demos.monitor.process import serving

    with serving(servers=servers, seed=0, all_healthy=True) as url:
        urls = [
            health_endpoint(url, server) for server in make_fleet(servers, seed=0, all_healthy=True)
        ]
        cpu: dict[str, list[float]] = {}

        def side(name: str) -> Callable[[], float]:
            def measure() -> float:
                begun, busy = time.perf_counter(), time.process_time()
                healthy = CLIENTS[name](urls)
                cpu.setdefault(name, []).append(time.process_time() - busy)
                if healthy != len(urls):
                    raise UsageError(f"{name} found {healthy:,} of {len(urls):,} servers healthy.")
                return time.perf_counter() - begun

            return measure

        sides = {name: side(name) for name in CLIENTS if find_spec(name) is not None}
        for each in sides.values():  # what only a first run does isn't measured
            each()
        cpu.clear()
        seconds = take_turns(sides, rounds)
    return ClientFigures(
        requests=servers,
        rounds=rounds,
        seconds={name: median(spans) / servers for name, spans in seconds.items()},
        cpu_s={name: median(spans) / servers for name, spans in cpu.items()},
    )


def _aiohttp(urls: Sequence[str]) -> int:
    return asyncio.run(bare_checks(urls))


def _httpx(urls: Sequence[str]) -> int:
    httpx = import_module("httpx")
    limits = httpx.Limits(max_connections=CONCURRENCY)
    return asyncio.run(_checks(urls, lambda: httpx.AsyncClient(limits=limits), _get))


def _curl(urls: Sequence[str]) -> int:
    requests = import_module("curl_cffi.requests")
    return asyncio.run(_checks(urls, lambda: requests.AsyncSession(max_clients=CONCURRENCY), _get))


async def _get(client: Any, url: str) -> tuple[int, Any]:
    response = await client.get(url)
    return response.status_code, response.json()


def _pyreqwest(urls: Sequence[str]) -> int:
    module = import_module("pyreqwest.client")

    async def get(client: Any, url: str) -> tuple[int, Any]:
        response = await client.get(url).build().send()
        return response.status, await response.json()

    return asyncio.run(_checks(urls, lambda: module.ClientBuilder().build(), get))


def _urllib3(urls: Sequence[str]) -> int:
    """The same with a thread for each connection."""
    urllib3 = import_module("urllib3")
    pool = urllib3.PoolManager(maxsize=CONCURRENCY)

    def check(url: str) -> bool:
        response = pool.request("GET", url)
        return bool(response.status == 200 and json.loads(response.data)["status"] == "ok")

    with ThreadPoolExecutor(CONCURRENCY) as threads:
        return sum(threads.map(check, urls))


async def _checks(urls: Sequence[str], open_client: Callable[[], Any], get: _Get) -> int:
    """Check each URL, as `bare_checks` does, which has no calls of ours in its loop."""
    source, healthy = iter(urls), 0

    async def worker(client: Any) -> None:
        nonlocal healthy
        for url in source:
            status, report = await get(client, url)
            healthy += status == 200 and report["status"] == "ok"

    async with open_client() as client:
        await asyncio.gather(*(worker(client) for _ in range(CONCURRENCY)))
    return healthy


CLIENTS: Final[dict[str, Callable[[Sequence[str]], int]]] = {
    "aiohttp": _aiohttp,
    "httpx": _httpx,
    "curl_cffi": _curl,
    "pyreqwest": _pyreqwest,
    "urllib3": _urllib3,
}
"""The clients by their packages: each checks URLs and returns how many are well."""


def render(figures: ClientFigures) -> RenderableType:
    """The table of the clients that were there."""
    what = f"{figures.requests:,} HTTP checks, {CONCURRENCY} at once"
    rows = [
        [name, f"{1 / span:,.0f}", show_seconds(span), show_seconds(figures.cpu_s[name])]
        for name, span in figures.seconds.items()
    ]
    title = f"{what}; medians of {figures.rounds} rounds; {machine()}"
    return figures_table(title, ["requests/s", "time of one", "CPU of one"], rows)


def budgets(_figures: ClientFigures) -> list[Budget]:
    """None: nothing is promised of other clients."""
    return []
