"""Executors, and the feeds and calls that the engine gives them.

Executors are in `fanwise.executors`, the other side in `fanwise.engine`. Spans are seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import msgspec

from fanwise.catalog import ActionRef, Runs
from fanwise.context import ItemContext, WorkflowContext
from fanwise.errors import AttemptError, Place
from fanwise.model import ErrorInfo, Limits

Arguments: TypeAlias = dict[str, object]
"""An action's arguments by name, checked."""


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """One attempt to be made: its context, its item's index, its number.

    `index` is None for a task without items; `attempt` counts from 1.
    """

    context: WorkflowContext | ItemContext
    index: int | None
    attempt: int


class Future(Protocol):
    """Something that will be done, such as an `asyncio.Future`."""

    def add_done_callback(self, callback: Callable[[Any], object], /) -> None:
        """Call `callback` with this future once it is done."""


class Feed(Protocol):
    """Hands out the attempts of one visit, and takes back their outcomes.

    Never more than `width` tickets are out at a time if each worker returns one before it takes
    the next, and there are at most `width` workers.
    """

    width: int

    def take(self) -> Ticket | None:
        """The next attempt, or None if there is none at the moment."""

    def wait(self) -> Awaitable[bool]:
        """True when `take` may have an attempt, False when none will come any more.

        Called before anything else happens after `take` gave none. It misses no change since the
        call, however much later it is awaited.
        """

    def succeeded(
        self, ticket: Ticket, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """Record that the attempt gave `output`, JSON text."""

    def failed(
        self,
        ticket: Ticket,
        error: BaseException,
        started_at: float,
        duration_s: float,
        busy: Future | None = None,
    ) -> None:
        """Record that the attempt raised `error`. It keeps its slot until `busy` is done."""

    def cancelled(self, ticket: Ticket, started_at: float, duration_s: float) -> None:
        """Record that the attempt was stopped, because the run is to stop at once."""

    async def drained(self) -> None:
        """Return when no attempt is left, and none waits to be made."""

    def left_behind(self, call: Future) -> None:
        """Count a call whose attempt has ended, but which still runs until it is done."""

    def on_halt(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when running attempts are to be stopped at once."""

    def notice(self, text: str) -> None:
        """Report a line of text to the run's observer."""


class ChunkFeed(Feed, Protocol):
    """A feed of attempts that may travel in chunks.

    A ticket of `take` holds a slot until its outcome. A ticket that was taken ahead holds none, so
    an executor may send it to a worker, which makes the attempt once the one before it has ended;
    `begin` takes the slot that this one has left.
    """

    @property
    def rest(self) -> int | None:
        """The number of items that haven't been handed out, or None if it isn't known."""

    def take_ahead(self) -> Ticket | None:
        """The next attempt without a slot, or None: also where each start has to be asked for."""

    def begin(self) -> None:
        """Count an attempt that was taken ahead as running."""

    def put_back(self, tickets: Sequence[Ticket], *, running: int = 0) -> None:
        """Hand these attempts out again, first and in this order.

        `running` of them hold a slot, which is freed.
        """

    def give_up(self, error: AttemptError) -> None:
        """Start nothing any more, and fail the visit with `error`."""


class AttemptLog(Protocol):
    """The printed and logged text of one worker's attempts, one after the other.

    `ticket` is the attempt at hand, to which printed text belongs; without one it is dropped.
    `has_text` says that some was printed since the attempt began.
    """

    ticket: Ticket | None
    has_text: bool

    def keep(self, ticket: Ticket) -> None:
        """End the attempt, and record its text as far as that isn't yet."""

    def take(self, text: str, left_out: int) -> None:
        """Record a text that another process has printed, and count bytes that it left out."""


class InputText(msgspec.Struct, frozen=True):
    """One input of a task as text: `raw` is JSON, some texts of which may be templates.

    `place` is its place in the workflow's file, and `templates` are those of its templates and
    their tags, in their order.
    """

    name: str
    raw: bytes
    place: Place
    templates: tuple[Place | None, ...] = ()


class CallSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a visit's call that another process needs, once for each visit.

    It is data without any secret, and survives pickling and JSON. `shared` inputs are rendered
    already, `inputs` are rendered for each attempt, from the snapshot whose digest is `snapshot`.
    `secrets` are the paths of values that come on a channel of their own. `given` are the names of
    parameters whose relative paths start at `caller_folder`. For `traceparent` see `RunOrigin`.
    """

    action: ActionRef
    run_id: str
    run_no: int
    visit_no: int
    path: str
    visit: int
    inputs: tuple[InputText, ...]
    shared: tuple[InputText, ...]
    snapshot: str
    secrets: tuple[tuple[str, ...], ...]
    timeout_s: float | None
    limits: Limits
    workflow_folder: str
    caller_folder: str
    given: tuple[str, ...]
    traceparent: str = ""


class PortableCall(msgspec.Struct, frozen=True):
    """A call as data: its `spec`, and the content of the snapshot that this names."""

    spec: CallSpec
    snapshot: bytes


class RemoteAttemptError(AttemptError):
    """The error of an attempt that another process has made; `info` is its record, with secrets."""

    def __init__(self, info: ErrorInfo, *, retryable: bool, retry_after_s: float | None) -> None:
        super().__init__(info.message)
        self.info = info
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class ActionCall(Protocol):
    """The part that all attempts of one visit share: how one attempt is made, wherever it runs."""

    function: Callable[..., Any]
    runs: Runs
    timeout_s: float | None
    runs_on: Sequence[str]

    def arguments(self, ticket: Ticket) -> Arguments:
        """Render and check the input. Raises `AttemptError`."""

    def result(self, value: object, ticket: Ticket) -> bytes:
        """Check and encode the action's result as JSON text. Raises `AttemptError`."""

    def describe(self, ticket: Ticket) -> str:
        """The attempt's task and item, for messages."""

    def portable(self) -> PortableCall:
        """The call as another process can make it; reads paged outputs, which may block.

        Raises `AttemptError` if the call has to stay in this process.
        """

    def secret_values(self) -> bytes:
        """The values at `CallSpec.secrets`, as JSON text: for a worker alone, never to be kept."""

    def received(self, output: bytes) -> bytes:
        """A result that came as JSON text from another process, without secrets."""

    def log_of(self, ticket: Ticket) -> AttemptLog:
        """The log of an attempt that another process makes."""

    def sleeper(self, ticket: Ticket) -> Callable[[float], Awaitable[None]]:
        """A function that sleeps so many seconds, for an attempt that another process makes."""

    def open_log(self) -> AbstractContextManager[AttemptLog]:
        """A block whose printed text goes to a log of its own.

        It hears the asyncio task that the block stands in, and threads that run in a copy of its
        context.
        """


class Executor(Protocol):
    """A place where actions run."""

    async def execute(self, feed: ChunkFeed, call: ActionCall) -> None:
        """Make the attempts that `feed` hands out, until none will come any more."""
