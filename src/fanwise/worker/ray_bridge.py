"""The bridge of an engine to a Ray cluster: `python -m fanwise.worker.ray_bridge SOCKET PARENT`.

Ray ends its driver's process when it loses its cluster, prints to its streams and takes its
signals. So the driver is this process, and not the engine's. It passes messages on between the
engine and the hosts of workers. SOCKET is the number of an open file, PARENT the process with whose
thread this one ends, or 0.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Final, NoReturn

import ray
from ray.exceptions import ObjectStoreFullError, OutOfDiskError, RayError

from fanwise.executors.channel import Channel
from fanwise.executors.frames import Open, Refused, decode_to_worker, encode_message
from fanwise.executors.ray_frames import (
    MOST_UNREAD_BYTES,
    Begin,
    Connect,
    Declined,
    End,
    Forget,
    FromBridge,
    Heard,
    Keep,
    Lost,
    Prepare,
    Prepared,
    Start,
    ToBridge,
    ToHost,
    Unprepared,
    decode_to_bridge,
    encode,
)
from fanwise.worker.__main__ import die_with
from fanwise.worker.ray_cluster import Node, UnreachableError, connect, nodes
from fanwise.worker.ray_link import HostLink, end_at_error

_FIRST_S: Final = 60.0
"""The time within which one host has to be ready."""

_OTHERS_S: Final = 3.0
"""The time that others get after it, if a visit is to use them from its beginning."""


_ROOM: Final = "Give the nodes more with `ray start --object-store-memory`."
_REMEDY: Final = "Look at `ray status`; `fanwise retry` makes what is left, also elsewhere."


class Bridge:
    """Passes on messages between the engine and the hosts of the cluster."""

    def __init__(self, end: socket.socket) -> None:
        self._channel = Channel(end, self._heard, self._lost)
        self._links: list[HostLink] = []
        self._places: dict[int, HostLink] = {}  # of workers
        self._held: dict[int, list[ToHost]] = {}  # messages to workers that have no host yet
        self._snapshots: dict[str, ray.ObjectRef[bytes] | UnreachableError] = {}
        self._most_hosts: int | None = None
        self._problem: UnreachableError | None = None
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._channel.attach(asyncio.get_running_loop())

    # From the engine

    def _heard(self, data: bytes) -> None:
        message: ToBridge = decode_to_bridge(data)
        match message:
            case Connect():
                self._connect(message)
            case Prepare():
                self._spawn(self._prepare(message))
            case Keep():
                self._keep(message)
            case Start():
                self._start(message)
            case Forget():
                self._snapshots.pop(message.digest, None)
                for link in self._links:
                    link.send(message)
            case _:
                self._pass_on(message)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(end_at_error)

    def _connect(self, message: Connect) -> None:
        sys.path[:] = message.module_folders
        self._most_hosts = message.most_hosts
        try:
            connect(message.address, message.most_hosts)
        except UnreachableError as error:
            self._problem = error

    def _keep(self, message: Keep) -> None:
        try:
            self._snapshots[message.digest] = ray.put(message.snapshot)
        except (ObjectStoreFullError, OutOfDiskError):
            text = f"has no room for a snapshot of {len(message.snapshot):,} bytes"
            problem = UnreachableError(f"the object store of the Ray cluster {text}.", _ROOM)
            self._snapshots[message.digest] = problem

    def _start(self, message: Start) -> None:
        """Have a worker on the host that has the fewest, or wait for a host."""
        wanted = {*message.runs_on}
        able = [link for link in self._links if link.is_ready and wanted <= link.node.resources]
        if not able:
            self._held[message.number] = [message]
            self._spawn(self._start_later(message))
            return
        link = min(able, key=lambda link: len(link.workers))
        link.workers.add(message.number)
        self._places[message.number] = link
        link.send(message)

    async def _start_later(self, message: Start) -> None:
        """Start a worker once there is a host, and pass on what it was sent meanwhile."""
        try:
            await self._prepared(Prepare(0, message.runs_on))
        except UnreachableError as error:
            del self._held[message.number]
            self._send(Declined(message.number, error.message, error.hint))
            return
        for each in self._held.pop(message.number):
            if isinstance(each, Start):
                self._start(each)
            else:
                self._pass_on(each)

    def _pass_on(self, message: ToHost) -> None:
        assert not isinstance(message, Forget)
        if (held := self._held.get(message.number)) is not None:
            held.append(message)
            return
        link = self._places.get(message.number)
        if link is None:
            self._send(Lost(message.number, "isn't there any more"))
        elif isinstance(message, Begin):
            self._begin(link, message)
        else:
            link.send(message)
            if isinstance(message, End):
                self._leave(message.number)

    def _begin(self, link: HostLink, message: Begin) -> None:
        """Pass on the beginning of a visit, or refuse it for want of its snapshot."""
        snapshot = self._snapshots.get(message.digest)
        if isinstance(snapshot, UnreachableError):
            opening = decode_to_worker(message.data)
            assert isinstance(opening, Open)
            refused = Refused(opening.visit, snapshot.message, snapshot.hint)
            self._send(Heard(message.number, encode_message(refused)))
        elif snapshot is not None:  # it is forgotten once its visits are over
            link.send(message, snapshot)

    def _leave(self, number: int) -> None:
        """Forget the place of a worker that ends."""
        if (link := self._places.pop(number, None)) is not None:
            link.workers.discard(number)

    # Hosts

    async def _prepare(self, message: Prepare) -> None:
        """Have hosts on all nodes, and say how many are ready that have certain resources."""
        answer: FromBridge
        try:
            if self._problem is not None:
                raise self._problem
            answer = await self._prepared(message)
        except UnreachableError as error:
            answer = Unprepared(message.request, error.message, error.hint)
        if message.request:
            self._send(answer)

    async def _prepared(self, message: Prepare) -> Prepared:
        there = await asyncio.to_thread(nodes)
        if not there:
            raise UnreachableError("the Ray cluster has no node any more.", _REMEDY)
        wanted = {*message.runs_on}
        lacking = sorted(wanted.difference(*(node.resources for node in there)))
        if lacking or not any(wanted <= node.resources for node in there):
            name = lacking[0] if lacking else " and ".join(sorted(wanted))
            raise UnreachableError(
                f'no node of the Ray cluster has the resource "{name}".',
                f"Start one with: ray start --resources='{{\"{name}\": 1}}'",
            )
        new = self._new_links(there)
        self._links += new
        links = [link for link in self._links if wanted <= link.node.resources]
        await self._until(
            lambda: any(link.is_ready for link in links) or all(link.is_settled for link in links),
            _FIRST_S,
        )
        await self._until(lambda: all(link.is_settled for link in new), _OTHERS_S)
        ready = [link for link in links if link.is_ready]
        lacks = tuple(sorted({link.lack for link in links if link.lack}))
        self._links = [link for link in self._links if not link.is_over]
        if ready:
            return Prepared(message.request, len(ready), lacks)
        if lacks:
            raise UnreachableError(
                lacks[0], "Install there what the engine has, in the same versions."
            )
        raise UnreachableError(
            f"no node of the Ray cluster has had a CPU to spare for {_FIRST_S:g} s.",
            _REMEDY,
        )

    def _new_links(self, there: list[Node]) -> list[HostLink]:
        """Begin to have as many hosts as there are CPUs, node after node in turn."""
        new: list[HostLink] = []
        known = [link.node.id for link in self._links if not link.is_over]
        most = math.inf if self._most_hosts is None else self._most_hosts - len(known)
        for node in _in_turn(there):
            if node.id in known:
                known.remove(node.id)
            elif len(new) < most:
                new.append(HostLink(node, self._from_host, self._settled, self._is_full))
        return new

    async def _until(self, is_so: Callable[[], bool], most_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()

    def _settled(self, link: HostLink, how: str) -> None:
        """Take note that a host is ready, or that it is over."""
        self._changed.set()
        if not link.is_over:
            return
        if not link.lack:
            self._links.remove(link)
            for other in self._links:
                if other.node.id == link.node.id:
                    other.doubt()
        for number in link.workers:
            del self._places[number]
            self._send(Lost(number, how))
        if link.had_begun:
            self._spawn(self._prepare(Prepare(0, ())))

    def _from_host(self, data: bytes, ended: int | None) -> None:
        """Pass a message of a host on; `ended` is the worker that has died."""
        if ended is not None:
            self._leave(ended)
        self._channel.send(data)

    def _is_full(self) -> bool:
        return self._channel.unsent_bytes > MOST_UNREAD_BYTES

    def _send(self, message: FromBridge) -> None:
        self._channel.send(encode(message))

    def _lost(self) -> NoReturn:
        """End with the engine, and all hosts and workers with it."""
        with suppress(RayError):
            ray.shutdown()
        os._exit(0)


def _in_turn(there: list[Node]) -> Iterator[Node]:
    """Each node as often as it has CPUs, all nodes in turn."""
    for turn in range(max((node.cpus for node in there), default=0)):
        yield from (node for node in there if node.cpus > turn)


def _fail(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """End at an error of this process's own, so that the engine waits for nothing."""
    if "exception" in context:
        os._exit(1)


async def _serve(end: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_fail)
    bridge = Bridge(end)
    await loop.create_future()
    del bridge


def main() -> None:
    """Read the command line, and serve until the engine ends."""
    file, parent = map(int, sys.argv[1:])
    die_with(parent)
    end = socket.socket(fileno=file)
    end.set_inheritable(False)
    asyncio.run(_serve(end))


if __name__ == "__main__":
    main()
