"""A fan-out whose action does nothing and whose outcomes are recorded on PostgreSQL.

The server is one of its own on the same machine, with its usual durability. The baseline writes the
same rows by COPY in groups of the same size, with the driver's own means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count

import psycopg

from benchmarks.postgres_server import DURABLE, PostgresServer, postgres_server
from fanwise.bench.bare_loop import COLUMNS, work
from fanwise.bench.budget import Budget, at_least
from fanwise.bench.comparison import Comparison, render
from fanwise.bench.fanout_process import workflow
from fanwise.bench.measure import DEFAULT_ROUNDS, alternate, seconds
from fanwise.bench.runs import run
from fanwise.stores import schema
from fanwise.stores.postgres_text import definition

BARE_LOOP = "bare loop, COPY"
FANWISE = "fanwise"
ITEMS = 100_000

_COPY = f"COPY items ({', '.join(COLUMNS)}) FROM STDIN"


def bare_loop(items: int, url: str) -> None:
    """Do nothing for each index, and record the results in a new table."""
    with psycopg.connect(url) as connection:
        for statement in definition(schema.items):
            connection.execute(statement)
        connection.commit()

        def record(rows: Sequence[tuple[object, ...]]) -> None:
            with connection.cursor().copy(_COPY) as copy:
                for row in rows:
                    copy.write_row(row)
            connection.commit()

        asyncio.run(work(enumerate(range(items)), record))


def fan_out(items: int, url: str) -> None:
    """Do the same as a run of fanwise in a new store."""
    run(workflow(items), url)


def compare(*, rounds: int = DEFAULT_ROUNDS, items: int = ITEMS) -> Comparison:
    """Measure; it takes less than a minute. Raises `UsageError` if a run fails."""
    ways: dict[str, Callable[[int, str], None]] = {BARE_LOOP: bare_loop, FANWISE: fan_out}
    numbers = count()
    with postgres_server(**DURABLE) as server:
        spans = alternate(
            {name: partial(_timed, way, items, server, numbers) for name, way in ways.items()},
            rounds,
        )
    return Comparison(
        what=f"A no-op action for each of {items:,} items, recorded on PostgreSQL",
        baseline=BARE_LOOP,
        rounds=rounds,
        seconds=spans,
        items=items,
    )


def _timed(
    way: Callable[[int, str], None], items: int, server: PostgresServer, numbers: Iterator[int]
) -> float:
    """The seconds that one way takes in a new schema."""
    name = f"turn_{next(numbers)}"
    with server.connect() as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
        taken_s = seconds(lambda: way(items, server.url(query=f"options=-csearch_path%3D{name}")))
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())
    return taken_s


def budgets(figures: Comparison) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        at_least(
            f"throughput of {FANWISE} on PostgreSQL against a bare loop, {figures.items:,} items",
            0.6,
            "times",
            figures.speed(FANWISE),
        )
    ]


__all__ = ["bare_loop", "budgets", "compare", "fan_out", "render"]
