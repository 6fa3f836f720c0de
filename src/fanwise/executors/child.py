"""A child process that runs `fanwise.worker`: how it is started, spoken with, and ended.

It leads a session of its own, so that no Ctrl-C reaches it, and a process group, so that what its
actions have started is killed with it. It ends when it reads the end of its socket, which no other
process holds open; on Linux the kernel kills it as well if the thread that started it ends.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from importlib.metadata import version
from typing import Final

from fanwise.executors.channel import Channel
from fanwise.executors.frames import (
    PROTOCOL,
    Hello,
    Refused,
    ToWorker,
    Welcome,
    decode_from_worker,
    encode_message,
)
from fanwise.executors.marks import SIZE_BYTES, Marks
from fanwise.executors.workers import Guest, ServingWorker, WorkerEnd

_END_S: Final = 2.0
"""The time for which a process may take to end by itself."""


class Child(ServingWorker):
    """A process. Implements `pool.PooledWorker`. `gone` is called when it has died.

    With `pass_on` its messages go there, encoded, and not to its guests, who hear of its end alone.
    With `dies_with_thread`, by default that of the main thread, it doesn't outlive its thread.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        most_attempts: int,
        gone: Callable[[Child], None],
        *,
        dies_with_thread: bool | None = None,
        pass_on: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__(most_attempts)
        ours, its = socket.socketpair()
        with ExitStack() as started, its, tempfile.TemporaryFile() as memory:
            started.enter_context(ours)
            memory.truncate(SIZE_BYTES)
            ends = (its.fileno(), memory.fileno())
            if dies_with_thread is None:
                dies_with_thread = threading.current_thread() is threading.main_thread()
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "fanwise.worker"),
                    *map(str, ends),
                    str(os.getpid() if dies_with_thread else 0),
                ],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=ends,
                start_new_session=True,
            )
            self._marks = Marks(memory.fileno())
            started.pop_all()
        self._channel = Channel(ours, self._heard, self._lost)
        self._gone = gone
        self._pass_on = pass_on
        self._is_greeted = False
        self._is_killed = False
        self.send(Welcome(tuple(sys.path)))

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """True if it can be sent attempts."""
        return self._channel.is_open and not self._is_killed and self._process.poll() is None

    def join(self, visit: int, guest: Guest) -> None:
        """Pass on the messages of a visit to `guest`."""
        super().join(visit, guest)
        self._channel.attach(asyncio.get_running_loop())

    def leave(self, visit: int) -> None:
        """Pass them on no more."""
        super().leave(visit)
        if self.is_idle:
            self._channel.detach()

    def send(self, message: ToWorker) -> None:
        """Send a message. It is lost if the process has died."""
        self._count(message)
        self._channel.send(encode_message(message))

    def send_encoded(self, message: bytes) -> None:
        """Send a message that is encoded, whose attempts aren't counted."""
        self._channel.send(message)

    def running(self) -> frozenset[int] | None:
        """The numbers of the attempts that it ran when it died, or None if some aren't known."""
        return self._marks.running()

    def kill(self) -> None:
        """End it at once, with all that its actions have started in its process group."""
        self._is_killed = True
        if self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let it end."""
        self._channel.close()

    def pause(self) -> None:
        """Read no more of it until a visit joins, or `unpause`."""
        self._channel.detach()

    def unpause(self) -> None:
        """Read on."""
        self._channel.attach(asyncio.get_running_loop())

    @property
    def has_ended(self) -> bool:
        """True once it has ended."""
        return self._process.poll() is not None

    def wait(self) -> None:
        """Wait for its end, which comes soon or is made to come."""
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def _heard(self, data: bytes) -> None:
        if self._pass_on is not None and self._is_greeted:
            self._pass_on(data)
            return
        message = decode_from_worker(data)
        if type(message) is Hello:
            self._is_greeted = True
            self._check(message)
        else:
            self._pass_to_guest(message)

    def _check(self, hello: Hello) -> None:
        """Refuse a process of another version, which was installed while the engine runs."""
        ours = (PROTOCOL, version("fanwise"), platform.python_version())
        if (hello.protocol, hello.fanwise, hello.python) == ours:
            return
        message = (
            f"worker processes have fanwise {hello.fanwise} and Python {hello.python}, and the "
            f"process that drives the run has fanwise {ours[1]} and Python {ours[2]}."
        )
        for visit, guest in [*self._guests.items()]:
            guest.heard(self, Refused(visit, message, "Start the run's process again."))
        self.kill()

    def _lost(self) -> None:
        """Find out how it has ended, once the kernel knows.

        A process that closes its socket is about to end, or will never be heard of again.
        """
        self.kill()
        self._ending = asyncio.get_running_loop().create_task(self._tell_end())

    async def _tell_end(self) -> None:
        end = _end_of(await asyncio.to_thread(self._process.wait))
        guests = self._dismiss()
        self._gone(self)
        for guest in guests.values():
            guest.lost(self, end)
        self._marks.close()


def _end_of(code: int) -> WorkerEnd:
    if code >= 0:
        return WorkerEnd(f"ended by itself with exit status {code}", exit_status=code)
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:  # a real-time signal
        name = ""
    return WorkerEnd(f"was killed by signal {-code}{name}", signal=-code)
