"""Engines and their server are killed in turn: each outcome is recorded once, and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.postgres_server import PostgresServer
from benchmarks.storm import ITEMS, KEYS, budgets, storm, too_many


def test_runs_outlive_the_deaths_of_engines_and_of_their_server(
    postgres: PostgresServer, postgres_url: Callable[..., str], tmp_path: Path
) -> None:
    """One blow of each kind, at moments that the runs' own progress chooses."""
    figures = storm(postgres, postgres_url("wait=1m"), tmp_path, runs=6, engines=2, blows=6)
    assert list(figures.blows.values()) == [1] * 6
    assert figures.attempts >= 6 * ITEMS
    assert (figures.lost, figures.repeated, figures.too_many) == ([], [], [])
    assert all(budget.met for budget in budgets(figures))


def test_too_many_runs_of_a_key_at_work_are_found() -> None:
    """Runs of other keys don't count, nor a run that begins as another one ends."""

    def outcome(
        number: int, started_at: float, ended_at: float
    ) -> tuple[str, int, str, float, float]:
        return f"run-{number * KEYS}", 0, "succeeded", started_at, ended_at

    held = [outcome(0, 1.0, 3.0), outcome(1, 1.0, 2.0), outcome(2, 2.0, 3.0)]
    elsewhere = ("run-1", 0, "succeeded", 1.0, 3.0)
    assert too_many([*held, elsewhere]) == []
    assert too_many([*held, outcome(3, 2.5, 2.6)])
