"""Engines and their server are killed in turn: each outcome is recorded once, and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.postgres_server import PostgresServer
from benchmarks.storm import (
    CALLED_AT_A_TIME,
    CALLS,
    ITEMS,
    KEYS,
    LIMITED_TO,
    Outcome,
    budgets,
    repeated,
    storm,
    too_many_calls,
    too_many_items,
    too_many_runs,
)


def test_runs_outlive_the_deaths_of_engines_and_of_their_server(
    postgres: PostgresServer, postgres_url: Callable[..., str], tmp_path: Path
) -> None:
    """One blow of each kind, at moments that the runs' own progress chooses."""
    figures = storm(postgres, postgres_url("wait=1m"), tmp_path, runs=6, engines=2, blows=6)
    assert list(figures.blows.values()) == [1] * 6
    assert figures.attempts >= 6 * (ITEMS + CALLS)
    assert (figures.lost, figures.repeated, figures.too_many) == ([], [], [])
    assert all(budget.met for budget in budgets(figures))


def test_work_that_is_begun_again_after_its_outcome_is_found() -> None:
    """Once more before it is none, nor is the first time, whose record may be a little off."""
    outcomes = [_work(0, 1.0, 2.0), _work(1, 1.0, 2.0), _work(2, 1.0, 2.0)]
    begun = ["1.0 run-0 0", "1.1 run-1 0", "1.5 run-0 0", "2.1 run-1 0", "2.1 run-2 0"]
    assert repeated(begun, outcomes) == ["run-1[0] has begun after its outcome was recorded"]


def test_too_many_runs_of_a_key_at_work_are_found() -> None:
    """Runs of other keys don't count, nor a run that begins as another one ends."""
    held = [_work(0, 1.0, 3.0), _work(KEYS, 1.0, 2.0), _work(2 * KEYS, 2.0, 3.0)]
    assert too_many_runs([*held, _work(1, 1.0, 3.0)]) == []
    assert too_many_runs([*held, _work(3 * KEYS, 2.5, 2.6)])


def test_too_many_calls_at_work_are_found() -> None:
    """All runs share their slots."""
    held = [_work(number, 1.0, 2.0) for number in range(CALLED_AT_A_TIME)]
    assert too_many_calls(held) == []
    assert too_many_calls([*held, _work(0, 1.5, 1.6, n=1)])


def test_too_many_items_at_work_are_found() -> None:
    """Over all runs, whose items are under one limit; their calls aren't."""
    held = [f"1.0 2.0 run-{number} 0" for number in range(LIMITED_TO)]
    assert too_many_items([*held, f"1.5 1.6 run-0 {ITEMS}"]) == []
    assert too_many_items([*held, "1.5 1.6 run-0 1"])


def _work(number: int, started_at: float, ended_at: float, *, n: int = 0) -> Outcome:
    return Outcome(f"run-{number}", n, "succeeded", started_at, ended_at)
