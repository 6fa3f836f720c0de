"""The HTTP benchmark: its baseline checks every server, and all sides are compared with it."""

import asyncio

from benchmarks.http import BARE_LOOP, FANWISE_DEMO, FANWISE_HTTP, bare_checks, budgets, compare
from fanwise.demos.monitor.fleet import health_endpoint, make_fleet
from fanwise.demos.monitor.process import serving


def test_the_baseline_checks_every_server() -> None:
    """It counts the servers that are well, and only these."""
    fleet = make_fleet(60, seed=0, all_healthy=True)
    with serving(servers=60, seed=0, all_healthy=True) as url:
        urls = [health_endpoint(url, server) for server in fleet]

        assert asyncio.run(bare_checks(urls)) == 60


def test_each_side_is_compared_with_the_baseline() -> None:
    """The demo's workflow and core.http are told against the bare loop."""
    figures = compare(servers=80, rounds=1)

    assert list(figures.seconds) == [BARE_LOOP, FANWISE_DEMO, FANWISE_HTTP]
    assert figures.items == 80
    assert [budget.measured for budget in budgets(figures)] == [
        figures.seconds[BARE_LOOP] / figures.seconds[side] for side in (FANWISE_DEMO, FANWISE_HTTP)
    ]
