"""Engines and their server are killed in turn: each outcome is recorded once, and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.postgres_server import PostgresServer
from benchmarks.storm import ITEMS, budgets, storm


def test_runs_outlive_the_deaths_of_engines_and_of_their_server(
    postgres: PostgresServer, postgres_url: Callable[..., str], tmp_path: Path
) -> None:
    """One blow of each kind, at moments that the runs' own progress chooses."""
    figures = storm(postgres, postgres_url("wait=1m"), tmp_path, runs=6, engines=2, blows=4)
    assert list(figures.blows.values()) == [1, 1, 1, 1]
    assert figures.attempts >= 6 * ITEMS
    assert (figures.lost, figures.repeated) == ([], [])
    assert all(budget.met for budget in budgets(figures))
