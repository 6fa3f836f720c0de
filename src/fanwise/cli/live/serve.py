"""Serving a project: its clock, HTTP, and the processes that take runs; a line for what happens."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from fanwise.cli.leaving import INTERRUPTED, leave
from fanwise.cli.live.interruption import KEPT, Interruption
from fanwise.cli.live.telling import Teller
from fanwise.cli.text.output import say
from fanwise.cli.text.render import count
from fanwise.model import FireStatus, NewFire
from fanwise.reports.plain import clean
from fanwise.service.watcher import ServiceWatcher
from fanwise.service.workers import WorkerProcesses

if TYPE_CHECKING:
    from fanwise.server.app import HttpServer
    from fanwise.telemetry.serving import ServerCounts
    from fanwise.wiring import Serving

OpenServing = Callable[[ServiceWatcher], AbstractContextManager["Serving"]]
OpenHttp = Callable[["Serving"], "HttpServer | None"]
StartWorkers = Callable[[ServiceWatcher], WorkerProcesses]


class _Part(Protocol):
    """A part that runs until it is told to stop."""

    async def run(self) -> None: ...

    def stop(self) -> None: ...


def serve_project(
    open_serving: OpenServing,
    open_http: OpenHttp,
    workers: StartWorkers,
    counts: ServerCounts,
    tell: Teller,
) -> None:
    """Serve until a signal comes.

    Raises `StoreError`, and `UsageError` for a port that is taken.
    """
    asyncio.run(_serve(open_serving, open_http, workers, counts, tell))


async def _serve(
    open_serving: OpenServing,
    open_http: OpenHttp,
    workers: StartWorkers,
    counts: ServerCounts,
    tell: Teller,
) -> None:
    watcher = counts.watcher(_Lines(tell))
    with open_serving(watcher) as serving:
        http = open_http(serving)
        processes = workers(watcher)
        parts: list[_Part] = [serving.clock, processes]
        if http is not None:
            parts.append(http)

        def stop() -> None:
            for part in parts:
                part.stop()

        interruption = Interruption(stop, lambda text: tell(text, "interrupted"))
        with interruption.listening():
            where = "" if http is None else f" at {http.parts.site.url}"
            many = count(len(serving.project.triggers), "trigger")
            tell(
                f"Serving {many}{where}; Ctrl-C stops.",
                "serving",
                triggers=len(serving.project.triggers),
                url=None if http is None else http.parts.site.url,
            )
            if http is not None and tell.lines is None and sys.stderr.isatty():
                from fanwise.server.opening import sign_in_link

                say(f"Sign in, once and within five minutes: {sign_in_link(http)}")
            try:
                async with asyncio.TaskGroup() as group:
                    for part in parts:
                        group.create_task(part.run())
            except asyncio.CancelledError:
                if interruption.is_forced:
                    processes.kill()
                    tell(f"Stopped. {KEPT}", "stopped", level="warning")
                    leave(INTERRUPTED)
                raise
    tell("Stopped.", "stopped")


class _Lines(ServiceWatcher):
    """Lines about what happens."""

    def __init__(self, tell: Teller) -> None:
        self._tell = tell

    def fired(
        self, workflow: str, name: str, fires: Sequence[NewFire], runs: Sequence[str]
    ) -> None:
        who = clean(f"{workflow}/{name}")
        names = {"workflow": workflow, "trigger": name}
        if runs:
            self._tell(f"{who}  fired: {' '.join(runs)}", "fired", runs=list(runs), **names)
        for fire in fires:
            if fire.status is not FireStatus.RAN:
                many = f"{fire.n:,} times " if fire.n > 1 else ""
                text = f"{who}  {many}{fire.status.value}: {clean(fire.reason)}"
                self._tell(text, "fired_without_run", status=fire.status.value, n=fire.n, **names)

    def problem(self, text: str) -> None:
        text = clean(text)
        self._tell(f"{text} What it said before holds on.", "bad_file", level="error", problem=text)

    def is_well(self) -> None:
        self._tell("All files of the project are right again.", "files_right")

    def failed(self, text: str) -> None:
        text = clean(text)
        self._tell(f"{text} It is tried again.", "failed", level="error", problem=text)

    def worker_started(self, pid: int) -> None:
        self._tell(f"Process {pid} takes runs.", "worker_started", pid=pid)

    def worker_ended(self, pid: int, status: int) -> None:
        why = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self._tell(
            f"Process {pid} {why}; another one is started in its place.",
            "worker_ended",
            level="error",
            pid=pid,
            status=status,
        )
