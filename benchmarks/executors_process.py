"""One side of the executors benchmark, run in a process of its own.

    python -m benchmarks.executors_process SIDE ITEMS US CONTEXT_BYTES

Prints one JSON object, a `Speed`. Each side computes for so many microseconds with each of so many
items. Its processes have started before it is measured.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks import PACKS
from benchmarks.spinning import burn, burn_chunk, burn_one
from fanwise.bench.measure import peak_memory_bytes
from fanwise.bench.runs import run, task_seconds
from fanwise.executors.remote import TARGET_S
from fanwise.executors.sizing import MOST_ITEMS
from fanwise.values import Json

PROCESSES = 2
RAY_CHUNK = 100
_WARM_ITEMS = 1_000  # until chunks have their size


class Speed(msgspec.Struct, frozen=True):
    """The time of all items, and the peak memory of the process that hands them out."""

    seconds: float
    peak_memory_bytes: float


def one_process(items: int, us: int, _context_bytes: int) -> float:
    """A loop, without any process beside."""
    began = time.perf_counter()
    for _ in range(items):
        burn(us)
    return time.perf_counter() - began


def imap(items: int, us: int, _context_bytes: int) -> float:
    """The fastest way of the standard library, in chunks as large as fanwise's."""
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pool.map(burn_one, repeat(1, 100))
        began = time.perf_counter()
        for _ in pool.imap_unordered(burn_one, repeat(us, items), chunksize=_chunk(us)):
            pass
        return time.perf_counter() - began


def pool_map(items: int, us: int, _context_bytes: int) -> float:
    """The way that the documentation of Python shows, in the same chunks."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        list(pool.map(burn_one, repeat(1, 100)))
        began = time.perf_counter()
        for _ in pool.map(burn_one, repeat(us, items), chunksize=_chunk(us)):
            pass
        return time.perf_counter() - began


def _chunk(us: int) -> int:
    return max(1, min(MOST_ITEMS, int(TARGET_S * 1e6) // max(us, 1)))


def fanwise_run(items: int, us: int, context_bytes: int) -> float:
    """A run whose items name 1 KB of a context, and are recorded as they end."""
    context: dict[str, Json] = {
        "named": "x" * 1_000,
        "unnamed": ["x" * 1_000] * (context_bytes // 1_000),
    }
    work = {
        "action": "workload.spin",
        "input": {"item": "{{ item }}", "us": us, "named": "{{ item }} {{ parameters.named }}"},
    }
    tasks = [
        {"name": "warm", "with-items": {"range": _WARM_ITEMS}, **work},
        {"name": "work", "with-items": {"range": items}, **work},
    ]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "flow.yaml"
        parameters = {name: {"required": True} for name in context}
        file.write_bytes(msgspec.json.encode({"parameters": parameters, "tasks": tasks}))
        done = run(file, Path(folder) / "runs.db", context, packs=PACKS)
        return task_seconds(done, "work")


def fanwise_on_ray(items: int, us: int, context_bytes: int) -> float:
    """The same on a local Ray cluster, where the items name all of the context."""
    context: dict[str, Json] = {"large": ["x" * 1_000] * (context_bytes // 1_000)}
    work = {
        "action": "workload.spin",
        "executor": "ray",
        "input": {
            "item": "{{ item }}",
            "us": us,
            "named": "{{ item + parameters.large | length }}",
        },
    }
    tasks = [
        {"name": "warm", "with-items": {"range": _WARM_ITEMS}, **work},
        {"name": "work", "with-items": {"range": items}, **work},
    ]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "flow.yaml"
        parameters = {"large": {"required": True}}
        file.write_bytes(msgspec.json.encode({"parameters": parameters, "tasks": tasks}))
        done = run(file, Path(folder) / "runs.db", context, packs=PACKS)
        return task_seconds(done, "work")


def ray_chunks(items: int, us: int, _context_bytes: int) -> float:
    """Chunks made by hand, without any context, two under way for each CPU."""
    import ray

    call = ray.remote(burn_chunk)
    with _local_ray():
        ray.get([call.remote(10, 1) for _ in range(20)])
        began = time.perf_counter()
        left, running = items, set[object]()
        while left or running:
            while left and len(running) < 2 * PROCESSES:
                count = min(left, RAY_CHUNK)
                left -= count
                running.add(call.remote(count, us))
            done, _ = ray.wait(list(running))
            ray.get(done)
            running -= {*done}
        return time.perf_counter() - began


def ray_tasks(items: int, us: int, _context_bytes: int) -> float:
    """A task of Ray for each item, as its documentation begins."""
    import ray

    call = ray.remote(burn)
    with _local_ray():
        ray.get([call.remote(1) for _ in range(20)])
        began = time.perf_counter()
        ray.get([call.remote(us) for _ in range(items)])
        return time.perf_counter() - began


@contextmanager
def _local_ray() -> Iterator[None]:
    import ray

    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # stay on the loopback address
    ray.init(
        "local",
        num_cpus=PROCESSES,
        object_store_memory=200_000_000,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
    )
    yield
    ray.shutdown()


SIDES: dict[str, Callable[[int, int, int], float]] = {
    "one process": one_process,
    "imap_unordered": imap,
    "ProcessPoolExecutor.map": pool_map,
    "fanwise": fanwise_run,
}
RAY_SIDES: dict[str, Callable[[int, int, int], float]] = {
    "fanwise on Ray": fanwise_on_ray,
    "Ray, chunks by hand": ray_chunks,
    "Ray, a task per item": ray_tasks,
}


def main() -> None:
    """Read the command line, measure and print."""
    side, *numbers = sys.argv[1:]
    seconds = (SIDES | RAY_SIDES)[side](*map(int, numbers))
    sys.stdout.write(msgspec.json.encode(Speed(seconds, peak_memory_bytes())).decode())


if __name__ == "__main__":
    main()
