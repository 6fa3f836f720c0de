"""An engine's side of its bridge to a Ray cluster, and the workers behind that.

The bridge is a process of its own; see `fanwise.worker.ray_bridge`. It ends when it reads the end
of its socket, and with it all that it has started.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

from fanwise.errors import WorkerRefusedError
from fanwise.executors.channel import Channel
from fanwise.executors.frames import (
    Hello,
    Open,
    Refused,
    ToWorker,
    decode_from_worker,
    encode_message,
)
from fanwise.executors.pool import ProcessPool
from fanwise.executors.ray_frames import (
    Begin,
    Connect,
    Declined,
    End,
    Forget,
    FromHost,
    Heard,
    Keep,
    Kill,
    Lost,
    Prepare,
    Prepared,
    Start,
    Tell,
    ToBridge,
    Unprepared,
    decode_from_bridge,
    encode,
)
from fanwise.executors.workers import ServingWorker, WorkerEnd
from fanwise.ports import PortableCall

_ANSWER_S: Final = 90.0
"""The time in which a cluster has to answer: a local one is started, and may wait for a CPU."""

_END_S: Final = 5.0

_LEAST_S: Final = 0.010
"""The work that is worth a way to a worker of the cluster, which takes about as long."""

_OURS: Final = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it warns, and hides GPUs from hosts
    "RAY_gcs_rpc_server_reconnect_timeout_s": "20",  # before the cluster is taken for gone
}
_LOCAL: Final = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listen on the loopback address alone
    "RAY_USAGE_STATS_ENABLED": "0",
}
_ELSEWHERE: Final = {
    "RAY_gcs_server_port_wait_time_s": "5",  # for tries to join a cluster that does listen
}
_GONE_HINT: Final = (
    "Once it is back, `fanwise retry` makes what is left; so does it with --executor process."
)


def _with_settings(environment: Mapping[str, str], address: str | None) -> dict[str, str]:
    """The variables of the bridge: the caller's, and settings of Ray for its use here."""
    if address is None:
        return {**environment, **_OURS, **_LOCAL}
    return {**_ELSEWHERE, **environment, **_OURS}


