"""`fanwise serve`: keeps the clock of a project's triggers, and processes that take the runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import prints_aside

_Workers = Annotated[
    int,
    typer.Option("--workers", min=0, max=1_000, metavar="N", help="Processes that take runs."),
]
_NoWork = Annotated[bool, typer.Option("--no-work", help="Start no process: others take the runs.")]
_Concurrency = Annotated[
    int,
    typer.Option(
        "--concurrency", min=1, max=10_000, metavar="N", help="At most so many runs in each."
    ),
]


def serve(
    workers: _Workers = 1,
    no_work: _NoWork = False,
    concurrency: _Concurrency = 10,
    packs: options.Packs = None,
    executor: options.Executor = None,
    processes: options.ProcessCount = None,
    ray: options.RayAddress = None,
    store: options.StoreUrl = None,
) -> None:
    """Fire the triggers of a project, and run what they start.

    The project is that of the current folder. Its files are read again when they change; one that
    has become wrong keeps what it said before. Several servers may share a store. Ctrl-C or SIGTERM
    stops it, and the processes, which put their runs back for others.

    Exit status: 0 it was stopped, 2 the store or fanwise.yaml can't be used, 130 it was stopped
    twice.
    """
    from fanwise.cli.live.serve import serve_project
    from fanwise.service.workers import WorkerProcesses
    from fanwise.wiring import open_serving, read_settings, worker_environment

    settings = read_settings(
        store=store, packs=packs or (), executor=executor, processes=processes, ray=ray
    )
    command = [sys.executable, "-P", "-m", "fanwise", "work", "--until-eof"]
    command += ["--concurrency", str(concurrency)]
    with prints_aside():
        serve_project(
            lambda watcher: open_serving(settings, Path.cwd(), watcher),
            lambda watcher: WorkerProcesses(
                command, worker_environment(settings), 0 if no_work else workers, watcher
            ),
        )
