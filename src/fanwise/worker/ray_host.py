"""A host of workers on a node of a Ray cluster: the class of the actors that an engine has there.

Its workers are processes of its own, which are those of the executor `process`. Secrets are read
here, from the node's environment; what workers say is masked before it leaves the node.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections import deque
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import msgspec

from fanwise.engine.attempt import masked_json
from fanwise.engine.masking import Masker
from fanwise.errors import WorkerRefusedError
from fanwise.executors.child import Child
from fanwise.executors.frames import (
    PROTOCOL,
    Ended,
    FromWorker,
    Hello,
    Logged,
    Open,
    Outcome,
    Refused,
    VisitMessage,
    decode_from_worker,
    decode_heading,
    decode_to_worker,
    encode_message,
)
from fanwise.executors.process import public
from fanwise.executors.ray_frames import (
    MOST_UNREAD_BYTES,
    Begin,
    End,
    Forget,
    FromHost,
    Heard,
    Kill,
    Lost,
    Start,
    Tell,
    decode_to_host,
    encode,
)
from fanwise.executors.workers import Worker, WorkerEnd
from fanwise.ports import SECRET_PREFIX

_PART_BYTES: Final = 2**22
"""The size at which a part of what workers have sent is full."""


class Host:
    """Starts workers and passes on messages. Its methods are called through Ray, on one loop."""

    def __init__(self) -> None:
        self._workers: dict[int, _Hosted] = {}
        self._snapshots: dict[str, bytes] = {}
        self._unread: deque[bytes] = deque()
        self._unread_bytes = 0
        self._has_some = asyncio.Event()

    async def greet(self) -> bytes:
        """The versions here, as a `Hello`."""
        return encode_message(Hello(PROTOCOL, version("fanwise"), platform.python_version()))

    async def tell(
        self, messages: Sequence[bytes], digest: str = "", snapshot: bytes = b""
    ) -> None:
        """Take messages of the engine in, and keep the snapshot that they are the first to name."""
        if digest:
            self._snapshots[digest] = snapshot
        for data in messages:
            self._told(data)

    async def hear(self) -> Sequence[bytes]:
        """The next messages for the engine, as soon as there are some."""
        await self._has_some.wait()
        part, size_bytes = [], 0
        while self._unread and size_bytes < _PART_BYTES:
            part.append(self._unread.popleft())
            size_bytes += len(part[-1])
        self._unread_bytes -= size_bytes
        if not self._unread:
            self._has_some.clear()
        if self._unread_bytes <= MOST_UNREAD_BYTES:
            for hosted in self._workers.values():
                hosted.child.unpause()
        return part

    def say(self, message: FromHost) -> None:
        """Have a message for the engine fetched."""
        data = encode(message)
        self._unread.append(data)
        self._unread_bytes += len(data)
        self._has_some.set()
        if self._unread_bytes > MOST_UNREAD_BYTES:
            for hosted in self._workers.values():
                hosted.child.pause()

    def _told(self, data: bytes) -> None:
        message = decode_to_host(data)
        if isinstance(message, Start):
            self._start(message)
            return
        if isinstance(message, Forget):
            self._snapshots.pop(message.digest, None)
            return
        hosted = self._workers.get(message.number)
        if hosted is None:  # it has died meanwhile
            return
        match message:
            case Begin():
                hosted.begin(message.data, self._snapshots[message.digest])
            case Tell():
                hosted.tell(message.data)
            case Kill():
                hosted.child.kill()
            case End():
                del self._workers[message.number]
                hosted.child.close()

    def _start(self, message: Start) -> None:
        try:
            self._workers[message.number] = _Hosted(self, message)
        except OSError as error:
            self.say(Lost(message.number, f"can't be started ({error.strerror})"))

    def forget(self, number: int) -> bool:
        """Forget a worker that has died; False if it was forgotten before."""
        return self._workers.pop(number, None) is not None


class _Hosted:
    """A worker, with the maskers of its visits. Implements `Guest`, as the guest of all visits."""

    def __init__(self, host: Host, start: Start) -> None:
        self._host = host
        self._number = start.number
        self._maskers: dict[int, Masker] = {}
        self.child = Child(
            public(os.environ),
            start.most_attempts,
            lambda _: None,
            dies_with_thread=True,
            pass_on=self._pass_on,
        )
        self.child.join(0, self)  # of no visit: its death is heard of at any time

    def begin(self, data: bytes, snapshot: bytes) -> None:
        """Open a visit, with this node's secrets, or refuse it."""
        message = decode_to_worker(data)
        assert isinstance(message, Open)
        names = {path[1] for path in message.call.spec.secrets}
        secrets = {name: os.environ.get(f"{SECRET_PREFIX}{name}") for name in sorted(names)}
        missing = [f"{SECRET_PREFIX}{name}" for name, value in secrets.items() if value is None]
        if missing:
            self._say(
                Refused(
                    message.visit,
                    f"the node {platform.node()} of the Ray cluster has no {', '.join(missing)}.",
                    "Set it in the environment in which `ray start` is called there.",
                )
            )
            return
        if names:
            self._maskers[message.visit] = Masker(secrets.values())
        self.child.join(message.visit, self)
        self.child.send(
            msgspec.structs.replace(
                message,
                call=msgspec.structs.replace(message.call, snapshot=snapshot),
                secrets=msgspec.json.encode({"secrets": secrets}),
            )
        )

    def tell(self, data: bytes) -> None:
        """Send a message to the worker."""
        self.child.send_encoded(data)
        heading = decode_heading(data)
        if heading.type == "close":
            self.child.leave(heading.visit)
            self._maskers.pop(heading.visit, None)

    def offered(self, worker: Worker) -> None:
        """No worker is asked for."""

    def refused(self, error: WorkerRefusedError) -> None:
        """Nor is one refused."""

    def heard(self, _worker: Worker, message: VisitMessage) -> None:
        """Pass on that a process of another version is refused."""
        self._say(message)

    def _pass_on(self, data: bytes) -> None:
        """Pass a message of the worker on, without secrets."""
        masker = self._maskers.get(decode_heading(data).visit) if self._maskers else None
        if masker is not None:
            data = encode_message(_masked(decode_from_worker(data), masker))
        self._host.say(Heard(self._number, data))

    def lost(self, _worker: Worker, end: WorkerEnd) -> None:
        """Tell of the worker's death, of which it is told for each visit."""
        if not self._host.forget(self._number):
            return
        ran = self.child.running()
        running = None if ran is None else tuple(ran)
        self._host.say(Lost(self._number, end.how, end.signal, end.exit_status, running))

    def _say(self, message: VisitMessage) -> None:
        self._host.say(Heard(self._number, encode_message(message)))


def _masked(message: FromWorker, masker: Masker) -> FromWorker:
    """A message without secrets."""
    if isinstance(message, Logged):
        return msgspec.structs.replace(message, text=masker.text(message.text))
    if isinstance(message, Ended):
        outcomes = [_masked_outcome(outcome, masker) for outcome in message.outcomes]
        return msgspec.structs.replace(message, outcomes=outcomes)
    return message


def _masked_outcome(outcome: Outcome, masker: Masker) -> Outcome:
    if outcome.output is not None:
        output = masked_json(outcome.output, masker)
        return msgspec.structs.replace(outcome, output=output)
    if outcome.failure is not None:
        error = masked_json(outcome.failure.error, masker)
        failure = msgspec.structs.replace(outcome.failure, error=error)
        return msgspec.structs.replace(outcome, failure=failure)
    return outcome
