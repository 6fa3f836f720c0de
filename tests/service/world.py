"""A project in a folder of its own, with a store whose clock the test moves, and its servers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from fanwise.engine.run_factory import RunFactory
from fanwise.engine.triggered import TriggeredRuns
from fanwise.errors import StoreError
from fanwise.model import FireRecord, FireStatus, Limits, NewFire, OpenFire, Status
from fanwise.packs.projects import project_stamp
from fanwise.service.clock import TriggerClock
from fanwise.service.deciders import all_deciders
from fanwise.service.folders import Folders
from fanwise.service.projects import WatchedProject
from fanwise.service.watcher import ServiceWatcher
from fanwise.stores import Store
from fanwise.system import EnvironmentSecrets, SystemChance, SystemProcesses
from fanwise.testing.clock import ManualClock
from fanwise.testing.stores import MemoryStore, StoreWrapper
from fanwise.wiring import load_triggers, read_settings
from fanwise.wiring.serving import Serving

FLOW = """
name: report
on:
  each:
    schedule: {{every: 10s{more}}}
    parameters: {{day: "{{{{ trigger.scheduled_at }}}}"}}
parameters: {{day: {{required: true}}}}
tasks: [{{name: a, action: core.noop}}]
"""
START = 1_800_000_000.0


class Lines(ServiceWatcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.failures: list[str] = []
        self.runs: list[str] = []
        self.without_run: list[str] = []
        self.is_right = 0

    def fired(
        self, workflow: str, name: str, fires: Sequence[NewFire], runs: Sequence[str]
    ) -> None:
        self.runs += runs
        self.without_run += [
            f"{each.status.value}: {each.reason}"
            for each in fires
            if each.status is not FireStatus.RAN
        ]

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def is_well(self) -> None:
        self.is_right += 1

    def failed(self, text: str) -> None:
        self.failures.append(text)


class DyingStore(StoreWrapper):
    """Its process dies before or after a turn is recorded."""

    def __init__(self, store: Store, *, after: bool, at: int) -> None:
        super().__init__(store)
        self._after = after
        self._left = at

    def take_turns(self, turns: Sequence[object]) -> object:
        self._left -= 1
        if self._left == 0:
            if self._after:
                super().take_turns(turns)  # type: ignore[arg-type]
            raise StoreError("killed")
        return super().take_turns(turns)  # type: ignore[arg-type]


class World:
    """A project's folder and its store, at a time that goes on when the test says so."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self.folder = folder
        self.clock = ManualClock(START)
        self.store = store or MemoryStore(self.clock.now)
        self.lines = Lines()
        self.limits = Limits()
        self.processes = SystemProcesses()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name.replace("_yaml", ".yaml")).write_text(text)

    def server(self) -> TriggerClock:
        return self.serving().clock

    def serving(self) -> Serving:
        settings = read_settings(environment={"FANWISE_STORE": "unused"})
        factory = RunFactory(self.clock, SystemChance(), EnvironmentSecrets({}))
        project = WatchedProject(
            lambda: load_triggers(settings, self.folder),
            lambda files: project_stamp(self.folder, files),
            self.lines,
        )
        runs = TriggeredRuns(factory, str(self.folder), ())
        deciders = all_deciders(
            self.store,
            runs.make,
            self.processes,
            self.clock,
            self.limits,
            str(self.folder),
            Folders(self.clock, lambda work: work()),
        )
        clock = TriggerClock(self.store, project, deciders, self.clock, self.lines)
        return Serving(clock, project, self.store, runs)

    def fires(self, name: str = "each", workflow: str = "report") -> list[FireRecord]:
        """All fires, the oldest first."""
        return list(self.store.fires(workflow, name, most=2_000))[::-1]

    def open(self) -> Sequence[OpenFire]:
        return self.store.open_fires("report", "each")

    def end(self, run_id: str, status: Status = Status.SUCCEEDED) -> None:
        """End a run as an engine would."""
        found = self.store.run(run_id)
        assert found is not None
        self.store.commit([replace(found, status=status, ended_at=self.clock.now())])
