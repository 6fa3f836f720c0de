"""The fan-out benchmark: all sides do the same job, and are measured alike."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fanwise.bench.bare_loop import bare_loop
from fanwise.bench.fanout import (
    BARE_LOOP,
    FANWISE,
    FANWISE_DEF,
    FANWISE_TIMEOUT,
    FanOutFigures,
    Way,
    budgets,
    compare,
    render,
    ways,
    ways_with_labels,
    ways_with_results,
)
from fanwise.bench.fanout_process import FanOut, workflow
from fanwise.bench.runs import run, task_seconds
from fanwise.errors import UsageError

ITEMS = 2_345


@pytest.fixture(scope="module")
def figures() -> Iterator[FanOutFigures]:
    return compare(
        rounds=1, items=100, sizes=(50, 200), few_and_many=(10, 20), contexts_bytes=(1_000, 9_000)
    )


def query(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_the_bare_loop_records_each_item_once(tmp_path: Path) -> None:
    """Each item has one row, also beyond the last full group."""

    async def double(item: int) -> int:
        return 2 * item

    bare_loop(range(10, 10 + ITEMS), tmp_path / "runs.db", action=double)

    assert query(
        tmp_path / "runs.db",
        "SELECT run_no, visit_no, idx, status, attempts, output, error FROM items ORDER BY idx",
    ) == [(1, 1, index, "succeeded", 1, str(2 * (10 + index)), None) for index in range(ITEMS)]


def test_the_bare_loop_records_a_failure_and_goes_on(tmp_path: Path) -> None:
    """It does what the job needs at least: one bad item harms only itself."""

    async def refuse_seven(item: int) -> None:
        if item == 7:
            raise ValueError

    bare_loop(range(20), tmp_path / "runs.db", action=refuse_seven)

    path = tmp_path / "runs.db"
    assert query(path, "SELECT count(*) FROM items WHERE status = 'succeeded'") == [(19,)]
    assert query(path, "SELECT idx, error FROM items WHERE status = 'failed'") == [
        (7, '{"type":"ValueError"}')
    ]


def test_the_bare_loop_runs_as_many_items_at_once_as_it_may(tmp_path: Path) -> None:
    """Its concurrency is that of the fan-out that it is compared with."""
    running = most = 0

    async def count(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    bare_loop(range(500), tmp_path / "runs.db", action=count, concurrency=7)

    assert most == 7


def test_every_way_records_the_same_rows(tmp_path: Path) -> None:
    """What is compared is the same job: only the times differ."""
    columns = "run_no, visit_no, idx, status, attempts, output, error, has_payload"
    recorded = {}
    for number, (name, way) in enumerate(ways().items()):
        path = tmp_path / f"{number}.db"
        way(ITEMS, path)
        recorded[name] = query(path, f"SELECT {columns} FROM items ORDER BY idx")

    assert len(recorded[BARE_LOOP]) == ITEMS
    assert recorded[FANWISE] == recorded[FANWISE_TIMEOUT] == recorded[BARE_LOOP]
    assert recorded[FANWISE_DEF] == recorded[BARE_LOOP]


def both(ways: dict[str, Way], folder: Path, columns: str) -> list[Any]:
    """What two ways record of 20 items, which is the same."""
    recorded = []
    for name, way in ways.items():
        path = folder / f"{name}.db"
        way(20, path)
        recorded.append(query(path, f"SELECT {columns} FROM items ORDER BY idx"))
    assert recorded[0] == recorded[1]
    return recorded[0]


def test_results_of_both_ways_are_the_same_kilobytes(tmp_path: Path) -> None:
    """Each has 1,024 bytes."""
    recorded = both(ways_with_results(), tmp_path, "output")
    assert {len(output) for (output,) in recorded} == {1_024}


def test_labels_of_both_ways_are_the_same(tmp_path: Path) -> None:
    """Each is the item's index."""
    recorded = both(ways_with_labels(), tmp_path, "idx, label, output")
    assert recorded == [(index, str(index), "null") for index in range(20)]


def test_a_context_is_there_before_the_fan_out(tmp_path: Path) -> None:
    """A hundred tasks give results of the size that was asked for, and then the items run."""
    done = run(workflow(3, 50_000), tmp_path / "runs.db")

    [(recorded_bytes,)] = query(tmp_path / "runs.db", "SELECT sum(length(output)) FROM tasks")
    assert recorded_bytes == pytest.approx(50_000, rel=0.15)
    assert list(done.tasks)[-1] == "work"
    assert task_seconds(done, "work") > 0


def test_a_run_in_which_items_fail_is_not_measured(tmp_path: Path) -> None:
    """A failure isn't a fast success, also where the workflow tolerates it."""
    fails = {"name": "work", "action": "core.fail", "input": {"message": "no"}}
    flow = {"tasks": [{**fails, "with-items": [1, 2], "tolerate": 2}]}

    with pytest.raises(UsageError, match="2 of its items failed"):
        run(flow, tmp_path / "runs.db")


def test_each_size_is_measured_in_a_process(figures: FanOutFigures) -> None:
    """There is a figure for each number of items, and two for each size of the context."""
    sizes = [(each.items, each.context_bytes) for each in figures.by_items]
    in_contexts = [(each.items, each.context_bytes) for pair in figures.by_context for each in pair]

    assert sizes == [(50, 0), (200, 0)]
    assert in_contexts == [(10, 1_000), (20, 1_000), (10, 9_000), (20, 9_000)]
    assert all(each.seconds > 0 and each.peak_memory_bytes > 0 for each in figures.by_items)


def test_budgets_are_judged_by_the_figures(figures: FanOutFigures) -> None:
    """A rate that falls and memory that grows miss their budgets, each by itself."""

    def figures_with(rate: float, more_bytes: float, growth_bytes: float) -> FanOutFigures:
        return FanOutFigures(
            throughput=figures.throughput,
            labelled=figures.labelled,
            results=figures.results,
            by_items=[FanOut(100, 0, 1.0, 50e6), FanOut(1_000, 0, 10 / rate, 50e6 + more_bytes)],
            by_context=[
                (FanOut(10, 1_000, 1.0, 50e6), FanOut(20, 1_000, 1.0, 51e6)),
                (FanOut(10, 10**8, 1.0, 400e6), FanOut(20, 10**8, 1.0, 401e6 + growth_bytes)),
            ],
        )

    def met(*changes: float) -> list[bool]:
        return [budget.met for budget in budgets(figures_with(*changes))[5:]]

    assert met(0.95, 19e6, 4e6) == [True, True, True]
    assert met(0.85, 19e6, 4e6) == [False, True, True]
    assert met(0.95, 21e6, 4e6) == [True, False, True]
    assert met(0.95, 19e6, 6e6) == [True, True, False]


def test_the_figures_are_shown(figures: FanOutFigures) -> None:
    """The tables name the sides and the sizes."""
    output = StringIO()
    Console(file=output, width=120).print(render(figures))

    shown = output.getvalue()
    assert "100 items, recorded in SQLite" in shown
    assert all(name in shown for name in (BARE_LOOP, FANWISE_TIMEOUT, "200 items", "9 KB"))
