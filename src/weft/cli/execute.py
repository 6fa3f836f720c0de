"""Runs a plan as the command line does: watched, and open to interruption."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from weft.cli.interruption import Interruption, leave
from weft.cli.output import prints_aside
from weft.cli.progress import Watch, open_watch
from weft.engine import Engine
from weft.model import ErrorInfo, Run, Status
from weft.plan import Plan
from weft.ports import Observer, TaskProgress
from weft.wiring import Settings, open_engine


def execute(
    plan: Plan,
    parameters: Mapping[str, Any],
    settings: Settings,
    *,
    run_id: str | None = None,
    observer: Observer | None = None,
) -> Run:
    """Run `plan` to its end, or until it is paused. `observer` watches as well.

    What actions print goes to standard error. Raises what `Engine.arun` raises.
    """
    watch = open_watch()
    with open_engine(settings=settings) as engine, prints_aside(), watch.opened():
        return asyncio.run(_execute(engine, plan, parameters, run_id, watch, observer))


async def _execute(
    engine: Engine,
    plan: Plan,
    parameters: Mapping[str, Any],
    run_id: str | None,
    watch: Watch,
    observer: Observer | None,
) -> Run:
    interruption = Interruption(engine.pause, watch.say)
    observers: list[Observer] = [watch, interruption, *([observer] if observer else [])]
    ticking = asyncio.create_task(_tick(watch))
    with interruption.listening():
        try:
            return await engine.arun(plan, parameters, run_id=run_id, observer=_Together(observers))
        except asyncio.CancelledError:
            if interruption.is_forced:
                watch.say("Stopped. What was recorded by now is kept.")
                leave()
            raise
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking


async def _tick(watch: Watch) -> None:
    while True:
        await asyncio.sleep(watch.interval_s)
        watch.refresh()


class _Together:
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        for observer in self._observers:
            observer.run_started(run_id, workflow, tasks)

    def task_started(self, progress: TaskProgress) -> None:
        for observer in self._observers:
            observer.task_started(progress)

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        for observer in self._observers:
            observer.task_ended(name, status, error)

    def notice(self, text: str) -> None:
        for observer in self._observers:
            observer.notice(text)

    def run_ended(self, run: Run) -> None:
        for observer in self._observers:
            observer.run_ended(run)
