"""Runs that die and go on: a workflow, the world that it acts on, and processes that come and go.

A `Case` is a workflow with whatever happens to it. A `Life` is one run of it on one store, driven
by one process after the other. Time is that of a `JumpingLoop`: it stands still while a commit is
being written, and goes on from process to process, so that no order of events is left to the
machine.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import fanwise
from fanwise import sources
from fanwise.actions.decorator import spec_of
from fanwise.actions.resources import resources
from fanwise.catalog import ActionSpec
from fanwise.conductor import Replay
from fanwise.engine import LOCAL, Engine, Services
from fanwise.engine.claiming import ClaimingEngine
from fanwise.engine.recovery.history import read_history
from fanwise.engine.run_factory import RunFactory
from fanwise.engine.starting_point import first_state
from fanwise.engine.watch import EngineWatch
from fanwise.errors import LeaseLostError, StoreError
from fanwise.executors.local import LocalExecutor
from fanwise.model import (
    ItemOutcome,
    Limits,
    Owner,
    RequestKind,
    Run,
    RunRecord,
    Status,
    Submission,
    VisitRecord,
    inner_path,
)
from fanwise.packs.registry import ActionRegistry
from fanwise.packs.workflows import Workflows
from fanwise.plan import Plan
from fanwise.ports import Catalog, Observer, ProcessState, RerunNotes
from fanwise.stores import Store
from fanwise.system import EnvironmentSecrets
from fanwise.testing.chance import FixedChance
from fanwise.testing.clock import ManualClock
from fanwise.testing.jumping_loop import STARTS_AT, JumpingLoop
from fanwise.testing.stores import FailingStore, MemoryStore
from fanwise.testing.tiles_contract import require_exact_tiles
from tests.one_thread import OneThreadLoop

When = Literal["before", "after"]


@dataclass(frozen=True)
class Case:
    """A workflow, the workflows that it calls, and the files that it reads, by their names.

    `asks` has requests by the idempotency key, without the run, of the call during which they are
    made. With `tries_vary` the actions fail by how often they have been called, and not by the
    attempt, so that how many attempts it takes depends on how often the process dies.
    """

    text: str
    children: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    asks: Mapping[str, RequestKind] = field(default_factory=dict)
    tries_vary: bool = False


class World:
    """What actions have done outside. It outlives every process."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """Calls by the idempotency key, without the run."""
        self.done_again: list[str] = []
        """Keys of calls that were made although their outcome was recorded."""
        self.strangers: list[str] = []
        """Keys of calls that were made by a process that doesn't own the run."""
        self.times: dict[str, list[float]] = {}
        """When calls of a key were made, in seconds since the life began."""
        self.is_mended = False


def _actions(stage: Stage) -> ActionRegistry:
    """`test.do`, the one action: it gives `value`, unless it is told to do otherwise."""

    @fanwise.action("test.do")
    async def do(
        context: fanwise.ActionContext,
        value: Any = None,
        fails: bool = False,
        breaks: bool = False,
        tries: int = 1,
        calls: int = 1,
        takes: float = 0,
        sleeps: tuple[float, ...] = (),
        beside: float = 0,
    ) -> Any:
        key, world = _key(context), stage.life.world
        stage.life.note_call(key)
        if takes:
            await asyncio.sleep(takes)
        for seconds in sleeps:
            await context.sleep(seconds)
        if beside:
            await asyncio.gather(context.sleep(beside), asyncio.sleep(beside))
        if fails or (breaks and not world.is_mended):
            raise fanwise.ActionError("it fails", type="Broken")
        if context.attempt < tries:
            raise fanwise.ActionError("not yet", type="Early")
        if world.calls[key] < calls:
            raise fanwise.ActionError("not often enough", type="Early")
        return context.attempt if value == "(attempt)" else value

    registry = ActionRegistry()
    spec = spec_of(do)
    assert spec is not None
    registry.add(spec)
    return registry


