"""The executors benchmark has the same items in all of its sides, and judges their ratios."""

from io import StringIO

import pytest
from rich.console import Console

from benchmarks import executors
from benchmarks.executors import (
    FEW,
    IN_CONTEXT,
    IN_RAY,
    MANY,
    QUICK,
    SLOW,
    ExecutorFigures,
    Job,
    budgets,
    compare,
    render,
)
from benchmarks.executors_process import PROCESSES, RAY_SIDES, SIDES, Speed


def test_each_side_computes_with_each_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """A side that leaves some out would take less than the time of all; here with one small job."""
    for name in ("SLOW", "QUICK", "IN_CONTEXT", "IN_RAY", "FEW", "MANY"):
        monkeypatch.setattr(executors, name, Job(20, 2_000, 10_000))

    figures = compare(rounds=1)

    assert {side for side, _ in figures.speeds} == {*SIDES, *RAY_SIDES}
    for (_, job), speed in figures.speeds.items():
        assert speed.seconds >= job.items * job.us / 1e6 / PROCESSES
    output = StringIO()
    Console(file=output, width=120).print(render(figures))
    assert "imap_unordered" in output.getvalue()


def test_the_promises_are_ratios_between_sides_of_one_job() -> None:
    """Twice as fast as one process, and as fast as the pools, is well enough."""
    pairs = [(side, job) for job in (SLOW, QUICK, IN_CONTEXT, FEW, MANY) for side in SIDES]
    pairs += [(side, job) for job in (IN_RAY, FEW, MANY) for side in RAY_SIDES]
    on_ray, by_hand, per_item = RAY_SIDES
    seconds = {"one process": 2.0, per_item: 20.0}
    speeds = {(side, job): Speed(seconds.get(side, 1.0), 10.0) for side, job in pairs}
    assert [budget.met for budget in budgets(ExecutorFigures(speeds))] == [True] * 7
    speeds["fanwise", SLOW] = Speed(1.2, 10.0)
    speeds["fanwise", QUICK] = Speed(1.7, 10.0)
    speeds["fanwise", IN_CONTEXT] = Speed(2.0, 10.0)
    speeds["fanwise", MANY] = speeds[on_ray, MANY] = Speed(1.0, 31e6)
    speeds[by_hand, IN_RAY] = Speed(0.5, 10.0)
    speeds[per_item, IN_RAY] = Speed(19.0, 10.0)
    assert [budget.met for budget in budgets(ExecutorFigures(speeds))] == [False] * 7
