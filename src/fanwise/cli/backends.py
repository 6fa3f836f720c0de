"""The side that commands read from: a store, or a server that answers the same questions.

A server is named as a store is, by a URL, so commands take one `store` and don't know which it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, Protocol, TypeGuard, TypeVar

from fanwise.errors import NoStoreError, RunNotFoundError, UsageError

if TYPE_CHECKING:
    from fanwise.client.backend import ServerBackend
    from fanwise.client.requests import Requests
    from fanwise.model import Emitted
    from fanwise.reports.ownership import Runs
    from fanwise.reports.sight import ReportedStore, Sight
    from fanwise.reports.waits import Answered
    from fanwise.values import Json
    from fanwise.wiring import Settings

P = ParamSpec("P")
T = TypeVar("T")
_TOKEN: Final = "FANWISE_TOKEN"
_TOKEN_FILE: Final = "FANWISE_TOKEN_FILE"
_TIMEOUT_S: Final = 30.0


class Backend(Protocol):
    """Answers the questions of commands. Methods block."""

    def ask(
        self, question: Callable[Concatenate[Sight, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return the answer to a question of `reports.questions`."""

    def export(self, run_id: str) -> Iterator[bytes]:
        """The whole of a run as lines of JSON. Raises `RunNotFoundError`."""

    def changes(self, run_id: str) -> AbstractContextManager[Callable[[float], None]]:
        """A block with what waits for a change of a run, at most for so many seconds.

        It may return in vain.
        """


class Control(Backend, Protocol):
    """A backend whose runs are changed as well."""

    def pause(self, run_id: str) -> None:
        """Ask the process that drives a run to pause it.

        Raises `RunOverError`, and `RunNotDrivenError` if none does.
        """

    def answer(
        self, run_id: str, path: str, choice: str | None, texts: Mapping[str, str], by: str | None
    ) -> Answered:
        """Answer a question of a run; see `engine.answers`. `texts` are read by their types."""

    def signal(
        self, run_id: str, name: str, key: str | None, payload: Json, by: str | None
    ) -> str | None:
        """Send a signal to a run, and return the path of the task whose wait it ends."""


