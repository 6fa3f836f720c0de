"""The benchmark of PostgreSQL: both sides record the same rows."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.postgres import bare_loop, budgets, compare, fan_out
from benchmarks.postgres_server import PostgresServer


def test_both_sides_record_the_same_items(
    postgres: PostgresServer, postgres_url: Callable[..., str]
) -> None:
    """Their statuses, attempts and outputs; times differ."""
    found = []
    for way in (bare_loop, fan_out):
        url = postgres_url()
        way(1_234, url)
        name = url.partition("search_path%3D")[2]
        with postgres.connect() as connection:
            query = f"SELECT idx, status, attempts, output FROM {name}.items ORDER BY idx"
            found.append(connection.execute(query.encode()).fetchall())
    assert found[0] == found[1]
    assert len(found[0]) == 1_234


def test_the_figures_have_a_budget() -> None:
    """A ratio of the two, measured on a server of its own."""
    figures = compare(rounds=1, items=300)
    (budget,) = budgets(figures)
    assert budget.measured > 0
