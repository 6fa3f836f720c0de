"""The base of both feeds: it retries attempts, stops, and wakes the workers that wait.

`SingleAttempt` (`solo.py`) is the feed of a task without items, `ItemAttempts` (`items.py`) of a
task with items. Feeds live on the event loop's thread and are called by the workers of an executor.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from fanwise.catalog import Parked
from fanwise.engine.attempt import encode_result
from fanwise.engine.capture import unheard
from fanwise.engine.feeds.parked import ParkedAttempts
from fanwise.engine.feeds.progress import Progress, Stop
from fanwise.engine.feeds.traces import Attempts, with_attempt
from fanwise.engine.limits import RetryQueue, Slots
from fanwise.engine.parking import ParkedChild
from fanwise.engine.services import RunServices
from fanwise.engine.settings import TaskSettings
from fanwise.engine.settling import outcome_of
from fanwise.engine.visit import Visit
from fanwise.errors import AttemptError, LimitError
from fanwise.model import (
    ErrorInfo,
    Sleep,
    Status,
    TaskResult,
    Wait,
    WaitPlace,
    WaitRequest,
    WaitToOpen,
)
from fanwise.plan import Value, truth
from fanwise.ports import Future, Ticket
from fanwise.values import decode, encode

_LONGEST_WAIT_S: Final = 86_400.0
"""Seconds that an error can ask for at most before a retry."""


class AttemptQueue(ABC):
    """The attempts of one visit, queued; implements `ports.ChunkFeed`."""

    width = 1

    def __init__(
        self,
        settings: TaskSettings,
        progress: Progress,
        run: RunServices,
        slots: Slots,
        visit: Visit,
        *,
        is_workflow: bool,
    ) -> None:
        services = run.services
        self._settings = settings
        self._progress = progress
        self._clock = services.clock
        self._randomness = services.randomness
        self._run = run
        self._visit = visit
        self._slots = slots
        self._activity = run.activity
        self._actions = 0 if is_workflow else 1  # that an attempt counts as in the activity
        self._retries = RetryQueue(services.clock, self._wake)
        self._held: dict[Future, Ticket] = {}  # retries that wait for a thread to be let go of
        self._left: set[Future] = set()  # calls that were left behind, and still run
        self._earlier: dict[int | None, Attempts] = {}  # of items that are to be tried again
        self._parked = ParkedAttempts(run.parking, run.activity, self._wake)
        self._is_resting = False
        self._on_rest: Callable[[], None] = _do_nothing
        self.was_parked = False
        """True if an attempt waited when the visit was stopped."""
        self._is_closed = False
        self._is_paused = False
        self._is_halted = False
        self._changed = asyncio.get_running_loop().create_future()
        self._halt: Callable[[], None] | None = None

    @abstractmethod
    def take(self) -> Ticket | None:
        """The next attempt, or None if there is none at the moment."""

    @property
    @abstractmethod
    def rest(self) -> int | None:
        """The number of items that haven't been handed out, or None if it isn't known."""

    @abstractmethod
    def take_ahead(self) -> Ticket | None:
        """The next attempt without a slot, or None: also where each start has to be asked for."""

    def begin(self) -> None:
        """Count an attempt that was taken ahead as running."""
        self._occupy()

    def put_back(self, tickets: Sequence[Ticket], *, running: int = 0) -> None:
        """Hand these attempts out again, first and in this order; `running` of them hold a slot."""
        for _ in range(running):
            self._release()
        if self._is_closed:
            self._withdraw(tickets)
        elif tickets:
            self._hand_out_again(tickets)
            self._wake()

    def _withdraw(self, tickets: Iterable[Ticket]) -> None:
        """Take attempts back that haven't begun, after the feed was closed."""
        for ticket in tickets:
            if ticket.attempt > 1:
                self._retry(ticket)
            else:
                self._put_back(ticket)

    @abstractmethod
    def wait(self) -> Awaitable[bool]:
        """True when it is worth taking again, False when nothing will come any more."""

    @abstractmethod
    async def drained(self) -> None:
        """Return when no attempt is left, and none waits to be made."""

    @property
    def calls_left(self) -> int:
        """The number of calls that were left behind, and still run."""
        return len(self._left)

    def left_behind(self, call: Future) -> None:
        """Count a call whose attempt has ended, but which still runs until it is done."""
        self._left.add(call)
        call.add_done_callback(self._left.discard)
        if not self._slots.leave(call):
            error = LimitError(
                "more calls than may run at once have overrun their timeouts and still run. Give "
                "what they wait for a timeout of its own.",
                setting="limits.running",
            )
            self.give_up(error)

    def notice(self, text: str) -> None:
        """Pass a fact on to the run's observer, past the log of the attempt at hand."""
        unheard(self._run.observer.notice)(text)

    def on_halt(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when attempts that run are to be stopped at once."""
        self._halt = callback

    def stop(self, how: Stop) -> None:
        """Hand out nothing new, and stop attempts in flight as well unless they are to finish."""
        self._is_closed = True
        self._is_halted = self._is_halted or how is Stop.CANCEL
        self._is_paused = not self._is_halted
        held, self._held = self._held, {}
        for ticket in [*self._retries.clear(), *held.values()]:
            self._retry(ticket)
        for ticket in self._parked.clear():
            self._hold_back(ticket)
        self._note_waiting()
        self._progress.is_stopping = True
        if how is not Stop.PAUSE and self._halt is not None:
            self._halt()
        self._wake()

    def succeeded(
        self, ticket: Ticket, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """Take the attempt's `output`, JSON text."""
        self._release()
        self._succeed(ticket, output, started_at, duration_s)

    def _succeed(self, ticket: Ticket, output: bytes, started_at: float, duration_s: float) -> None:
        if self._settings.retry_until is None:
            self._end(ticket, Status.SUCCEEDED, output, None, started_at, duration_s)
        else:
            self._poll(ticket, self._settings.retry_until, output, started_at, duration_s)

    def _poll(
        self, ticket: Ticket, until: Value, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """Record a success that `until` accepts; retry any other, or fail it."""
        try:
            outcome = TaskResult(Status.SUCCEEDED, output=decode(output))
            is_met = truth(until, until.evaluate(ticket.context, outcome))
        except AttemptError as problem:
            error = self._run.describe(problem)
            self._end(ticket, Status.FAILED, None, error, started_at, duration_s)
            return
        if is_met:
            self._end(ticket, Status.SUCCEEDED, output, None, started_at, duration_s)
            return
        wait_s = self._wait_s(ticket)
        if self._may_retry(ticket, started_at, wait_s):
            error = ErrorInfo("UntilNotMet", "retry.until is not true")
            self._note_attempt(ticket, error, started_at, duration_s)
            self._retry(Ticket(ticket.context, ticket.index, ticket.attempt + 1), wait_s)
        else:
            is_late = ticket.attempt <= self._settings.retry.count
            bound = "retry.within" if is_late else "retry.count or retry.delay"
            error = ErrorInfo(
                "UntilNotMet",
                f"{until.place}  retry.until is not true after attempt {ticket.attempt}, the last "
                f"one. Raise {bound} if it takes longer.",
                data={"result": outcome.output},
            )
            self._end(ticket, Status.FAILED, None, error, started_at, duration_s)

    def cancelled(self, ticket: Ticket, started_at: float, duration_s: float) -> None:
        """Take back an attempt that was stopped, because the run is to stop at once."""
        self._release()
        if self._is_halted:
            self._end(ticket, Status.CANCELLED, None, None, started_at, duration_s)
        else:
            self._put_back(ticket)

    def failed(
        self,
        ticket: Ticket,
        error: BaseException,
        started_at: float,
        duration_s: float,
        busy: Future | None = None,
    ) -> None:
        """Retry an attempt that raised `error` later, park it, or record the failure."""
        if busy is None:
            self._release()
            if isinstance(error, Parked | ParkedChild):
                self._park(ticket, error, started_at)
                return
        else:  # a thread still works at it, so it keeps its slot until that returns
            busy.add_done_callback(lambda _: self._release())
        self._fail(ticket, error, started_at, duration_s, busy)

    def _fail(
        self,
        ticket: Ticket,
        error: BaseException,
        started_at: float,
        duration_s: float,
        busy: Future | None = None,
    ) -> None:
        info = self._run.describe(error)
        wait_s = max(self._wait_s(ticket), _retry_after_s(error))
        if (
            _is_retryable(error)
            and self._may_retry(ticket, started_at, wait_s)
            and not self._is_halted
        ):
            try:
                wanted = self._wants_retry(ticket, info)
            except AttemptError as problem:
                wanted = False
                message = f"{info.message} (and retry.when: {self._run.describe(problem).message})"
                info = replace(info, message=message)
            if wanted:
                self._note_attempt(ticket, info, started_at, duration_s)
                again = Ticket(ticket.context, ticket.index, ticket.attempt + 1)
                if busy is None:
                    self._retry(again, wait_s)
                else:
                    self._held[busy] = again
                    busy.add_done_callback(partial(self._retry_held, wait_s))
                return
        self._end(ticket, Status.FAILED, None, info, started_at, duration_s)

    # Waits

    @property
    def parked_places(self) -> list[WaitPlace]:
        """The places of the waits that attempts are parked for."""
        return self._parked.places

    @property
    def is_resting(self) -> bool:
        """True while nothing is left to do but to wait for the settling of recorded waits."""
        return self._is_resting and bool(self._parked.attempts)

    @property
    @abstractmethod
    def is_still(self) -> bool:
        """True if nothing is handed out unless an attempt ends or is due; see `RunningVisit`."""

    def _has_own_time(self) -> bool:
        """True if something starts by itself, or counts time that no resume would know."""
        settings = self._settings
        counts_time = (bool(self._retries) and settings.retry.within_s != math.inf) or (
            self._progress.running > 0 and settings.timeout_s is not None
        )
        return bool(self._held or self._left or self._retries.ready) or counts_time

    @property
    def resting(self) -> int:
        """The number of attempts that wait for recorded waits, or for their next try."""
        return self._parked.recorded + len(self._retries)

    @property
    def next_try_s(self) -> float | None:
        """The seconds until the first attempt that waits is due, or None if there is none."""
        return self._retries.due_in_s

    def waiting_tries(self) -> Iterator[Sleep]:
        """Yield the attempts that wait for their next try, as records."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for due, ticket in self._retries.waiting():
            path = self._visit.item(ticket.index)
            due_at = now + due - monotonic
            yield Sleep(self._visit.run_no, path, -ticket.attempt, due_at)

    @abstractmethod
    def try_later(self, index: int | None, attempt: int, due_at: float) -> None:
        """Make an attempt of a visit that was begun wait until it is due, as it did before."""

    def on_rest(self, callback: Callable[[], None]) -> None:
        """Have `callback` called whenever the feed has come to rest."""
        self._on_rest = callback

    def _park(self, ticket: Ticket, asked: Parked | ParkedChild, started_at: float) -> None:
        """Keep an attempt without a slot until its wait is settled, or one of its child's is."""
        if self._is_halted or self._is_paused:
            self._hold_back(ticket)
            return
        if isinstance(asked, ParkedChild):
            self._parked.add_child(ticket, asked.places, partial(self._wake_child, ticket))
        elif self._parked.has_room():
            wait = self._wait_of(ticket, asked.request)
            self._parked.add(ticket, wait, partial(self._settle, ticket, started_at))
        else:
            error = LimitError(
                "the run has too many open questions and waits for signals.",
                setting="limits.waiting",
            )
            self._fail(ticket, error, started_at, 0.0)
            return
        self._wake()

    def _wait_of(self, ticket: Ticket, request: WaitRequest) -> WaitToOpen:
        masker = self._run.masker
        form = encode(masker.mask(decode(request.form)), where="question")
        request = replace(request, form=form)
        path = self._visit.item(ticket.index)
        return WaitToOpen(path, ticket.attempt, request, self._settings.timeout_s)

    def _settle(self, ticket: Ticket, started_at: float, wait: Wait) -> None:
        """End an attempt whose wait is settled."""
        self._is_resting = False
        duration_s = self._clock.now() - started_at
        outcome = outcome_of(wait)
        if isinstance(outcome, AttemptError):
            self._fail(ticket, outcome, started_at, duration_s)
        else:
            output = encode_result(outcome, self._run.masker)
            self._succeed(ticket, output, started_at, duration_s)
        self._wake()

    def _wake_child(self, ticket: Ticket, _: Wait) -> None:
        """Hand a child out again, since one of its waits is settled."""
        self._is_resting = False
        self._hand_out_again([ticket])
        self._wake()

    def _hold_back(self, ticket: Ticket) -> None:
        """End an attempt that waits as cancelled, or keep it for later."""
        if self._is_halted:
            self._end(ticket, Status.CANCELLED, None, None, self._clock.now(), 0.0)
        else:
            self.was_parked = True
            self._put_back(ticket)

    def _note_rest(self, *, is_over: bool) -> None:
        """Note whether all that is left waits; `is_over` if nothing more is to be handed out."""
        self._is_resting = (
            is_over
            and bool(self._parked.attempts)
            and not (self._progress.running or self._retries or self._held)
            and self._parked.recorded == len(self._parked.attempts)
        )
        if self._is_resting:
            self._on_rest()

    def _note_attempt(
        self, ticket: Ticket, error: ErrorInfo, started_at: float, duration_s: float
    ) -> None:
        """Keep a failed attempt, after which the item is tried again, for the item's record."""
        earlier = self._earlier.get(ticket.index, ())
        self._earlier[ticket.index] = with_attempt(
            earlier, ticket.attempt, error, started_at, duration_s
        )

    def _wait_s(self, ticket: Ticket) -> float:
        """Seconds to wait after this attempt before another, if there is one."""
        return self._settings.retry.wait_s(ticket.attempt, self._randomness.fraction())

    def _may_retry(self, ticket: Ticket, started_at: float, wait_s: float) -> bool:
        """True if another attempt may follow one that started then, after so many seconds."""
        passed_s = self._clock.now() + wait_s - self._began_at(ticket, started_at)
        return self._settings.retry.allows(ticket.attempt, passed_s)

    def _began_at(self, ticket: Ticket, started_at: float) -> float:
        """The time at which the first attempt began, for an attempt that started then."""
        earlier = self._earlier.get(ticket.index)
        return earlier[0].started_at if earlier else started_at

    def _retry_held(self, wait_s: float, busy: Future) -> None:
        """Retry an item whose attempt overran its timeout, now that its thread is let go of."""
        ticket = self._held.pop(busy, None)
        if ticket is not None:
            self._retry(ticket, wait_s)

    def _retry(self, ticket: Ticket, wait_s: float = 0.0) -> None:
        """Queue another attempt, unless the run is to stop."""
        if self._is_halted:
            made = Ticket(ticket.context, ticket.index, ticket.attempt - 1)
            self._end(made, Status.CANCELLED, None, None, self._clock.now(), 0.0)
        elif self._is_paused:
            self._put_back(ticket)
        else:
            self._retries.add(ticket, wait_s)
            self._note_waiting()
            self._activity.note_sleep()

    def _wants_retry(self, ticket: Ticket, error: ErrorInfo) -> bool:
        when = self._settings.retry_when
        outcome = TaskResult(Status.FAILED, error=error)
        return when is None or truth(when, when.evaluate(ticket.context, outcome))

    def _occupy(self) -> None:
        self._slots.free -= 1
        self._progress.running += 1
        self._activity.awake += self._actions

    def _release(self) -> None:
        self._progress.running -= 1
        self._activity.left(self._actions)
        self._slots.give_back()
        if self._parked.attempts:  # perhaps nothing else is left
            self._wake()

    def _note_waiting(self) -> None:
        waiting = len(self._retries)
        self._activity.lie_down(waiting - self._progress.waiting)
        self._progress.waiting = waiting

    def _has_slot(self) -> bool:
        """True if the process may run one more attempt; if not, take again when it may."""
        if self._slots.free > 0:
            return True
        self._slots.when_free(self._wake)
        return False

    def give_up(self, error: AttemptError) -> None:
        """Start nothing any more, and fail the visit with `error`."""
        info = self._run.describe(error)
        self._is_closed = True
        held, self._held = self._held, {}
        for ticket in [*self._retries.clear(), *held.values()]:
            made = Ticket(ticket.context, ticket.index, ticket.attempt - 1)
            self._end(made, Status.FAILED, None, info, self._clock.now(), 0.0)
        for ticket in self._parked.clear():
            self._end(ticket, Status.FAILED, None, info, self._clock.now(), 0.0)
        self._note_waiting()
        self._fail_rest(error)
        self._wake()

    def _has_retry(self) -> bool:
        """True if a retry is due; those that have waited too long for a slot fail instead."""
        ready = self._retries.ready
        while ready and not self._is_in_time(ready[0]):
            ticket = ready.popleft()
            self._note_waiting()
            last = self._earlier[ticket.index][-1]
            made = Ticket(ticket.context, ticket.index, last.attempt)
            error = ErrorInfo(last.type, last.message)
            self._end(made, Status.FAILED, None, error, last.started_at, last.duration_s)
        return bool(ready)

    def _is_in_time(self, retry: Ticket) -> bool:
        if self._settings.retry.within_s == math.inf:
            return True
        passed_s = self._clock.now() - self._began_at(retry, 0.0)
        return self._settings.retry.allows(retry.attempt - 1, passed_s)

    def _take_retry(self) -> Ticket:
        """Take a retry that is due out of the queue; its slot is the caller's affair."""
        ticket = self._retries.ready.popleft()
        self._note_waiting()
        return ticket

    def _wake(self) -> None:
        """Let every worker that waits look again."""
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)

    @abstractmethod
    def _hand_out_again(self, tickets: Sequence[Ticket]) -> None:
        """Hand these attempts out before all others."""

    @abstractmethod
    def _put_back(self, ticket: Ticket) -> None:
        """Keep a started attempt for later: the run is paused before its end."""

    @abstractmethod
    def _fail_rest(self, error: AttemptError) -> None:
        """Fail the visit for an error by which its remaining attempts can't start."""

    @abstractmethod
    def _end(
        self,
        ticket: Ticket,
        status: Status,
        output: bytes | None,
        error: ErrorInfo | None,
        started_at: float,
        duration_s: float,
    ) -> None:
        """Take the final outcome of a ticket."""


def _do_nothing() -> None:
    """Hear of nothing."""


def _is_retryable(error: BaseException) -> bool:
    """True if the error lets its item be retried. The error's class is the author's own."""
    if not issubclass(type(error), AttemptError):
        return True
    try:
        return bool(getattr(error, "retryable", True))
    except Exception:
        return False


def _retry_after_s(error: BaseException) -> float:
    """Return the wait that an error asks for, in seconds; 0 for none. Its class is the author's."""
    if not issubclass(type(error), AttemptError):
        return 0.0
    try:
        asked = float(getattr(error, "retry_after_s", None) or 0.0)
        return min(max(0.0, asked), _LONGEST_WAIT_S)
    except Exception:
        return 0.0
