"""Triggers: a thousand that are due in one second, how late they fire, and the cost of waiting.

A thousand triggers of one project come due at once, by a clock that is moved; the time is that of
one look, with all fires and runs recorded. How late a schedule fires is measured with a process of
`fanwise serve`, by the store's clock. Waiting is another such process, whose thousand triggers
aren't due: its share of a core, and its memory.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import msgspec

from benchmarks.processes import busy_s, memory_bytes
from fanwise.bench.budget import Budget, at_most
from fanwise.bench.measure import DEFAULT_ROUNDS
from fanwise.bench.tables import figures_table
from fanwise.errors import UsageError
from fanwise.model import Limits
from fanwise.service.clock import TriggerClock
from fanwise.service.deciders import all_deciders
from fanwise.service.folders import Folders
from fanwise.service.projects import WatchedProject
from fanwise.service.watcher import ServiceWatcher
from fanwise.stores import open_store
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.system import SystemProcesses
from fanwise.testing.clock import ManualClock
from fanwise.units import show_bytes, show_ratio, show_seconds
from fanwise.wiring import load_triggers, read_settings, triggered_runs

if TYPE_CHECKING:
    from rich.console import RenderableType

_TRIGGERS: Final = 1_000
_START: Final = 1_800_000_000.0
_DUE_S: Final = 1.0
_LATE_S: Final = 0.25
_SHARE: Final = 0.01
_MEMORY_BYTES: Final = 80 * 2**20
_FIRES: Final = 10
_IDLE_S: Final = 10.0
_FLOW: Final = "name: {name}\non:\n{triggers}\ntasks: [{{name: a, action: core.noop}}]\n"
_HOURLY: Final = "  t{number}: {{schedule: {{every: 1h, overlap: allow}}}}"
_EACH_SECOND: Final = "  each: {schedule: {every: 1s, overlap: allow}}"


class TriggerFigures(msgspec.Struct, frozen=True):
    """The measurements: seconds of a look, and of a fire's delay; of a waiting server the rest."""

    look_s: float
    late_s: float
    latest_s: float
    idle_share: float
    memory_bytes: int


def compare(*, rounds: int = DEFAULT_ROUNDS) -> TriggerFigures:
    """Measure; it takes half a minute. Raises `UsageError` if something doesn't fire."""
    looks = [_look() for _ in range(rounds)]
    late = _late()
    share, memory_bytes = _idle()
    return TriggerFigures(median(looks), median(late), max(late), share, memory_bytes)


def _look() -> float:
    """The time of a look that finds all triggers due."""
    with TemporaryDirectory() as name:
        folder, clock = Path(name), ManualClock(_START)
        _write_thousand(folder)
        settings = read_settings(environment={"FANWISE_STORE": str(folder / "runs.db")})
        watcher = ServiceWatcher()
        project = WatchedProject(lambda: load_triggers(settings, folder), lambda _: 0, watcher)
        with open_sqlite(folder / "runs.db", now=clock.now) as store:
            make_run = triggered_runs(settings, folder).make
            deciders = all_deciders(
                store, make_run, SystemProcesses(), clock, Limits(), name, Folders(clock)
            )
            served = TriggerClock(store, project, deciders, clock, watcher)
            served.look()
            clock.advance(3_600)
            started = time.perf_counter()
            served.look()
            seconds = time.perf_counter() - started
            if len(list(store.unfinished())) != _TRIGGERS:
                raise UsageError("not all triggers that were due have fired.")
        return seconds


def _write_thousand(folder: Path) -> None:
    hourly = "\n".join(_HOURLY.format(number=number) for number in range(_TRIGGERS))
    (folder / "flow.yaml").write_text(_FLOW.format(name="hourly", triggers=hourly))


@contextmanager
def _serving(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "fanwise", "serve", "--no-work", "--port", "0"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [*command, "--store", str(folder / "runs.db")], cwd=folder, stdout=quiet, stderr=quiet
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def _late() -> list[float]:
    """How late a schedule of each second fires."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "flow.yaml").write_text(_FLOW.format(name="tick", triggers=_EACH_SECOND))
        with open_store(str(folder / "runs.db")) as store, _serving(folder) as process:
            while len(found := store.fires("tick", "each")) < _FIRES:
                if process.poll() is not None:
                    raise UsageError(f"the server ended with {process.returncode}.")
                time.sleep(0.1)
        return [fire.fired_at - fire.at for fire in found]


def _idle() -> tuple[float, int]:
    """The share of a core and the memory of a server that waits."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_thousand(folder)
        with open_store(str(folder / "runs.db")) as store, _serving(folder) as process:
            while len(store.triggers()[1]) < _TRIGGERS:
                if process.poll() is not None:
                    raise UsageError(f"the server ended with {process.returncode}.")
                time.sleep(0.1)
            time.sleep(1)  # the first look may still be under way
            before = busy_s(process.pid)
            time.sleep(_IDLE_S)
            return (busy_s(process.pid) - before) / _IDLE_S, memory_bytes(process.pid)


def budgets(figures: TriggerFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        at_most(f"{_TRIGGERS:,} triggers due at once, decided", _DUE_S, "seconds", figures.look_s),
        at_most("a schedule fires after its time", _LATE_S, "seconds", figures.late_s),
        at_most("a waiting server, of a core", _SHARE, "times", figures.idle_share),
        at_most("a waiting server's memory", _MEMORY_BYTES, "bytes", figures.memory_bytes),
    ]


def render(figures: TriggerFigures) -> RenderableType:
    """A table of figures."""
    return figures_table(
        "triggers",
        ("figure",),
        [
            (f"{_TRIGGERS:,} due at once", show_seconds(figures.look_s)),
            ("late, median", show_seconds(figures.late_s)),
            ("late, longest", show_seconds(figures.latest_s)),
            ("waiting, of a core", show_ratio(figures.idle_share)),
            ("waiting, memory", show_bytes(figures.memory_bytes)),
        ],
    )
