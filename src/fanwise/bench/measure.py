"""Helpers for measuring and for showing what was measured.

Times are in seconds, sizes in bytes. Nothing here knows what is measured.
"""

from __future__ import annotations

import gc
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from statistics import median
from typing import TypeVar

import msgspec

from fanwise.errors import UsageError

DEFAULT_ROUNDS = 7

Name = TypeVar("Name", bound=Hashable)
Result = TypeVar("Result")


def take_turns(sides: Mapping[Name, Callable[[], Result]], rounds: int) -> dict[Name, list[Result]]:
    """The results of each side over `rounds`, in which the sides take turns.

    Every other round goes through the sides backwards, so that none of them always profits from
    what the one before it left warm, and none has to collect another's garbage. Raises `UsageError`
    if there isn't at least one round.
    """
    if rounds < 1:
        raise UsageError(f"{rounds} rounds measure nothing.", hint="Take at least 1, better 7.")
    results: dict[Name, list[Result]] = {name: [] for name in sides}
    order = list(sides.items())
    for _ in range(rounds):
        for name, side in order:
            gc.collect()
            results[name].append(side())
        order.reverse()
    return results


def alternate(sides: Mapping[Name, Callable[[], float]], rounds: int) -> dict[Name, float]:
    """The median of what each side returns over `rounds`, in which the sides take turns.

    Raises `UsageError` if there isn't at least one round.
    """
    return {name: median(values) for name, values in take_turns(sides, rounds).items()}


def seconds(job: Callable[[], object]) -> float:
    """The time of one call of `job`."""
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def process_seconds(command: list[str]) -> float:
    """The time of `command` as a whole process. Raises `UsageError` if it fails.

    The process keeps the modules that it compiles, as installed ones are kept.
    """
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    done = subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        env=environment,
    )
    elapsed_s = time.perf_counter() - started
    _refuse_failure(command, done)
    return elapsed_s


def in_process(type: type[Result], module: str, *arguments: str) -> Result:
    """Run `python -m module arguments`, and read the JSON that it prints as a value of `type`.

    What uses much memory is measured in a process of its own: its figures are then its own, and
    this process stays small. Raises `UsageError` if it fails.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    _refuse_failure(command, done)
    return msgspec.json.decode(done.stdout, type=type)


def _refuse_failure(command: list[str], done: subprocess.CompletedProcess[bytes]) -> None:
    if done.returncode:
        last_line = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise UsageError(f"`{' '.join(command)}` exited with {done.returncode}: {last_line}")


def peak_memory_bytes() -> int:
    """The most memory that this process has held so far."""
    # On Linux ru_maxrss starts with the size of the process that started this one, so it is read
    # only where there is no /proc. It is in bytes on macOS.
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> str:
    """The machine of the measurements, in a few words."""
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
