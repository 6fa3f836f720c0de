"""A server as the command line asks it: the same questions as it asks of a store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Concatenate, Final, ParamSpec, TypeVar

import msgspec

from fanwise.client.records import (
    SentAnswer,
    SentEvent,
    SentEvents,
    SentSignal,
    SentStart,
    SentWorkflows,
)
from fanwise.client.remote import RemoteStore, start_run
from fanwise.client.requests import API, Query, Requests
from fanwise.errors import FanwiseError, ServerError
from fanwise.model import Emitted
from fanwise.reports.asking import read_answer, written
from fanwise.reports.sight import Sight
from fanwise.reports.waits import Answered
from fanwise.values import Json

P = ParamSpec("P")
T = TypeVar("T")
_UNKNOWN: Final = "not-found"
_TOO_MANY: Final = 429
_PAUSE_S: Final = 0.5
_MOST_TOGETHER: Final = 1_000
_MOST_TOGETHER_BYTES: Final = 2**20


class ServerBackend:
    """A server as a `Backend` of the command line. Nothing is left open between two questions.

    `runs` changes its runs. A server of another version of fanwise is refused.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self.runs = RemoteStore(requests)

    def ask(
        self, question: Callable[Concatenate[Sight, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return the answer to a question of `reports.questions`, which the server answers."""
        given = written(question, *args, **kwargs).decode()
        query = {"version": version("fanwise"), "given": given}
        try:
            answer = self._requests.body("reports", question.__name__, query=query)
        except ServerError as error:
            if error.reason != _UNKNOWN:
                raise
            raise ServerError(
                f"{self._requests.place} has no API of fanwise at this path.",
                reason=_UNKNOWN,
                hint="Give the URL that `fanwise serve` tells, with the whole path before /api.",
            ) from None
        try:
            return read_answer(question, answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._other_version() from None

    def export(self, run_id: str) -> Iterator[bytes]:
        """The whole of a run as lines of JSON, as they arrive."""
        return self._requests.raw_lines("runs", run_id, "export")

    @contextmanager
    def changes(self, run_id: str) -> Iterator[Callable[[float], None]]:
        """A block with what waits for a change of a run, at most for so many seconds.

        It hears of changes by a stream of events. If that ends, or there are too many, it waits for
        all of that time. Behind the block the stream is closed at its next line.
        """
        changed, is_over = threading.Event(), threading.Event()

        def listen() -> None:
            with suppress(FanwiseError):
                for line in self._requests.raw_lines("events", query={"topic": f"run:{run_id}"}):
                    if is_over.is_set():
                        return
                    if line.startswith(b"event:"):
                        changed.set()

        threading.Thread(target=listen, daemon=True).start()

        def wait(timeout_s: float) -> None:
            changed.wait(timeout_s)
            changed.clear()

        try:
            yield wait
        finally:
            is_over.set()

    def pause(self, run_id: str) -> None:
        """Have a run paused."""
        self.runs.pause(run_id)

    def answer(
        self,
        run_id: str,
        path: str,
        choice: str | None,
        texts: Mapping[str, str],
        by: str | None,
    ) -> Answered:
        """Answer a question of a run; without `by`, as the one who has the token."""
        body = {"path": path, "choice": choice, "texts": texts, "by": by}
        return self._requests.post(SentAnswer, "runs", run_id, "answers", body=body).answered()

    def signal(
        self, run_id: str, name: str, key: str | None, payload: Json, by: str | None
    ) -> str | None:
        """Send a signal to a run; without `by`, as the one who has the token."""
        body = {"name": name, "key": key, "payload": payload, "by": by}
        return self._requests.post(SentSignal, "runs", run_id, "signals", body=body).path

    def emit_all(
        self,
        name: str,
        data: Iterable[Json],
        *,
        key: str | None = None,
        id: str | None = None,
        by: str | None = None,
    ) -> Iterator[Emitted]:
        """Emit an event for each of `data`, many by one request; see `emit`."""
        given = {"id": id, "key": key, "by": by}
        for some in _together(data):
            if len(some) == 1:
                query: Query = given
                sent = [self._sent(SentEvent, name, body=some[0], query=query, root="/events")]
            else:
                body = {"events": [{"name": name, "data": each, **given} for each in some]}
                sent = self._sent(SentEvents, "events", body=body).events
            yield from (Emitted(each.event, each.is_new) for each in sent)

    def _sent(
        self,
        kind: type[T],
        *path: str,
        body: object,
        query: Query | None = None,
        root: str = API,
    ) -> T:
        """Send a value once the server takes it."""
        while True:
            try:
                return self._requests.post(kind, *path, body=body, query=query, root=root)
            except ServerError as error:
                if error.status != _TOO_MANY:
                    raise
                time.sleep(_PAUSE_S)

    def workflows(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """The workflows of the project: their parameters, with the values of these if few."""
        found = self._requests.get(SentWorkflows, "workflows").workflows
        return {
            each.name: {name: given.offered() for name, given in each.parameters.items()}
            for each in found
        }

    def submit(self, body: Mapping[str, object], once: str | None) -> SentStart:
        """Have a run started that an engine takes, or find the one that has the key `once`."""
        return start_run(self._requests, body, once)

    def _other_version(self) -> ServerError:
        return ServerError(
            f"{self._requests.place} has another version of fanwise than this command line, "
            f"{version('fanwise')}.",
            reason="other-version",
            hint="Install the same version on both sides.",
        )


def _together(data: Iterable[Json]) -> Iterator[list[msgspec.Raw]]:
    """Values as JSON, as many as one request may send."""
    held: list[msgspec.Raw] = []
    size = 0
    for value in data:
        text = msgspec.Raw(msgspec.json.encode(value))
        if held and (len(held) == _MOST_TOGETHER or size + len(text) > _MOST_TOGETHER_BYTES):
            yield held
            held, size = [], 0
        held.append(text)
        size += len(text)
    if held:
        yield held
