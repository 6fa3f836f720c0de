"""Processes that take runs: started, watched, and started again when they end by themselves.

Each is another `fanwise work`, in a session of its own, so that Ctrl-C on a terminal reaches only
this process. Each holds the other end of a pipe, so it stops by itself if this process is killed,
and writes lines about its work to another one, whose descriptor its option `--report-to` names.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BufferedReader
from typing import Final

from fanwise.service.watcher import ServiceWatcher

_FIRST_S: Final = 1.0
_LONGEST_S: Final = 60.0
_LINE_BYTES: Final = 2**20
_LIVED_S: Final = 60.0
"""After so long a life the wait begins with the shortest again."""


class WorkerProcesses:
    """Keeps `count` processes of a command running, until they are stopped."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        count: int,
        watcher: ServiceWatcher,
    ) -> None:
        self._command = command
        self._environment = environment
        self._count = count
        self._watcher = watcher
        self._stop = asyncio.Event()
        self._running: set[asyncio.subprocess.Process] = set()

    def stop(self) -> None:
        """Ask all processes to end; `run` returns once they have."""
        self._stop.set()
        for process in self._running:
            with suppress(ProcessLookupError):
                process.terminate()

    def kill(self) -> None:
        """End all processes at once; their runs are taken up by others."""
        for process in self._running:
            with suppress(ProcessLookupError):
                process.kill()

    async def run(self) -> None:
        """Keep the processes running until `stop`."""
        await asyncio.gather(*(self._keep() for _ in range(self._count)))

    async def _keep(self) -> None:
        wait_s = _FIRST_S
        clock = asyncio.get_running_loop()
        while not self._stop.is_set():
            began = clock.time()
            try:
                await self._run_one()
            except OSError as error:  # such as too many processes
                self._watcher.failed(f"No process could be started: {error.strerror}.")
            wait_s = _FIRST_S if clock.time() - began >= _LIVED_S else wait_s
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s)
            wait_s = min(2 * wait_s, _LONGEST_S)

    async def _run_one(self) -> None:
        """Start a process, and return once it has ended. Raises `OSError` if it can't be."""
        read, write = os.pipe()
        with os.fdopen(read, "rb") as reports:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    "--report-to",
                    str(write),
                    stdin=asyncio.subprocess.PIPE,
                    env=dict(self._environment),
                    start_new_session=True,
                    pass_fds=[write],
                )
            finally:
                os.close(write)
            self._running.add(process)
            self._watcher.worker_started(process.pid)
            if self._stop.is_set():  # which it wasn't there to hear
                process.terminate()
            hearing = asyncio.create_task(self._hear(process.pid, reports))
            status = await process.wait()
            await hearing
        self._running.discard(process)
        if not self._stop.is_set():
            self._watcher.worker_ended(process.pid, status)

    async def _hear(self, pid: int, reports: BufferedReader) -> None:
        """Pass on the lines of a process, up to its end."""
        reader = asyncio.StreamReader(limit=_LINE_BYTES)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), reports)
        while line := await reader.readline():
            self._watcher.worker_reported(pid, line)
