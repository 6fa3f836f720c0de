"""Workflows of thousands of tasks: how long they take to check, to run, and to decide upon.

A chain; layers of tasks of which each needs three of the layer before; and one task that needs
thousands. The tasks do nothing. The decisions are those of whole runs, simulated without an engine.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from fanwise.bench.budget import Budget, at_least, at_most
from fanwise.bench.measure import DEFAULT_ROUNDS
from fanwise.bench.runs import PACK, run
from fanwise.bench.tables import figures_table
from fanwise.conductor import RunStarted, StartTask, State, TaskEnded, decide
from fanwise.context import WorkflowContext
from fanwise.model import Status, TaskResult
from fanwise.plan import Plan
from fanwise.units import show_seconds
from fanwise.wiring import load_plan

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fanwise.conductor import Event

_MOST_ROUNDS = 3  # Each takes about fifteen seconds, and its figures hardly differ.
_DONE = TaskResult(Status.SUCCEEDED)


class GraphFigures(msgspec.Struct, frozen=True):
    """One shape of workflow, as medians: seconds to check, tasks a second, seconds a decision."""

    shape: str
    tasks: int
    check_s: float
    rate: float
    decision_s: float


def compare(*, rounds: int = DEFAULT_ROUNDS, scale: int = 100) -> list[GraphFigures]:
    """Measure; the layers are `scale` by `scale`, and the rest as large. Raises `UsageError`."""
    return [_measure(shape, each, rounds) for shape, each in shapes(scale).items()]


def shapes(scale: int) -> Mapping[str, dict[str, Any]]:
    """The workflows by what they are."""

    def task(name: str, *needs: str) -> dict[str, Any]:
        return {"name": name, "action": "bench.noop", "input": {"item": 1}, "needs": list(needs)}

    count = scale * scale
    chain = [task("t0"), *(task(f"t{n}", f"t{n - 1}") for n in range(1, count))]
    layers = [
        task(f"l{layer}_{n}", *(f"l{layer - 1}_{(n + k) % scale}" for k in range(3) if layer))
        for layer in range(scale)
        for n in range(scale)
    ]
    many = [task(f"t{n}") for n in range(count // 2)]
    return {
        "a chain": {"tasks": chain},
        f"{scale} layers of {scale}": {"tasks": layers},
        "one task that needs all others": {
            "tasks": [*many, task("end", *(t["name"] for t in many))]
        },
    }


def _measure(shape: str, workflow: dict[str, Any], rounds: int) -> GraphFigures:
    figures = [_once(workflow) for _ in range(min(rounds, _MOST_ROUNDS))]
    check_s, run_s, decision_s = (median(each) for each in zip(*figures, strict=True))
    tasks = len(workflow["tasks"])
    return GraphFigures(shape, tasks, check_s, tasks / run_s, decision_s)


def _once(workflow: dict[str, Any]) -> tuple[float, float, float]:
    """Seconds to check it, to run it, and for each decision."""
    started = time.perf_counter()
    plan = load_plan(workflow, packs=[PACK])
    check_s = time.perf_counter() - started
    with TemporaryDirectory() as folder:
        duration_s = run(workflow, Path(folder) / "runs.db").duration_s
    assert duration_s is not None
    return check_s, duration_s, _decision_s(plan)


def _decision_s(plan: Plan) -> float:
    """Seconds for each decision of a whole run in which every task succeeds at once."""
    state = State.initial(plan.graph)
    events: deque[Event] = deque([RunStarted(WorkflowContext())])
    decisions = 0
    started = time.perf_counter()
    while events:
        state, commands = decide(plan, state, events.popleft())
        decisions += 1
        for command in commands:
            if isinstance(command, StartTask):
                events.append(TaskEnded(command.task, command.visit, _DONE))
    return (time.perf_counter() - started) / decisions


def render(figures: list[GraphFigures]) -> RenderableType:
    """A table of the shapes."""
    return figures_table(
        "workflow",
        ("tasks", "checked in", "tasks a second", "a decision"),
        [
            (
                each.shape,
                f"{each.tasks:,}",
                show_seconds(each.check_s),
                f"{each.rate:,.0f}",
                show_seconds(each.decision_s),
            )
            for each in figures
        ],
    )


def budgets(figures: list[GraphFigures]) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        budget
        for each in figures
        for budget in (
            at_most(f"{each.shape}: checking", 3, "seconds", each.check_s),
            at_least(f"{each.shape}: tasks a second", 1_000, "number", each.rate),
            at_most(f"{each.shape}: a decision", 20e-6, "seconds", each.decision_s),
        )
    ]
