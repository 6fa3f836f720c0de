"""The habits benchmark compares runs of the same items, and judges a habit by what it is about."""

from io import StringIO

import pytest
from rich.console import Console

from benchmarks import habits
from benchmarks.habits import HABITS, Habit, HabitFigures, budgets, compare, render
from benchmarks.habits_process import WORKFLOWS, Cost, measure

ITEMS = 20


def test_each_workflow_belongs_to_one_habit() -> None:
    """None is measured for nothing, and none is missing."""
    assert sorted(WORKFLOWS) == sorted(name for habit in HABITS for name in habit[:2])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_workflow_runs_and_is_measured(name: str) -> None:
    """A run that fails would be an error."""
    cost = measure(name, ITEMS)

    assert cost.seconds > 0
    assert cost.peak_memory_bytes > 0
    assert cost.store_bytes > 0


def test_both_sides_are_measured_in_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here one habit only; what is shown names its sides."""
    monkeypatch.setattr(habits, "HABITS", (Habit("no outputs", "outputs", "store_bytes"),))

    figures = compare(rounds=1, items=4_000)

    assert list(figures.costs) == ["no outputs", "outputs"]
    assert figures.gain(habits.HABITS[0]) > 2
    output = StringIO()
    Console(file=output, width=100).print(render(figures))
    assert "no outputs" in output.getvalue()


def test_a_habit_that_gains_nothing_does_not_meet_its_budget() -> None:
    """The advice is judged by its own figure, whatever the others are."""
    same = Cost(seconds=1, peak_memory_bytes=100, store_bytes=10)
    costs = dict.fromkeys(WORKFLOWS, same)
    costs["def"] = Cost(seconds=3, peak_memory_bytes=100, store_bytes=10)

    met = {budget.what: budget.met for budget in budgets(HabitFigures(ITEMS, costs))}

    assert met.pop("def against async def, time")
    assert not any(met.values())
