"""The place where the contract of executors runs workflows: an engine, a store, a pack, some pipes.

Actions of the pack report by files and named pipes in the folder of the test: see `executor_pack`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from fanwise.engine import LOCAL, PROCESS, Engine
from fanwise.model import ItemOutcome, Limits, LogEntry, Run
from fanwise.plan import Plan
from fanwise.ports import Clock, Executor, Observer, TaskProgress
from fanwise.stores import Store, open_store
from fanwise.system import SystemClock
from fanwise.values import Json, decode
from fanwise.wiring import Settings, build_engine, load_plan

_PACK: Final = Path(__file__).parent / "executor_pack" / "actions.py"
_ALL: Final = 4_096  # bytes: more than there are actions that wait at a gate


class Workbench:
    """Runs workflows of one test's own, with all of their attempts in the executor under test."""

    def __init__(
        self, folder: Path, open_executor: Callable[[Clock], AbstractContextManager[Executor]]
    ) -> None:
        self.folder = folder
        self.limits = Limits()
        self.environment: dict[str, str] = {}
        self.observer = _Opening(self)
        self._open = open_executor
        self._pipes = {}
        pack = folder / "packs" / "contract"
        pack.mkdir(parents=True)
        shutil.copy(_PACK, pack)
        for name in ("gate", "door", "arrived"):
            os.mkfifo(folder / name)
            self._pipes[name] = os.open(folder / name, os.O_RDWR | os.O_NONBLOCK)
        self.store: Store = open_store(str(folder / "fanwise.db"))

    def close(self) -> None:
        """Let all actions go that still wait, and close files."""
        self.open_gate()
        self.store.close()
        for pipe in self._pipes.values():
            os.close(pipe)

    def open_gate(self) -> None:
        """Let all actions go on that wait at the gate."""
        os.write(self._pipes["gate"], b"." * _ALL)

    async def arrivals(self, count: int) -> None:
        """Return once so many actions have come to the gate."""
        loop, has_byte = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._pipes["arrived"], has_byte.set)
        try:
            while count > 0:
                await has_byte.wait()
                has_byte.clear()
                with suppress(BlockingIOError):  # the loop may tell of a byte more than once
                    count -= len(os.read(self._pipes["arrived"], count))
        finally:
            loop.remove_reader(self._pipes["arrived"])

    def most_at_once(self) -> int:
        """The most attempts that ran at any moment, as they have noted it themselves."""
        running = most = 0
        for mark in self._marks():
            running += 1 if mark == "+" else -1
            most = max(most, running)
        return most

    def starts(self) -> int:
        """The number of attempts that have begun."""
        return self._marks().count("+")

    def forget_marks(self) -> None:
        """Let starts count from 0 again."""
        (self.folder / "marks").unlink()

    def _marks(self) -> str:
        file = self.folder / "marks"
        return file.read_text() if file.exists() else ""

    def plan(self, text: str) -> Plan:
        """The plan of a workflow; `FOLDER` in it stands for the folder of pipes and marks."""
        file = self.folder / "flow.yaml"
        file.write_text(text.replace("FOLDER", str(self.folder)))
        return load_plan(file, self._settings())

    def run(self, text: str) -> Run:
        """The end of a run of a workflow."""

        async def run() -> Run:
            async with self.engine() as engine:
                return await engine.arun(self.plan(text), observer=self.observer)

        return asyncio.run(run())

    def during(self, body: Callable[[Engine], Awaitable[None]]) -> None:
        """Do something with an engine of the test's own."""

        async def act() -> None:
            async with self.engine() as engine:
                await body(engine)

        asyncio.run(act())

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Engine]:
        """An engine with the executor under test for all visits, whose pauses cut attempts off."""
        clock = SystemClock()
        with self._open(clock) as executor:
            yield build_engine(
                self.store,
                self._settings(),
                clock=clock,
                executors={LOCAL: executor, PROCESS: executor},
                grace_s=0.0,
            )

    def _settings(self) -> Settings:
        return Settings(store="", limits=self.limits, environment=self.environment)

    @property
    def pack(self) -> Path:
        """The file of the actions."""
        return self.folder / "packs" / "contract" / "actions.py"

    def items(self) -> list[ItemOutcome]:
        """The items of the newest run's first task."""
        return list(self.store.items(self._run_no(), 1, limit=10_000))

    def errors(self) -> dict[int, Mapping[str, Json]]:
        """The errors of its failed items, by their indexes."""
        return {item.index: decode(item.error) for item in self.items() if item.error}

    def logs(self) -> list[LogEntry]:
        """The logs of the newest run."""
        return list(self.store.logs(self._run_no()))

    def _run_no(self) -> int:
        return self.store.runs(limit=1)[0].run_no


class _Opening(Observer):
    """Opens the gate when it hears that a call can't be stopped, which would wait for ever.

    `started` has the counters of tasks.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self.started: list[TaskProgress] = []

    def task_started(self, progress: TaskProgress) -> None:
        self.started.append(progress)

    def notice(self, text: str) -> None:
        if "overrun" in text:
            self._bench.open_gate()
