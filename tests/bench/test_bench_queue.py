"""The benchmark of taking runs: all of them are driven, and each by one engine."""

from __future__ import annotations

from benchmarks.queue import budgets, compare


def test_all_that_is_promised_is_measured() -> None:
    """Few runs, and a lease that lets the run of a lost engine go soon."""
    figures = compare(rounds=1, runs=20, held=1_000, submitted=3, lease_s=1.0, idle_s=1.0)
    assert len(figures.waits_s) == 3
    assert figures.driven_twice == 0
    assert all(budget.measured > 0 for budget in budgets(figures) if not budget.strict)