class StoreBackend:
    """A store as a `Backend`."""

    def __init__(self, store: ReportedStore, runs: Runs, settings: Settings) -> None:
        self._store = store
        self._runs = runs
        self._settings = settings

    def ask(
        self, question: Callable[Concatenate[Sight, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return the answer to a question."""
        from fanwise.reports.sight import Sight
        from fanwise.wiring import this_user

        sight = Sight(self._store, self._runs, self._settings.limits, time.time(), this_user())
        return question(sight, *args, **kwargs)

    def export(self, run_id: str) -> Iterator[bytes]:
        """The whole of a run as lines of JSON."""
        import msgspec

        from fanwise.reports.records import record_object

        is_empty = True
        for record in self._store.export(run_id):
            is_empty = False
            yield msgspec.json.encode(record_object(record))
        if is_empty:
            raise RunNotFoundError(f"the run {run_id} has just been deleted.", run_id=run_id)

    @contextmanager
    def changes(self, run_id: str) -> Iterator[Callable[[float], None]]:
        """A block with what waits for a change of a run."""
        run = self._store.run(run_id)
        seen = self._store.heads([] if run is None else [run.run_no])

        def wait(timeout_s: float) -> None:
            nonlocal seen
            seen = self._store.await_heads(seen, timeout_s)

        yield wait


class StoreControl(StoreBackend):
    """A store that is open for changes, as a `Control`."""

    def pause(self, run_id: str) -> None:
        """Ask the process that drives a run to pause it."""
        from fanwise.reports.lookup import run_by_id

        self._runs.pause(run_by_id(self._store, run_id))

    def answer(
        self, run_id: str, path: str, choice: str | None, texts: Mapping[str, str], by: str | None
    ) -> Answered:
        """Answer a question of a run; without `by`, as the user of this process."""
        from fanwise.engine.answers import answer_question
        from fanwise.model import GivenAnswer
        from fanwise.reports.lookup import run_by_id
        from fanwise.reports.waits import answered
        from fanwise.wiring import load_recorded, this_user

        run = run_by_id(self._store, run_id)
        given = GivenAnswer(choice=choice, by=by or this_user(), via="cli", texts=texts)
        plan_of = partial(load_recorded, settings=self._settings, import_packs=False)
        wait = answer_question(self._store, run, path, given, plan_of=plan_of)
        return answered(wait, path, given.by)

    def signal(
        self, run_id: str, name: str, key: str | None, payload: Json, by: str | None
    ) -> str | None:
        """Send a signal to a run; without `by`, as the user of this process."""
        from fanwise.engine.answers import send_signal
        from fanwise.reports.lookup import run_by_id
        from fanwise.wiring import this_user

        run, who = run_by_id(self._store, run_id), by or this_user()
        wait = send_signal(self._store, run, name, key, payload, by=who)
        return None if wait is None else wait.path


def is_server(store: str | None) -> TypeGuard[str]:
    """Say whether the URL that a command line gives as its store is that of a server."""
    return store is not None and store.startswith(("http://", "https://"))


def require_server(url: str) -> None:
    """Raise `UsageError` for a URL that can't be a server's."""
    if not is_server(url):
        raise UsageError(
            "--server names no server by its URL.",
            hint="Give one such as http://127.0.0.1:8420 or https://example.com/fanwise.",
        )


@contextmanager
def open_backend(store: str | None) -> Iterator[Backend]:
    """The backend of a command whose line gives this store, or none.

    Raises `StoreError`, and for a server `UsageError` and `ServerError`.
    """
    if is_server(store):
        yield open_server(store)
        return
    from fanwise.wiring import open_records, read_settings, runs_of

    settings = read_settings(store=store)
    with open_records(settings) as records:
        yield StoreBackend(records, runs_of(records), settings)


@contextmanager
def open_control(store: str | None) -> Iterator[Control]:
    """The control of a command whose line gives this store, or none; see `open_backend`."""
    if is_server(store):
        yield open_server(store)
        return
    from fanwise.wiring import open_existing, read_settings, runs_of

    settings = read_settings(store=store)
    with open_existing(settings) as opened:
        yield StoreControl(opened, runs_of(opened), settings)


def before_first_run(store: str | None) -> AbstractContextManager[None]:
    """A block that ends without an error if there is no store yet, so that a list is empty.

    A store that the command line names has to be there: its path may have a slip.
    """
    return suppress(NoStoreError) if store is None else nullcontext()


def emitter(store: str | None) -> Callable[..., Iterator[Emitted]]:
    """The `emit_all` of `fanwise.runs`, over the store that a command line gives, or a server."""
    if is_server(store):
        return open_server(store).emit_all
    from fanwise.runs import emit_all

    return partial(emit_all, store=store)


def refuse_own(**given: object) -> None:
    """Raise `UsageError` for options of a run that this process would drive itself.

    They are given by their names: `no_queue` for `--no-queue`, and `p` for `-p`.
    """
    for name, value in given.items():
        if value:
            option = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} is for a run that this process drives, and an engine of the server "
                "will drive it.",
                hint=f"Leave {option} away.",
            )


def open_server(url: str) -> ServerBackend:
    """The server at a URL, by the token that the environment names. Raises `UsageError`."""
    from fanwise.client.backend import ServerBackend

    return ServerBackend(requests_to(url))


def requests_to(url: str) -> Requests:
    """Requests to the server at a URL, by the token that the environment names.

    Raises `UsageError`.
    """
    from fanwise.client.requests import Requests, read_address

    address = read_address(url, is_insecure=os.environ.get("FANWISE_INSECURE_HTTP") == "1")
    return Requests(address, _read_token(), _TIMEOUT_S)


def _read_token() -> str:
    """The token of `FANWISE_TOKEN`, else in the file of `FANWISE_TOKEN_FILE`."""
    if token := os.environ.get(_TOKEN):
        return token
    file = os.environ.get(_TOKEN_FILE)
    if not file:
        raise UsageError(
            "a server needs a token.",
            hint=f"Set {_TOKEN}, or {_TOKEN_FILE} to the path of a file that has it; "
            "make one there with: fanwise token add NAME",
        )
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise UsageError(
            f"{_TOKEN_FILE}  the file can't be read: {told}.", hint="Write the token into it."
        ) from None
