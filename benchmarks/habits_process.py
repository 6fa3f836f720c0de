"""One workflow of the habits benchmark, run in a process of its own.

    python -m benchmarks.habits_process NAME ITEMS

Prints one JSON object, a `Cost`. All workflows do nothing with each of so many items; they differ
in how they say it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from benchmarks import PACKS
from fanwise.bench.contexts import sample_result
from fanwise.bench.measure import peak_memory_bytes
from fanwise.bench.runs import run

_ENTRIES = 50  # in a value that all items share
_RESULT_BYTES = 1_000  # about, in a result that nobody reads
_FILE = "items.txt"

Task = dict[str, Any]


class Cost(msgspec.Struct, frozen=True):
    """The cost of a whole run.

    `seconds` is its own time, `peak_memory_bytes` that of the process, and `store_bytes` on disk.
    """

    seconds: float
    peak_memory_bytes: float
    store_bytes: float


def _work(**keys: object) -> Task:
    return {"name": "work", "action": "bench.noop", "input": {"item": "{{ item }}"}, **keys}


def _first(items: int) -> Task:
    return {
        "name": "first",
        "action": "core.echo",
        "with-items": {"range": items},
        "input": {"number": "{{ item }}"},
    }


def _shared(action: str, items: int) -> Task:
    return {
        "name": "work",
        "action": action,
        "with-items": {"range": items},
        "input": {"settings": sample_result(0, 10**7)[:_ENTRIES]},
    }


def _results(items: int, **keys: object) -> Task:
    return {
        "name": "work",
        "action": "core.echo",
        "with-items": {"range": items},
        "input": {"text": "x" * _RESULT_BYTES},
        **keys,
    }


WORKFLOWS: dict[str, Callable[[int], list[Task]]] = {
    "stream": lambda items: [_work(**{"with-items": {"lines": _FILE}})],
    "list": lambda items: [
        {"name": "read", "action": "core.read_file", "input": {"path": _FILE, "format": "lines"}},
        _work(**{"with-items": "{{ task.read.output }}"}),
    ],
    "pages": lambda items: [_first(items), _work(**{"with-items": "{{ task.first.output }}"})],
    "whole output": lambda items: [
        _first(items),
        _work(**{"with-items": "{{ task.first.output | list }}"}),
    ],
    "no outputs": lambda items: [_results(items, **{"keep-output": "none"})],
    "outputs": lambda items: [_results(items)],
    "batches": lambda items: [_work(**{"with-items": {"range": items}, "batch-size": 100})],
    "single items": lambda items: [_work(**{"with-items": {"range": items}})],
    "async def": lambda items: [_work(**{"with-items": {"range": items}})],
    "def": lambda items: [
        _work(**{"with-items": {"range": items}, "action": "workload.noop_thread"})
    ],
    "plain input": lambda items: [_shared("workload.take_plain", items)],
    "model input": lambda items: [_shared("workload.take_models", items)],
}
"""The tasks of each workflow, by the habit that it shows."""


def measure(name: str, items: int) -> Cost:
    """Run it once, in a folder that has a file with a line for each of so many items.

    Raises `UsageError` if the run fails.
    """
    with TemporaryDirectory() as folder:
        with (Path(folder) / _FILE).open("w") as lines:
            lines.writelines(f"item {number}\n" for number in range(items))
        store = Path(folder) / "runs.db"
        file = Path(folder) / "workflow.yaml"
        file.write_bytes(msgspec.json.encode({"tasks": WORKFLOWS[name](items)}))
        done = run(file, store, packs=PACKS)
        assert done.started_at is not None
        assert done.ended_at is not None
        store_bytes = sum(part.stat().st_size for part in Path(folder).glob("runs.db*"))
        return Cost(done.ended_at - done.started_at, peak_memory_bytes(), store_bytes)


def main() -> None:
    """Read the command line, run and print."""
    name, items = sys.argv[1:]
    sys.stdout.write(msgspec.json.encode(measure(name, int(items))).decode())


if __name__ == "__main__":
    main()
