"""The way from the bridge to one host of a Ray cluster, and back."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from typing import Final

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from fanwise.executors.frames import PROTOCOL, Hello, decode_from_worker
from fanwise.executors.ray_frames import Begin, Forget, Lost, ToHost, decode_from_host, encode
from fanwise.worker.ray_cluster import Node
from fanwise.worker.ray_host import Host

_ACTOR = ray.remote(Host)
_LOOK_S: Final = 0.005

# One call of each kind is under way at a time: what a host is told goes in its order, and of what
# workers say the object store never holds more than one part.


class HostLink:
    """A host on a node. `workers` are the numbers of its workers.

    `settled` is called when it is ready, and when it is over, with how it ended. `heard` gets its
    messages, with the number of a worker that has died; none is fetched while `is_full`.
    """

    def __init__(
        self,
        node: Node,
        heard: Callable[[bytes, int | None], None],
        settled: Callable[[HostLink, str], None],
        is_full: Callable[[], bool],
    ) -> None:
        self.node = node
        self.workers: set[int] = set()
        self.is_ready = False
        self.is_over = False
        self.had_begun = False
        self.lack = ""
        self._heard = heard
        self._settled = settled
        self._is_full = is_full
        self._unsent: list[tuple[ToHost, ray.ObjectRef[bytes] | None]] = []
        self._has_some = asyncio.Event()
        self._kept: set[str] = set()
        strategy = NodeAffinitySchedulingStrategy(node.id, soft=False)
        self._actor = _ACTOR.options(
            num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy=strategy
        ).remote()
        self._task = asyncio.create_task(self._serve())
        self._task.add_done_callback(end_at_error)

    @property
    def is_settled(self) -> bool:
        """True once it is ready, or over."""
        return self.is_ready or self.is_over

    def send(self, message: ToHost, snapshot: ray.ObjectRef[bytes] | None = None) -> None:
        """Send a message, a `Begin` with its snapshot. It is lost if the host is over."""
        self._unsent.append((message, snapshot))
        self._has_some.set()

    async def _serve(self) -> None:
        how = f"was lost with the node {self.node.name} of the Ray cluster"
        try:
            hello = decode_from_worker(await self._actor.greet.remote())
            assert isinstance(hello, Hello)
            self.lack = difference(self.node, hello)
            if not self.lack:
                self.is_ready = self.had_begun = True
                self._settled(self, "")
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._tell())
                    group.create_task(self._hear())
        except* Exception as errors:  # whatever it is, nothing goes this way any more
            if not self.had_begun:
                self.lack = start_failure(self.node, errors.exceptions[0])
        self.is_ready = False
        self.is_over = True
        with suppress(RayError):
            ray.kill(self._actor)
        self._settled(self, how)

    def doubt(self) -> None:
        """Be ready again once it has answered: another host of its node was lost."""
        if self.is_ready:
            self.is_ready = False
            self._check = asyncio.create_task(self._greet_again())
            self._check.add_done_callback(end_at_error)

    async def _greet_again(self) -> None:
        with suppress(RayError):  # which those who serve it meet as well
            await self._actor.greet.remote()
            self.is_ready = not self.is_over
            self._settled(self, "")

    async def _tell(self) -> None:
        while True:
            await self._has_some.wait()
            self._has_some.clear()
            unsent, self._unsent = self._unsent, []
            part: list[bytes] = []
            new: tuple[str, ray.ObjectRef[bytes] | None] | tuple[()] = ()
            for message, snapshot in unsent:
                if isinstance(message, Begin) and message.digest not in self._kept:
                    if part:
                        await self._actor.tell.remote(part, *new)
                        part = []
                    new = (message.digest, snapshot)
                    self._kept.add(message.digest)
                elif isinstance(message, Forget):
                    self._kept.discard(message.digest)
                part.append(encode(message))
            await self._actor.tell.remote(part, *new)

    async def _hear(self) -> None:
        while True:
            for data in await self._actor.hear.remote():
                message = decode_from_host(data)
                self._heard(data, message.number if isinstance(message, Lost) else None)
            while self._is_full():  # noqa: ASYNC110 - a socket that is read has no event
                await asyncio.sleep(_LOOK_S)


def end_at_error(task: asyncio.Task[None]) -> None:
    """End this process if a task of its own has failed, so that the engine waits for nothing."""
    if not task.cancelled() and task.exception() is not None:
        os._exit(1)


def difference(node: Node, hello: Hello) -> str:
    """The versions in which a node differs from this process, in words, or ""."""
    ours = Hello(PROTOCOL, version("fanwise"), platform.python_version())
    if hello == ours:
        return ""
    return (
        f"the node {node.name} of the Ray cluster has fanwise {hello.fanwise} and Python "
        f"{hello.python}, and the engine has fanwise {ours.fanwise} and Python {ours.python}."
    )


def start_failure(node: Node, error: BaseException) -> str:
    """The reason why a host couldn't start, in words."""
    text = " ".join(str(error).split())
    if "No module named" in text:
        name = text.partition("No module named '")[2].partition("'")[0]
        return f'the node {node.name} of the Ray cluster has no module "{name}".'
    return f"the node {node.name} of the Ray cluster can't start an actor: {text[:300]}"