def _key(context: fanwise.ActionContext) -> str:
    return context.idempotency_key.removeprefix(f"{context.run_id}/")


class Cast:
    """The processes of one life, all of them made up; implements `ports.Processes`."""

    def __init__(self) -> None:
        self._count = 0
        self._alive: Owner | None = None

    def this(self) -> Owner:
        self._count += 1
        self._alive = Owner("here", "boot", self._count, str(self._count), str(self._count))
        return self._alive

    def state(self, owner: Owner) -> ProcessState:
        return ProcessState.ALIVE if self.is_alive(owner) else ProcessState.GONE

    def is_alive(self, owner: Owner) -> bool:
        return self._alive is not None and owner.token == self._alive.token

    def die(self) -> None:
        self._alive = None


class Life:
    """One run of a case on one store, through all of its processes."""

    def __init__(self, stage: Stage, store: Store) -> None:
        self.stage = stage
        self.store = store
        self.world = World()
        self.notices: list[str] = []
        self.reruns: list[RerunNotes] = []
        self.commits = 0
        self.asks_in: tuple[int, RequestKind] | None = None
        self.asks_at: tuple[float, RequestKind] | None = None  # after so many seconds
        """A request that is made in so many calls from now, once."""
        self.calls_at: tuple[float, Callable[[], None]] | None = None
        """Something that others do after so many seconds of the next process, once."""
        self._cast = Cast()
        self._loop: JumpingLoop | None = None
        self._elapsed_s = 0.0
        self._engine: ClaimingEngine | None = None

    def start(self, **death: Any) -> Run | None:
        """What came of the run, or None if its process died."""
        return self._live(lambda engine: partial(engine.arun, self.stage.plan, run_id="r"), death)

    def resume(self, *, cancel: bool = False, **death: Any) -> Run | None:
        """The run goes on, in a new process."""
        record = self.record()
        plan = self.stage.load(record.definition)
        return self._live(
            lambda engine: partial(engine.aresume, plan, record, cancel=cancel), death
        )

    def retry(
        self, *, from_task: str | None = None, repaired: Plan | None = None, **death: Any
    ) -> Run | None:
        """What failed of the run is done again, in a new process."""
        recorded, record = self.stage.load(self.record().definition), self.record()

        def start(engine: Engine) -> Callable[..., Coroutine[Any, Any, Run]]:
            return partial(
                engine.aretry, repaired or recorded, record, recorded=recorded, from_task=from_task
            )

        return self._live(start, death)

    def submit(self) -> None:
        """Record the run for engines to take."""
        maker = RunFactory(ManualClock(self.now()), FixedChance(), EnvironmentSecrets({}))
        self.store.submit(maker.submitted(self.stage.plan, {}, "r", ()), Submission())

    def serve(self, life_s: float, **death: Any) -> None:
        """A process takes the run whenever it is pending, and is killed after so many seconds."""
        self._live(lambda engine: partial(self._serve, engine, life_s), death)

    async def _serve(self, engine: Engine, life_s: float, observer: Observer) -> None:
        assert isinstance(engine, ClaimingEngine)
        services, loop = engine._services, asyncio.get_running_loop()
        queue, end = services.queue, loop.time() + life_s

        async def load(record: RunRecord, _: str | None) -> tuple[Plan, Plan]:
            return (self.stage.load(record.definition),) * 2

        async with engine.staying() as engine_no:
            for gone in EngineWatch(services.processes, 60.0).gone(queue.engines(), loop.time()):
                queue.reap(gone.engine_no, gone.beats)
            while loop.time() < end:
                services.waits.wake_due()
                for claim in queue.claim(engine_no(), ["default"], 1):
                    async with await engine.start_claimed(claim, load, observer=observer) as run:
                        with suppress(TimeoutError):
                            await asyncio.wait_for(run.wait(), max(0.1, end - loop.time()))
                await asyncio.sleep(1)

    def note_call(self, key: str) -> None:
        """Note that an action is called, and make the request that the case has for it."""
        world = self.world
        if (
            key in world.times and key in self.recorded_keys()
        ):  # at its first call it has no outcome
            world.done_again.append(key)
        world.calls[key] += 1
        world.times.setdefault(key, []).append(asyncio.get_running_loop().time())
        lease = self.store.lease(self.record().run_no)
        if lease is None or lease.owner is None or not self._cast.is_alive(lease.owner):
            world.strangers.append(key)
        if self.asks_in is not None:
            calls, request = self.asks_in
            self.asks_in = None if calls == 1 else (calls - 1, request)
            if calls == 1:
                self.ask(request)
        request = self.stage.case.asks.get(key)
        if request is RequestKind.CANCEL or (
            request is RequestKind.PAUSE and world.calls[key] == 1
        ):
            self.ask(request)

    def go_on(self, **death: Any) -> None:
        """Resume the run, unless it has come to its end already."""
        if not self.record().status.is_final:
            self.resume(**death)

    def ask(self, request: RequestKind) -> None:
        """Ask something of the run in progress, as another process would."""
        assert self._engine is not None
        for inbox in self._engine._inboxes:
            inbox.request(request)

    def _live(
        self,
        start: Callable[[Engine], Callable[..., Coroutine[Any, Any, Run]]],
        death: Mapping[str, Any],
    ) -> Run | None:
        """Have a new process drive the run; it dies at commit `at`, before or after that."""
        at, when = death.get("at"), death.get("when", "before")
        failing = FailingStore(self.store, at or 1_000_000, when)
        loop = OneThreadLoop() if isinstance(self.store, MemoryStore) else JumpingLoop()
        loop._waits.elapsed_s = self._elapsed_s
        self._loop = loop
        if self.asks_at is not None:
            loop.call_later(self.asks_at[0], self.ask, self.asks_at[1])
            self.asks_at = None
        if self.calls_at is not None:
            loop.call_later(*self.calls_at)
            self.calls_at = None
        services = Services(
            records=failing,
            ownership=failing,
            mailbox=failing,
            queue=failing,
            waits=failing,
            arrivals=failing,
            run_slots=failing,
            shares=failing,
            kv=failing,
            executors={LOCAL: LocalExecutor(loop)},
            sources=sources,
            resources=resources,
            clock=loop,
            randomness=FixedChance(),
            processes=self._cast,
            limits=Limits(),
        )
        self._engine = ClaimingEngine(failing, services, EnvironmentSecrets({}))
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                return runner.run(start(self._engine)(observer=_Listener(self)))
        except LeaseLostError:
            raise
        except StoreError:
            assert at is not None
            return None
        finally:
            self._cast.die()
            self._elapsed_s = loop.time()
            self._loop = None
            self.commits = failing.commits
            require_exact_tiles(self.store, "r")

    def now(self) -> float:
        """The time of day at which the latest process ended, in seconds since the epoch."""
        return STARTS_AT + self._elapsed_s

    def store_now(self) -> float:
        """The time of day at this moment, which the store's clock has."""
        return STARTS_AT + (self._elapsed_s if self._loop is None else self._loop.time())

    def pass_time(self, seconds: float) -> None:
        """Let time pass while no process is there."""
        self._elapsed_s += seconds

    # What is recorded

    def record(self) -> RunRecord:
        found = self.store.run("r")
        assert found is not None
        return found

    def rows(self) -> list[VisitRecord]:
        """All visits, those within children too."""
        return [each for each in self.store.export("r") if isinstance(each, VisitRecord)]

    def items(self) -> list[tuple[VisitRecord, ItemOutcome]]:
        rows = {row.visit_no: row for row in self.rows()}
        found = [each for each in self.store.export("r") if isinstance(each, ItemOutcome)]
        return [(rows[item.visit_no], item) for item in found]

    def recorded_keys(self) -> set[str]:
        """The keys, without the run, of all work whose outcome is recorded."""
        keys = {
            f"{row.path}/{row.visit}"
            for row in self.rows()
            if row.attempts and row.status.is_final and not row.has_items
        }
        return keys | {f"{row.path}[{item.index}]/{row.visit}" for row, item in self.items()}

    def successes(self) -> dict[str, Any]:
        """The outputs of all tasks and items that have succeeded, and of steps in one that has."""
        rows = {
            f"{row.path}/{row.visit}": (inner_path(row.path, row.visit), row.output)
            for row in self.rows()
            if row.status is Status.SUCCEEDED and not row.has_items
        }
        items = {
            f"{row.path}[{item.index}]/{row.visit}": (
                f"{inner_path(row.path, row.visit)}[{item.index}]",
                item.output,
            )
            for row, item in self.items()
            if item.status is Status.SUCCEEDED
        }
        found = {**rows, **items}
        whole = {path for path, _ in found.values()}
        return {
            key: output
            for key, (path, output) in found.items()
            if all(path[:at] in whole for at, each in enumerate(path) if each == ".")
        }

    def end(self) -> dict[str, Any]:
        """All that the run came to, but for times and numbers."""
        record = self.record()
        has_tries = not self.stage.case.tries_vary
        found: dict[str, Any] = {"run": (record.status, record.output, record.error)}
        for row in self.rows():
            key = f"{row.path}/{row.visit}"
            assert key not in found, f"{key} is recorded twice"
            what = row.status, row.output, row.error, row.items
            has_tries_left = has_tries and row.status is not Status.CANCELLED
            found[key] = (*what, row.attempts) if has_tries_left else what
        for row, item in self.items():
            if item.status is Status.CANCELLED:
                continue  # which were cut off, and which never started, is a matter of time
            outcome = item.status, item.output, item.error, item.label
            key = f"{row.path}[{item.index}]/{row.visit}"
            found[key] = (*outcome, item.attempts) if has_tries else outcome
        return found

    def replayed_status(self) -> Status | None:
        """How the run ended or was paused, by its events alone."""
        plan, record = self.stage.load(self.record().definition), self.record()
        maker = RunFactory(ManualClock(), FixedChance(), EnvironmentSecrets({}))
        job = maker.recorded(plan, record, {})
        replay = Replay(plan, first_state(plan))
        for event in read_history(plan, record, job.context, self.store).events:
            replay.take(event)
        return None if replay.ended is None else replay.ended.status


