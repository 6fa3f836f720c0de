"""What the engine's tests share: a real engine on a real SQLite file, and a clock that jumps."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fanwise import sources
from fanwise.actions.decorator import spec_of
from fanwise.actions.resources import resources
from fanwise.definition import load
from fanwise.engine import LOCAL, Engine, Services
from fanwise.executors.local import LocalExecutor
from fanwise.model import (
    ErrorInfo,
    ItemOutcome,
    Limits,
    NamedLimit,
    Run,
    RunRecord,
    Status,
    VisitRecord,
)
from fanwise.packs.registry import ActionRegistry
from fanwise.plan import Plan, compile_plan
from fanwise.ports import Clock, Executor, Observer, Processes, RerunNotes, TaskProgress
from fanwise.stores import Store, open_store
from fanwise.system import EnvironmentSecrets, SystemClock, SystemProcesses
from fanwise.testing.chance import FixedChance
from fanwise.testing.clock import JumpingClock

sys.path.insert(0, str(Path(__file__).parent))  # so that tests import the helpers beside them


class Watcher(Observer):
    """Remembers what a run tells, and lets a test act at the moment it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.notices: list[str] = []
        self.reruns: list[RerunNotes] = []
        self.progress: dict[str, TaskProgress] = {}

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        self.told.append(("run_started", run_id))

    def task_started(self, progress: TaskProgress) -> None:
        self.told.append(("task_started", progress.name))
        self.progress[progress.name] = progress

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        self.told.append(("task_ended", name, status.value))

    def rerun_planned(self, notes: RerunNotes) -> None:
        self.reruns.append(notes)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def run_ended(self, run: Run) -> None:
        self.told.append(("run_ended", run.status.value))


class Loom:
    """Runs workflows given as text, with the test's own functions as actions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: Store = open_store(str(folder / "fanwise.db"))
        self.clock: Clock = JumpingClock()
        self.limits = Limits()
        self.named_limits: Sequence[NamedLimit] = ()
        self.environment: Mapping[str, str] = {}
        self.watcher = Watcher()
        self.engine: Engine | None = None
        self.chance = FixedChance()
        self.processes: Processes = SystemProcesses()
        self.executors: Mapping[str, Executor] = {}

    def run(
        self, text: str, *actions: Callable[..., Any], parameters: Mapping[str, Any] | None = None
    ) -> Run:
        """The run of a workflow in listed order; never raises for one that fails."""
        return asyncio.run(self.arun(text, *actions, parameters=parameters))

    async def arun(
        self,
        text: str,
        *actions: Callable[..., Any],
        parameters: Mapping[str, Any] | None = None,
        run_id: str | None = None,
    ) -> Run:
        plan = self.plan(text, *actions)
        self.engine = self.make_engine()
        return await self.engine.arun(plan, parameters, run_id=run_id, observer=self.watcher)

    def make_engine(self) -> Engine:
        """A new engine, as another process would have, on the same store."""
        return Engine(self.store, self.services(), EnvironmentSecrets(self.environment))

    def services(self) -> Services:
        return Services(
            records=self.store,
            ownership=self.store,
            mailbox=self.store,
            queue=self.store,
            waits=self.store,
            arrivals=self.store,
            run_slots=self.store,
            shares=self.store,
            kv=self.store,
            executors=self.executors or {LOCAL: LocalExecutor(self.clock)},
            sources=sources,
            resources=resources,
            clock=self.clock,
            randomness=self.chance,
            processes=self.processes,
            limits=self.limits,
        )

    def resume(self, text: str, *actions: Callable[..., Any], **options: Any) -> Run:
        """Go on with the newest run."""
        self.engine = self.make_engine()
        plan, record = self.plan(text, *actions), self.record()
        return asyncio.run(self.engine.aresume(plan, record, observer=self.watcher, **options))

    def retry(
        self, text: str, *actions: Callable[..., Any], recorded: str | None = None, **options: Any
    ) -> Run:
        """Do again what failed of the newest run, which was recorded with the text `recorded`."""
        self.engine = self.make_engine()
        plan, record = self.plan(text, *actions), self.record()
        old = None if recorded is None else self.plan(recorded, *actions)
        return asyncio.run(
            self.engine.aretry(plan, record, recorded=old, observer=self.watcher, **options)
        )

    def record(self) -> RunRecord:
        """The newest run, as recorded."""
        found = self.store.run(self.store.runs(limit=1)[0].id)
        assert found is not None
        return found

    def plan(self, text: str, *actions: Callable[..., Any]) -> Plan:
        registry = ActionRegistry()
        for function in actions:
            spec = spec_of(function)
            assert spec is not None
            registry.add(spec)
        definition = load(text, file=str(self.folder / "flow.yaml"), limits=self.limits)
        return compile_plan(
            definition, registry, limits=self.limits, named_limits=self.named_limits
        )

    def use_real_time(self) -> None:
        """For actions whose real work takes time, such as threads."""
        self.clock = SystemClock()

    def rows(self) -> list[VisitRecord]:
        """The tasks of the newest run, as recorded."""
        return list(self.store.tasks(self._run_no()))

    def items(self, visit_no: int = 1, **filters: Any) -> list[ItemOutcome]:
        """The items of a task of the newest run, as recorded."""
        return list(self.store.items(self._run_no(), visit_no, **{"limit": 100_000, **filters}))

    def _run_no(self) -> int:
        return self.store.runs(limit=1)[0].run_no


@pytest.fixture
def loom(tmp_path: Path) -> Iterator[Loom]:
    loom = Loom(tmp_path)
    yield loom
    loom.store.close()
