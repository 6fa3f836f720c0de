"""Serving a project: its clock and the processes that take runs, with a line for what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from fanwise.cli.leaving import INTERRUPTED, leave
from fanwise.cli.live.interruption import KEPT, Interruption
from fanwise.cli.text.output import say
from fanwise.cli.text.render import count
from fanwise.model import FireStatus, NewFire
from fanwise.reports.plain import clean
from fanwise.service.clock import TriggerClock
from fanwise.service.projects import WatchedProject
from fanwise.service.watcher import ServiceWatcher
from fanwise.service.workers import WorkerProcesses

OpenServing = Callable[
    [ServiceWatcher], AbstractContextManager[tuple[TriggerClock, WatchedProject]]
]


def serve_project(
    open_serving: OpenServing, workers: Callable[[ServiceWatcher], WorkerProcesses]
) -> None:
    """Serve until a signal comes. Raises `StoreError`."""
    asyncio.run(_serve(open_serving, workers))


async def _serve(
    open_serving: OpenServing, workers: Callable[[ServiceWatcher], WorkerProcesses]
) -> None:
    lines = _Lines()
    with open_serving(lines) as (clock, project):
        processes = workers(lines)

        def stop() -> None:
            clock.stop()
            processes.stop()

        interruption = Interruption(stop, say)
        with interruption.listening():
            say(f"Serving {count(len(project.triggers), 'trigger')}; Ctrl-C stops.")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(clock.run())
                    group.create_task(processes.run())
            except asyncio.CancelledError:
                if interruption.is_forced:
                    processes.kill()
                    say(f"Stopped. {KEPT}")
                    leave(INTERRUPTED)
                raise
    say("Stopped.")


class _Lines(ServiceWatcher):
    """Lines about what happens."""

    def fired(
        self, workflow: str, name: str, fires: Sequence[NewFire], runs: Sequence[str]
    ) -> None:
        who = clean(f"{workflow}/{name}")
        if runs:
            say(f"{who}  fired: {' '.join(runs)}")
        for fire in fires:
            if fire.status is not FireStatus.RAN:
                many = f"{fire.n:,} times " if fire.n > 1 else ""
                say(f"{who}  {many}{fire.status.value}: {clean(fire.reason)}")

    def problem(self, text: str) -> None:
        say(f"{clean(text)} What it said before holds on.")

    def is_well(self) -> None:
        say("All files of the project are right again.")

    def failed(self, text: str) -> None:
        say(f"{clean(text)} It is tried again.")

    def worker_started(self, pid: int) -> None:
        say(f"Process {pid} takes runs.")

    def worker_ended(self, pid: int, status: int) -> None:
        why = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        say(f"Process {pid} {why}; another one is started in its place.")