class _Listener(Observer):
    def __init__(self, life: Life) -> None:
        self._life = life

    def rerun_planned(self, notes: RerunNotes) -> None:
        self._life.reruns.append(notes)

    def notice(self, text: str) -> None:
        self._life.notices.append(text)


class Stage:
    """A case that is ready to be run any number of times."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self._folder = folder
        self._actions = _actions(self)
        self._plans: dict[str, Plan] = {}
        for name, text in case.files.items():
            (folder / name).write_text(text)
        self.plan = self.load(case.text)
        self.life = self.new_life()

    def new_life(self, store: Store | None = None) -> Life:
        """A new run, in a world of its own; actions act on the newest."""
        self.life = Life(self, store or MemoryStore(lambda: self.life.store_now()))
        return self.life

    def load(self, text: str) -> Plan:
        """The plan of a workflow's text."""
        if text not in self._plans:
            files = {"flow.yaml": text, **self.case.children}
            workflows = Workflows(
                [],
                Limits(),
                import_packs=True,
                texts={str(self._folder / name): each for name, each in files.items()},
                around=lambda catalog: _Catalog(self._actions, catalog),
            )
            self._plans[text] = workflows.load(self._folder / "flow.yaml")
        return self._plans[text]


class _Catalog:
    """The test's action before all others; implements `ports.Catalog`."""

    def __init__(self, actions: ActionRegistry, catalog: Catalog) -> None:
        self._actions = actions
        self._catalog = catalog

    def get(self, name: str) -> ActionSpec | None:
        return self._actions.get(name) or self._catalog.get(name)

    def names(self) -> list[str]:
        return [*self._actions.names(), *self._catalog.names()]
