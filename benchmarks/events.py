"""Events: a burst of 50,000 that becomes one run, from the first that is emitted to the run's end.

They are emitted in groups, as from a file's lines. The clock of triggers sorts them into a batch
and makes the run, and a process of `fanwise work` drives it: each event is an item.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import msgspec

from fanwise.bench.budget import Budget, at_most
from fanwise.bench.measure import DEFAULT_ROUNDS
from fanwise.bench.tables import figures_table
from fanwise.errors import UsageError
from fanwise.model import Limits
from fanwise.runs import emit_all
from fanwise.service.clock import TriggerClock
from fanwise.service.deciders import all_deciders
from fanwise.service.folders import Folders
from fanwise.service.projects import WatchedProject
from fanwise.service.watcher import ServiceWatcher
from fanwise.stores import Store, open_store
from fanwise.system import SystemClock, SystemProcesses
from fanwise.units import show_seconds
from fanwise.wiring import load_triggers, read_settings, triggered_runs

if TYPE_CHECKING:
    from rich.console import RenderableType

_EVENTS: Final = 50_000
_WHOLE_S: Final = 20.0
_PATIENCE_S: Final = 120.0
_FLOW: Final = f"""
name: burst
on: {{found: {{event: {{name: entry.found, batch: {{size: {_EVENTS}}}}}}}}}
tasks:
  - {{name: each, with-items: "{{{{ trigger.events }}}}", action: core.noop}}
"""


class EventFigures(msgspec.Struct, frozen=True):
    """Seconds: of emitting, of deciding until the run is recorded, and of the run."""

    emit_s: float
    decide_s: float
    run_s: float

    @property
    def whole_s(self) -> float:
        """The time from the first event to the end of the run."""
        return self.emit_s + self.decide_s + self.run_s


def compare(*, rounds: int = DEFAULT_ROUNDS) -> EventFigures:
    """Measure. Raises `UsageError` if not all events become items of one run."""
    found = [_burst() for _ in range(rounds)]
    return sorted(found, key=lambda each: each.whole_s)[len(found) // 2]


def _burst() -> EventFigures:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "flow.yaml").write_text(_FLOW)
        url = str(folder / "runs.db")
        with open_store(url) as store:
            clock = _clock(store, folder, url)
            clock.look()
            started = time.perf_counter()
            if sum(1 for _ in emit_all("entry.found", range(_EVENTS), store=url)) != _EVENTS:
                raise UsageError("not all events were emitted.")
            emitted = time.perf_counter()
            while not store.fires("burst", "found"):
                clock.look()
            decided = time.perf_counter()
            _drive(store, url)
            return EventFigures(emitted - started, decided - emitted, time.perf_counter() - decided)


def _clock(store: Store, folder: Path, url: str) -> TriggerClock:
    settings = read_settings(environment={"FANWISE_STORE": url})
    watcher, now = ServiceWatcher(), SystemClock()
    project = WatchedProject(lambda: load_triggers(settings, folder), lambda _: 0, watcher)
    make_run = triggered_runs(settings, folder).make
    deciders = all_deciders(
        store, make_run, SystemProcesses(), now, Limits(), str(folder), Folders(now)
    )
    return TriggerClock(store, project, deciders, now, watcher)


def _drive(store: Store, url: str) -> None:
    """Have the run driven to its end by another process."""
    (fire,) = store.fires("burst", "found")
    command = [sys.executable, "-m", "fanwise", "work", "--store", url]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.perf_counter() + _PATIENCE_S
            while (run := store.run(fire.run_id or "")) is None or run.ended_at is None:
                if time.perf_counter() > deadline:
                    raise UsageError("the run of the burst doesn't end.")
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGTERM)
    (task,) = store.tasks(run.run_no)
    if task.items is None or task.items.succeeded != _EVENTS:
        raise UsageError("not all events have become items.")


def budgets(figures: EventFigures) -> list[Budget]:
    """The promised limit, beside the measured figure."""
    name = f"{_EVENTS:,} events, from the first to the end of their run"
    return [at_most(name, _WHOLE_S, "seconds", figures.whole_s)]


def render(figures: EventFigures) -> RenderableType:
    """A table of figures."""
    return figures_table(
        "events",
        ("figure",),
        [
            (f"{_EVENTS:,} emitted", show_seconds(figures.emit_s)),
            ("sorted into a batch, with its run", show_seconds(figures.decide_s)),
            ("the run, with the start of its process", show_seconds(figures.run_s)),
        ],
    )
