"""The benchmark of lists: both stores hold the same, and each command is measured on both."""

from __future__ import annotations

from benchmarks.lists import COMMANDS, budgets, compare


def test_each_command_is_measured_on_both_stores() -> None:
    """Small ones: a command that failed would end the benchmark."""
    figures = compare(rounds=1, runs=1_000, items=2_000)
    assert list(figures.seconds) == [" ".join(command) for command in COMMANDS]
    assert [budget.limit for budget in budgets(figures)] == [1.5] * len(COMMANDS)
