"""The throughput of HTTP checks: the demo's thousand servers, all of them healthy and quick.

The baseline is a bare aiohttp loop of as many workers, which judges each answer as the demo's
action does, and records nothing. Only the checks are measured: the loop's own time, and the task's
own time, which begins before the first request and ends when all outcomes are recorded.

The servers are one other process. The comparison is strict while that has a core to itself: on a
busy machine both sides wait for the servers, and the ratio flatters the slower one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fanwise.bench.budget import Budget, at_least
from fanwise.bench.comparison import Comparison, render
from fanwise.bench.measure import DEFAULT_ROUNDS, alternate
from fanwise.bench.runs import run, task_seconds
from fanwise.demos import monitor
from fanwise.errors import UsageError
from fanwise.wiring import Workflow

SERVERS = 1_000
CONCURRENCY = 50
BARE_LOOP = "bare loop"
FANWISE_DEMO = "fanwise, the demo's workflow"
FANWISE_HTTP = "fanwise, core.http"

_DEMO = Path(monitor.__file__).parent / "workflow.yaml"
_TASK = "check_health"
_HTTP: dict[str, Any] = {
    "parameters": {"urls": {"type": "array"}},
    "tasks": [
        {
            "name": _TASK,
            "action": "core.http",
            "with-items": "{{ parameters.urls }}",
            "concurrency": CONCURRENCY,
            "input": {"url": "{{ item }}", "expect": 200},
        }
    ],
}


async def bare_checks(urls: Iterable[str], *, concurrency: int = CONCURRENCY) -> int:
    """Check each URL, and give the number of those that answer 200 and say that all is well."""
    import aiohttp

    source = iter(urls)
    healthy = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal healthy
        for url in source:
            async with session.get(url) as response:
                report = await response.json()
                healthy += response.status == 200 and report["status"] == "ok"

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))
    return healthy


def compare(*, servers: int = SERVERS, rounds: int = DEFAULT_ROUNDS) -> Comparison:
    """Measure; it takes a few seconds. Raises `UsageError` if a check fails."""
    from fanwise.demos.monitor.fleet import health_endpoint, make_fleet, write_inventory
    from fanwise.demos.monitor.process import serving

    fleet = make_fleet(servers, seed=0, all_healthy=True)
    with serving(servers=servers, seed=0, all_healthy=True) as url, TemporaryDirectory() as folder:
        inventory = Path(folder) / "servers.json"
        write_inventory(inventory, url, fleet)
        urls = [health_endpoint(url, server) for server in fleet]
        sides: dict[str, Callable[[], float]] = {
            BARE_LOOP: lambda: asyncio.run(_bare_seconds(urls)),
            FANWISE_DEMO: partial(_fanwise_seconds, _DEMO, {"inventory": str(inventory)}),
            FANWISE_HTTP: partial(_fanwise_seconds, _HTTP, {"urls": urls}),
        }
        for side in sides.values():  # What only a first run does isn't measured.
            side()
        spans = alternate(sides, rounds)
    return Comparison(
        what=f"An HTTP check of each of {servers:,} servers, {CONCURRENCY} at once",
        baseline=BARE_LOOP,
        rounds=rounds,
        seconds=spans,
        items=servers,
    )


async def _bare_seconds(urls: Sequence[str]) -> float:
    started = time.perf_counter()
    healthy = await bare_checks(urls)
    elapsed_s = time.perf_counter() - started
    if healthy != len(urls):
        raise UsageError(
            f"the bare loop found {healthy:,} of {len(urls):,} servers healthy, so it measures "
            "nothing."
        )
    return elapsed_s


def _fanwise_seconds(workflow: Workflow, parameters: dict[str, Any]) -> float:
    with TemporaryDirectory() as folder:
        return task_seconds(run(workflow, Path(folder) / "runs.db", parameters), _TASK)


def budgets(figures: Comparison) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        at_least(
            f"{figures.items:,} HTTP checks, throughput of {way} against a bare aiohttp loop",
            0.8,
            "times",
            figures.speed(way),
        )
        for way in (FANWISE_DEMO, FANWISE_HTTP)
    ]


__all__ = ["bare_checks", "budgets", "compare", "render"]
