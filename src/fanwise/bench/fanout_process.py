"""One fan-out in a process of its own, so that its peak memory is its own.

    python -m fanwise.bench.fanout_process ITEMS CONTEXT_BYTES

Prints one JSON object, a `FanOut`. With a context, a hundred tasks make it before the fan-out
begins, and every item's input names a part of it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from fanwise.bench.contexts import TASKS
from fanwise.bench.measure import peak_memory_bytes
from fanwise.bench.runs import run, task_seconds
from fanwise.values import JsonObject

_WARM_UP = 1_000


class FanOut(msgspec.Struct, frozen=True):
    """A fan-out of a no-op action, as measured in its own process.

    `seconds` is the task's own time, and `peak_memory_bytes` that of the whole process, with all
    that it needs to start. `context_bytes` is the size of its context as JSON.
    """

    items: int
    context_bytes: int
    seconds: float
    peak_memory_bytes: float

    @property
    def rate(self) -> float:
        """Items per second."""
        return self.items / self.seconds


def workflow(items: int, context_bytes: int = 0, settings: JsonObject | None = None) -> JsonObject:
    """A workflow whose task `work` does nothing for each of so many items, with these settings."""
    tasks: list[JsonObject] = []
    value = "{{ item }}"
    if context_bytes:
        value = "{{ task.task_0.output[0].name }} {{ item }}"
        tasks = [
            {
                "name": f"task_{number}",
                "action": "bench.produce",
                "input": {"task": number, "total_bytes": context_bytes},
            }
            for number in range(TASKS)
        ]
    work = {"name": "work", "action": "bench.noop", "input": {"item": value}, **(settings or {})}
    return {"tasks": [*tasks, {**work, "with-items": {"range": items}}]}


def fan_out(items: int, context_bytes: int) -> FanOut:
    """Run it once, after a small one so that what only a first run does isn't measured."""
    with TemporaryDirectory() as folder:
        run(workflow(_WARM_UP), Path(folder) / "warm-up.db")
        done = run(workflow(items, context_bytes), Path(folder) / "runs.db")
    return FanOut(items, context_bytes, task_seconds(done, "work"), peak_memory_bytes())


def main() -> None:
    """Read the command line, run and print."""
    items, context_bytes = map(int, sys.argv[1:])
    sys.stdout.write(msgspec.json.encode(fan_out(items, context_bytes)).decode())


if __name__ == "__main__":
    main()