class RayCluster:
    """The connection to a cluster, and a pool of workers for each set of resources."""

    def __init__(
        self,
        address: str | None,
        processes: int | None,
        environment: Mapping[str, str],
        recycled_after: int,
    ) -> None:
        self._place = "the local Ray cluster" if address is None else f"the Ray cluster {address}"
        self._recycled_after = recycled_after
        ours, its = socket.socketpair()
        dies_with_thread = threading.current_thread() is threading.main_thread()
        with its:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "fanwise.worker.ray_bridge"),
                    str(its.fileno()),
                    str(os.getpid() if dies_with_thread else 0),
                ],
                env=_with_settings(environment, address),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(its.fileno(),),
                start_new_session=True,
            )
        self._channel = Channel(ours, self._heard, self._lost)
        self._numbers = itertools.count(1)
        self._workers: dict[int, RayWorker] = {}
        self._pools: dict[tuple[str, ...], ProcessPool[RayWorker]] = {}
        self._answers: dict[int, asyncio.Future[Prepared | Unprepared | None]] = {}
        self._attached = 0
        self._kept: Counter[str] = Counter()
        self.send(Connect(address, processes, tuple(sys.path)))

    @property
    def pid(self) -> int:
        """The number of the bridge's process."""
        return self._process.pid

    @property
    def is_open(self) -> bool:
        """True if the bridge hasn't ended."""
        return self._channel.is_open

    @contextmanager
    def attached(self) -> Iterator[None]:
        """A block in which the running event loop reads what the cluster sends."""
        self._attached += 1
        self._channel.attach(asyncio.get_running_loop())
        try:
            yield
        finally:
            self._attached -= 1
            if not self._attached:
                self._channel.detach()

    @contextmanager
    def keeping(self, portable: PortableCall) -> Iterator[None]:
        """A block in which the cluster has a call's snapshot."""
        digest = portable.spec.snapshot
        if not self._kept[digest]:
            self.send(Keep(digest, portable.snapshot))
        self._kept[digest] += 1
        try:
            yield
        finally:
            self._kept[digest] -= 1
            if not self._kept[digest]:
                del self._kept[digest]
                self.send(Forget(digest))

    async def pool(self, runs_on: tuple[str, ...]) -> tuple[ProcessPool[RayWorker], Sequence[str]]:
        """The workers on nodes with some resources, and lines on what other nodes lack.

        Raises `WorkerRefusedError` if there are none.
        """
        request = next(self._numbers)
        answered = self._answers[request] = asyncio.get_running_loop().create_future()
        self.send(Prepare(request, runs_on))
        try:
            async with asyncio.timeout(_ANSWER_S):
                answer = await answered
        except TimeoutError:
            self._lost()
            raise WorkerRefusedError(
                f"{self._place} didn't answer for {_ANSWER_S:g} s.",
                hint="One that wants a token is joined with RAY_AUTH_MODE=token; see `ray status`.",
            ) from None
        finally:
            del self._answers[request]
        if answer is None:
            raise WorkerRefusedError(f"{self._place} has gone.", hint=_GONE_HINT)
        if isinstance(answer, Unprepared):
            raise WorkerRefusedError(answer.message, hint=answer.hint)
        pool = self._pools.get(runs_on)
        if pool is None:
            start = partial(RayWorker, self, runs_on, self._recycled_after)
            pool = self._pools[runs_on] = ProcessPool(answer.size, start, least_s=_LEAST_S)
        pool.size = answer.size
        return pool, answer.lacks

    def send(self, message: ToBridge) -> None:
        """Send a message. It is lost if the bridge has ended."""
        self._channel.send(encode(message))

    def add(self, worker: RayWorker) -> int:
        """The number of a new worker. It hears soon if the cluster has gone already."""
        number = next(self._numbers)
        self._workers[number] = worker
        if not self.is_open:
            asyncio.get_running_loop().call_soon(self._decline_all)
        return number

    def remove(self, number: int) -> None:
        """Forget a worker that has ended."""
        self._workers.pop(number, None)

    def _heard(self, data: bytes) -> None:
        message = decode_from_bridge(data)
        if isinstance(message, Prepared | Unprepared):
            answered = self._answers.get(message.request)
            if answered is not None and not answered.done():
                answered.set_result(message)
        elif (worker := self._workers.get(message.number)) is not None:
            worker.heard(message)

    def _lost(self) -> None:
        """Tell all that wait for the cluster that it has gone."""
        for answered in self._answers.values():
            if not answered.done():
                answered.set_result(None)
        self._kill()
        self._decline_all()

    def _decline_all(self) -> None:
        for number, worker in [*self._workers.items()]:
            worker.heard(Declined(number, f"{self._place} has gone.", _GONE_HINT))

    def _kill(self) -> None:
        self._channel.close()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the bridge, and all that it has started."""
        self._channel.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._kill()


class RayWorker(ServingWorker):
    """A worker on a node. Implements `pool.PooledWorker`."""

    def __init__(
        self,
        cluster: RayCluster,
        runs_on: tuple[str, ...],
        most_attempts: int,
        gone: Callable[[RayWorker], None],
    ) -> None:
        super().__init__(most_attempts)
        self._cluster = cluster
        self._gone = gone
        self._running: tuple[int, ...] | None = None
        self._is_over = False
        self._number = cluster.add(self)
        cluster.send(Start(self._number, runs_on, most_attempts))

    @property
    def is_alive(self) -> bool:
        """True if it can be sent attempts."""
        return not self._is_over and self._cluster.is_open

    @property
    def has_ended(self) -> bool:
        """True: what is left of it is the affair of its host."""
        return True

    def send(self, message: ToWorker) -> None:
        """Send a message. It is lost if the worker has died."""
        if isinstance(message, Open):
            self._cluster.send(
                Begin(self._number, message.call.spec.snapshot, encode_message(message))
            )
            return
        self._count(message)
        self._cluster.send(Tell(self._number, encode_message(message)))

    def running(self) -> tuple[int, ...] | None:
        """The numbers of the attempts that it ran when it died; None if its host died with it."""
        return self._running

    def kill(self) -> None:
        """End it at once, with all that it runs; its guests hear of it soon."""
        self._is_over = True
        self._cluster.send(Kill(self._number))

    def close(self) -> None:
        """Let it end."""
        self._is_over = True
        self._cluster.send(End(self._number))
        self._cluster.remove(self._number)

    def wait(self) -> None:
        """Return at once: it ends with its host."""

    def heard(self, message: FromHost) -> None:
        """Take a message in."""
        if isinstance(message, Heard):
            said = decode_from_worker(message.data)
            if not isinstance(said, Hello):  # which its host has checked
                self._pass_to_guest(said)
            return
        self._is_over = True
        self._cluster.remove(self._number)
        guests = self._dismiss()
        if isinstance(message, Lost):
            self._running = message.running
            self._gone(self)
            end = WorkerEnd(message.how, message.signal, message.exit_status)
            for guest in guests.values():
                guest.lost(self, end)
        else:
            for visit, guest in guests.items():
                guest.heard(self, Refused(visit, message.message, message.hint))
            self._gone(self)
