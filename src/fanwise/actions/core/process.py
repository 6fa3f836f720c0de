"""Running a process for `core.shell`, with everything that it starts, and never leaving any of it.

The process leads a session, and so a process group, of its own. When it has ended, or when its
caller gives up, the whole group is killed; if fanwise itself is killed, by a `Reaper`. Lines are
printed as they come, so they are in the attempt's log. A
process that has left the group and still holds the output open can't delay the end: what it has
written by then counts.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from time import perf_counter
from typing import NamedTuple, cast

from fanwise.actions.core._shared import decoded
from fanwise.actions.core.reaper import MARK, Reaper
from fanwise.actions.resources import loop_resource
from fanwise.errors import ActionError

_DRAIN_S = 1.0
"""The time after the end of the process for which its output may be held open."""


class Finished(NamedTuple):
    """The end of a process: `exit_code` is below 0 for a signal."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float


async def run_process(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: str | None,
    input: bytes,
    timeout_s: float | None,
    max_bytes: int,
) -> Finished:
    """Run a program to its end. Raises `ActionError` if it can't be, or isn't, run to its end."""
    started = perf_counter()
    loop = asyncio.get_running_loop()
    try:
        reaper = loop_resource(Reaper, Reaper.close)
        async with asyncio.timeout(timeout_s):
            mark = reaper.begin()
            try:
                transport, process = await loop.subprocess_exec(
                    lambda: _Process(max_bytes),
                    *arguments,
                    env={**environment, MARK: mark},
                    cwd=cwd,
                    stdin=asyncio.subprocess.PIPE if input else asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError:
                reaper.failed(mark)
                raise
            group = transport.get_pid()
            reaper.watch(mark, group)
            try:
                process.feed(input)
                await process.ended.wait()
            finally:
                process.kill()
                try:
                    await process.ended.wait()
                finally:
                    reaper.forget(group)
                    transport.close()
    except TimeoutError:
        raise _failure("Timeout", f"it took longer than {timeout_s:g} seconds") from None
    except OSError as error:
        raise _not_started(error) from None
    if process.is_too_large:
        raise ActionError(
            f"core.shell: it wrote more than {max_bytes} bytes. Write less, write to a file, or "
            "raise max_bytes and limits.result_bytes.",
            type="OutputTooLarge",
            data={"max_bytes": max_bytes},
            retry=False,
        )
    return Finished(
        exit_code=cast("int", transport.get_returncode()),
        stdout=decoded(bytes(process.output[1])),
        stderr=decoded(bytes(process.output[2])),
        seconds=perf_counter() - started,
    )


class _Process(asyncio.SubprocessProtocol):
    """Collects what a process writes, and kills its group in time."""

    def __init__(self, max_bytes: int) -> None:
        self.output = {1: bytearray(), 2: bytearray()}
        self.ended = asyncio.Event()
        self.is_too_large = False
        self._max_bytes = max_bytes
        self._printed = {1: 0, 2: 0}  # bytes
        self._context = copy_context()  # of the attempt, whose log is in it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def feed(self, input: bytes) -> None:
        """Give the process its standard input."""
        pipe = self._transport.get_pipe_transport(0)
        if pipe is not None:
            stdin = cast("asyncio.WriteTransport", pipe)
            stdin.write(input)
            stdin.close()

    def kill(self) -> None:
        """Kill the process and all others of its group."""
        if not self.ended.is_set():
            # None may be left, or what is left may have become another user's.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), signal.SIGKILL)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        output = self.output[fd]
        end = data.rfind(b"\n") + 1
        whole = len(output) + end if end else 0
        output += data
        if len(output) > self._max_bytes:
            del output[self._max_bytes :]
            self.is_too_large = True
            self.kill()
        self._print(fd, whole)

    def _print(self, fd: int, end: int) -> None:
        """Print what isn't printed yet of the first `end` bytes of a stream."""
        start = self._printed[fd]
        if end > start:
            self._printed[fd] = end
            text = bytes(self.output[fd][start:end]).decode(errors="replace")
            stream = sys.stdout if fd == 1 else sys.stderr
            self._context.run(stream.write, text)

    def process_exited(self) -> None:
        self.kill()
        loop = asyncio.get_running_loop()
        self._drain = loop.call_later(_DRAIN_S, self._transport.close)

    def connection_lost(self, _error: Exception | None) -> None:
        self._drain.cancel()
        for fd, output in self.output.items():
            self._print(fd, len(output))
        self.ended.set()


def _not_started(error: OSError) -> ActionError:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return _failure("NotFound", "there is no such program or folder", retry=False)
        case PermissionError():
            return _failure("PermissionDenied", "the program can't be executed", retry=False)
        case _:
            return _failure("CommandFailed", (error.strerror or "it can't be started").lower())


def _failure(type: str, what: str, *, retry: bool = True) -> ActionError:
    return ActionError(f"core.shell: {what}.", type=type, retry=retry)
