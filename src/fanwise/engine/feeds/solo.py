"""The feed of a task without items: one ticket, one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from fanwise.context import WorkflowContext
from fanwise.engine.feeds.base import AttemptQueue
from fanwise.engine.feeds.progress import Progress
from fanwise.engine.feeds.traces import Attempts
from fanwise.engine.limits import Slots
from fanwise.engine.services import RunServices
from fanwise.engine.settings import TaskSettings
from fanwise.engine.visit import Visit
from fanwise.errors import AttemptError
from fanwise.model import ErrorInfo, Status
from fanwise.ports import Ticket


class SingleAttempt(AttemptQueue):
    """The feed of a task without items. `status` is None until it ends, and if it was paused.

    `began_at` is when the visit began, in an earlier process.
    """

    def __init__(
        self,
        context: WorkflowContext,
        settings: TaskSettings,
        progress: Progress,
        run: RunServices,
        slots: Slots,
        visit: Visit,
        *,
        is_workflow: bool,
        began_at: float | None = None,
    ) -> None:
        super().__init__(settings, progress, run, slots, visit, is_workflow=is_workflow)
        self._visit_began_at = began_at
        self._next: Ticket | None = Ticket(context, None, 1)
        self.status: Status | None = None
        self.output: bytes | None = None
        self.error: ErrorInfo | None = None
        self.attempts = 0
        self.earlier: Attempts = ()

    @property
    def rest(self) -> int | None:
        """One attempt at most is left."""
        return 1

    def take_ahead(self) -> Ticket | None:
        """Nothing: there is never a second attempt beside one that runs."""
        return None

    def take(self) -> Ticket | None:
        """The first attempt, or a retry that is due."""
        has_first = self._next is not None and not self._is_closed
        if not (has_first or self._retries.ready) or not self._has_slot():
            return None
        if self._has_retry():
            ticket: Ticket | None = self._take_retry()
        else:
            ticket, self._next = self._next, None
        if ticket is not None:
            self._occupy()
        return ticket

    def wait(self) -> Awaitable[bool]:
        """True when an attempt may be due, False when none will come any more."""
        return self._change(self._changed)

    async def _change(self, changed: asyncio.Future[None]) -> bool:
        if not self._has_more():
            return False
        if self._parked.attempts:
            self._note_rest(is_over=self._next is None or self._is_closed)
        await asyncio.shield(changed)
        return True

    async def drained(self) -> None:
        """Return when no attempt is left, and none waits to be made."""
        while self._has_more():
            await asyncio.shield(self._changed)  # others wait for it

    @property
    def is_still(self) -> bool:
        """True if nothing is handed out unless an attempt ends or is due; see `RunningVisit`."""
        return self._next is None and not self._has_own_time()

    def try_later(self, index: int | None, attempt: int, due_at: float) -> None:
        """Begin with an attempt that waits for its time."""
        assert self._next is not None  # nothing was handed out
        ticket = Ticket(self._next.context, None, attempt)
        self._next = None
        self._retry(ticket, max(0.0, due_at - self._clock.now()))

    def _has_more(self) -> bool:
        has_first = self._next is not None and not self._is_closed
        return has_first or bool(self._retries or self._held or self._parked.attempts)

    def _began_at(self, ticket: Ticket, started_at: float) -> float:
        if self._visit_began_at is not None:
            return self._visit_began_at
        return super()._began_at(ticket, started_at)

    def _fail_rest(self, error: AttemptError) -> None:
        ticket, self._next = self._next, None
        if ticket is not None:
            info = self._run.describe(error)
            self._end(ticket, Status.FAILED, None, info, self._clock.now(), 0.0)

    def _hand_out_again(self, tickets: Sequence[Ticket]) -> None:
        (self._next,) = tickets

    def _put_back(self, ticket: Ticket) -> None:
        self._next = ticket

    def _end(
        self,
        ticket: Ticket,
        status: Status,
        output: bytes | None,
        error: ErrorInfo | None,
        started_at: float,
        duration_s: float,
    ) -> None:
        self.status, self.output, self.error = status, output, error
        self._progress.succeeded += status is Status.SUCCEEDED
        self._progress.failed += status is Status.FAILED
        self.attempts = ticket.attempt
        self.earlier = self._earlier.pop(ticket.index, ())
