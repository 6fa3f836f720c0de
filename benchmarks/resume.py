"""The time and the memory that resuming a run takes that was killed half-way.

A fan-out over a file is really run, as a process that kills itself at the item in the middle. From
copies of its records `fanwise resume` resumes the run, as whole processes: measured are the time
from the command to the first item that hadn't been recorded, and the peak of memory at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from benchmarks import PACKS
from benchmarks.resume_notes import DIE_AT, NOTES, Notes
from fanwise.bench.budget import Budget, at_most
from fanwise.bench.measure import DEFAULT_ROUNDS, take_turns
from fanwise.bench.tables import figures_table
from fanwise.errors import UsageError
from fanwise.stores import open_store
from fanwise.units import show_bytes, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

SIZES = (10_000, 1_000_000)

_RUN_ID = "killed"
_STORE = "runs.db"
_PROMISED_S = 2.0
_FLAT_BYTES = 30e6  # what the peak may grow by from few items to many
_MOST_ROUNDS = 3

_WORKFLOW = """\
tasks:
  - name: work
    action: workload.take_note
    with-items: {jsonl: items.jsonl}
    input: {index: "{{ index }}"}
"""


class Resumed(msgspec.Struct, frozen=True):
    """A run of so many `items`, of which some were `recorded`, going on.

    `first_item_s` is the time from the command to its first new item, `seconds` that to its end.
    """

    items: int
    recorded: int
    first_item_s: float
    seconds: float
    peak_memory_bytes: float


def compare(
    *, rounds: int = DEFAULT_ROUNDS, sizes: Sequence[int] = SIZES, killed_at: float = 0.5
) -> list[Resumed]:
    """Measure; it takes half a minute. Raises `UsageError` if a run doesn't end as it should."""
    with TemporaryDirectory() as folder:
        places = {items: Path(folder) / str(items) for items in sizes}
        for items, place in places.items():
            _run_half(items, place, int(items * killed_at))
        sides = {items: partial(_resume, items, place) for items, place in places.items()}
        measured = take_turns(sides, min(rounds, _MOST_ROUNDS))
    return [
        Resumed(
            items,
            found[0].recorded,
            median(each.first_item_s for each in found),
            median(each.seconds for each in found),
            median(each.peak_memory_bytes for each in found),
        )
        for items, found in measured.items()
    ]


def _run_half(items: int, folder: Path, die_at: int) -> None:
    """Run up to an item in the middle, and be killed there."""
    folder.mkdir()
    (folder / "flow.yaml").write_text(_WORKFLOW)
    with (folder / "items.jsonl").open("w") as file:
        file.writelines(f'{{"n": {number}}}\n' for number in range(items))
    command = ["run", str(folder / "flow.yaml"), "--run-id", _RUN_ID]
    _fanwise(command, folder / "half", {DIE_AT: str(die_at)}, status=-signal.SIGKILL)


def _resume(items: int, folder: Path) -> Resumed:
    """Go on from a copy of what was recorded."""
    with TemporaryDirectory(dir=folder) as copy:
        stores, notes = Path(copy) / "stores", Path(copy) / "notes"
        shutil.copytree(folder / "half", stores)
        recorded = _count_recorded(stores)
        started_at = time.time()
        _fanwise(["resume", _RUN_ID], stores, {NOTES: str(notes)}, status=0)
        seconds = time.time() - started_at
        if (done := _count_recorded(stores)) != items:
            raise UsageError(f"a run of {items:,} items was resumed, and has recorded {done:,}.")
        noted = msgspec.json.decode(notes.read_bytes(), type=Notes)
    first_item_s = noted.first_item_at - started_at
    return Resumed(items, recorded, first_item_s, seconds, noted.peak_memory_bytes)


def _fanwise(
    arguments: list[str], stores: Path, environment: Mapping[str, str], *, status: int
) -> None:
    stores.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "fanwise", *arguments, "--store", str(stores / _STORE)]
    for pack in PACKS:
        command += ["--packs", str(pack)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, check=False
    )
    if done.returncode != status:
        last_line = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise UsageError(f"`{' '.join(command)}` exited with {done.returncode}: {last_line}")


def _count_recorded(stores: Path) -> int:
    with open_store(str(stores / _STORE), read_only=True) as store:
        run = store.run(_RUN_ID)
        assert run is not None
        (task,) = store.tasks(run.run_no)
        return len(store.recorded_items(run.run_no, task.visit_no).indexes)


def budgets(figures: list[Resumed]) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    few, many = figures
    return [
        at_most(
            f"from `fanwise resume` to the first new item, {many.items:,} items",
            _PROMISED_S,
            "seconds",
            many.first_item_s,
        ),
        at_most(
            f"peak memory of resuming {many.items:,} items, more than of {few.items:,}",
            _FLAT_BYTES,
            "bytes",
            many.peak_memory_bytes - few.peak_memory_bytes,
        ),
    ]


def render(figures: list[Resumed]) -> RenderableType:
    """A table of times and memory."""
    return figures_table(
        "`fanwise resume`, the whole process",
        ("recorded before", "to the first new item", "to the end", "peak memory"),
        [
            (
                f"{each.items:,} items",
                f"{each.recorded:,}",
                show_seconds(each.first_item_s),
                show_seconds(each.seconds),
                show_bytes(each.peak_memory_bytes),
            )
            for each in figures
        ],
    )
