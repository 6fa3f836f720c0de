"""A child process of an engine: `python -m fanwise.worker SOCKET MARKS PARENT`.

The first two are numbers of open files: the socket to the engine, and the memory of `Marks`. PARENT
is the process with whose thread this one ends, or 0.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import Final, NoReturn

from fanwise.engine.capture import capturing
from fanwise.executors.channel import Channel
from fanwise.executors.frames import (
    FromWorker,
    ToWorker,
    Welcome,
    decode_to_worker,
    encode_message,
)
from fanwise.executors.marks import Marks
from fanwise.worker.session import Session

_PR_SET_PDEATHSIG: Final = 1


class Process:
    """A session over a socket."""

    def __init__(self, end: socket.socket, marks: Marks) -> None:
        self._channel = Channel(end, self._heard, self._lost)
        self._session = Session(self._send, marks, self._end, self._unsent_bytes)

    def start(self) -> None:
        """Serve on the running event loop."""
        self._channel.attach(asyncio.get_running_loop())
        self._session.start()

    def _heard(self, data: bytes) -> None:
        message: ToWorker = decode_to_worker(data)
        if isinstance(message, Welcome):
            sys.path[:] = message.module_folders
        else:
            self._session.receive(message)

    def _send(self, message: FromWorker) -> None:
        self._channel.send(encode_message(message))

    def _unsent_bytes(self) -> int:
        return self._channel.unsent_bytes

    def _end(self) -> NoReturn:
        """End although an action runs, once all messages are sent."""
        with suppress(OSError):  # the engine has ended
            self._channel.flush()
        os._exit(0)

    def _lost(self) -> NoReturn:
        """End with the engine, whatever runs here."""
        os._exit(0)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread of `parent` that started it ends."""
    if not parent or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _stay() -> None:
    """Leave it to the engine to stop at a signal that its whole group, or its service, gets.

    Programs that actions start don't inherit a handler, as they would inherit that it is ignored.
    """
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: None)


async def _serve(end: socket.socket, marks: Marks) -> None:
    Process(end, marks).start()
    await asyncio.get_running_loop().create_future()


def main() -> None:
    """Read the command line, and serve until the engine ends."""
    file, memory, parent = map(int, sys.argv[1:])
    die_with(parent)
    _stay()
    end = socket.socket(fileno=file)
    end.set_inheritable(False)
    marks = Marks(memory)
    os.close(memory)
    with capturing():
        asyncio.run(_serve(end, marks))


if __name__ == "__main__":
    main()
