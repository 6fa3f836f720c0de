"""Executors, and the feeds and calls that the engine gives them.

Executors are in `fanwise.executors`, the other side in `fanwise.engine`. Spans are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from fanwise.catalog import Runs
from fanwise.context import ItemContext, WorkflowContext


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """One attempt to be made: in which context, of which item, which try.

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
    """Hands out the attempts of one task, and takes back what came of them.

    Never more than `width` tickets are out at a time if each worker returns one before it takes
    the next, and there are at most `width` workers.
    """

    width: int

    def take(self) -> Ticket | None:
        """The next attempt, or None if there is none at the moment."""

    async def wait(self) -> bool:
        """Return True when it is worth asking again, False when nothing will come any more."""

    def succeeded(
        self, ticket: Ticket, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """The attempt gave `output`, JSON text."""

    def failed(
        self,
        ticket: Ticket,
        error: BaseException,
        started_at: float,
        duration_s: float,
        busy: Future | None = None,
    ) -> None:
        """The attempt raised `error`. No other attempt of the item starts before `busy` is done."""

    def cancelled(self, ticket: Ticket, started_at: float, duration_s: float) -> None:
        """The attempt was stopped, because the run wants to stop at once."""

    def on_halt(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when attempts that run are to be stopped at once."""

    def notice(self, text: str) -> None:
        """Tell whoever watches the run."""


class AttemptLog(Protocol):
    """What the attempts of one worker print and log, one after the other.

    `written` is text in UTF-8. While the log isn't open, what is printed goes where it always went.
    """

    is_open: bool
    written: bytearray

    def keep(self, ticket: Ticket, started_at: float) -> None:
        """Close the log, and record what it holds, if anything, as that of this attempt."""


class Call(Protocol):
    """What all attempts of one visit of a task have in common: one attempt, wherever it runs."""

    function: Callable[..., Any]
    runs: Runs
    timeout_s: float | None

    def arguments(self, ticket: Ticket) -> dict[str, Any]:
        """Render and check the input. Raises `AttemptError`."""

    def result(self, value: object, ticket: Ticket) -> bytes:
        """Check and encode what the action returned. Raises `AttemptError`."""

    def describe(self, ticket: Ticket) -> str:
        """The attempt's task and item, for messages."""

    def open_log(self) -> AbstractContextManager[AttemptLog]:
        """A block in which what is printed goes to a log of its own, which begins open.

        It hears the asyncio task that the block stands in, and threads that run in a copy of its
        context.
        """


class Executor(Protocol):
    """Where actions run."""

    async def execute(self, feed: Feed, call: Call) -> None:
        """Make the attempts that `feed` hands out, until none will come any more."""
