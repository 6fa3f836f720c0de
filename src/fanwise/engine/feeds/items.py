"""The feed of a task with items: from a source, through the slots, into the journal.

`ItemAttempts` pulls items from a source as slots come free, wraps each in an `ItemContext`, and
gives each outcome to the journal; an item has ended only when its outcome is committed. Memory
depends on the number of slots, never on the number of items: one chunk of the source, the items in
flight, and a bounded number that wait to be retried.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from shlex import quote

import msgspec

from fanwise.context import ItemContext, WorkflowContext
from fanwise.engine.capture import log_text
from fanwise.engine.feeds.bad_records import BadRecords
from fanwise.engine.feeds.base import AttemptQueue
from fanwise.engine.feeds.progress import Progress, Stop
from fanwise.engine.feeds.pulse import Pulse
from fanwise.engine.feeds.reader import NOTHING, ItemReader
from fanwise.engine.feeds.tally import Tally
from fanwise.engine.feeds.traces import encode_attempts, item_text, label_of, label_text
from fanwise.engine.limits import RateLimiter, Slots
from fanwise.engine.services import RunServices
from fanwise.engine.settings import TaskSettings
from fanwise.engine.visit import Visit
from fanwise.errors import AttemptError
from fanwise.model import ErrorInfo, ItemOutcome, LogEntry, RecordedItems, Status, TaskResult
from fanwise.ports import Source, Ticket

_WAITING_PER_SLOT = 20
_WAITING_AT_LEAST = 1_000


class ItemAttempts(AttemptQueue):
    """The feed of a task with items, one ticket for each element of `source`."""

    def __init__(
        self,
        context: WorkflowContext,
        visit: Visit,
        source: Source,
        settings: TaskSettings,
        progress: Progress,
        run: RunServices,
        slots: Slots,
        bad_records: BadRecords | None = None,
        *,
        is_workflow: bool,
    ) -> None:
        super().__init__(settings, progress, run, slots, visit, is_workflow=is_workflow)
        self.width = min(settings.concurrency, run.services.limits.running)
        self._context = context
        self._run_no, self._visit_no = visit.run_no, visit.visit_no
        self._reader = ItemReader(source)
        self._tally = Tally(settings.tolerate, progress, bad_records)
        self._bad_records = bad_records
        if bad_records is not None:
            bad_records.on_change(self._stop_if_intolerable)
        self._journal = run.journal
        # Of steps of children, which may be millions, nobody watches each.
        self._pulse: Pulse | None = None
        if not run.depth:
            later = asyncio.get_running_loop().call_later
            self._pulse = Pulse(visit, progress, self._clock, later, run.journal.note)
        self._lane = run.journal.lane(self._tally.add if self._pulse is None else self._count)
        self._again: deque[Ticket] = deque()  # attempts to hand out again, first
        self._later: dict[int, tuple[int, float]] = {}  # attempts of items, and when they are due
        self._has_interrupted = False  # whether a pause has put an item back
        self._most_waiting = max(_WAITING_AT_LEAST, _WAITING_PER_SLOT * self.width)
        rate = settings.rate_per_s
        self._rate_limiter = None if rate is None else RateLimiter(self._clock, rate)
        self._has_overrun = False  # whether a worker waits in `drained`
        self._is_early = False  # whether the rate limiter has just refused a start
        self._has_noticed_label = False
        self._is_plain = settings.retry_until is None and settings.keeps_output
        self._has_label = settings.label is not None
        progress.total = source.total

    def _count(self, outcomes: Sequence[ItemOutcome]) -> None:
        self._tally.add(outcomes)
        if self._pulse is not None:
            self._pulse.touch()

    @property
    def attempts(self) -> int:
        """Attempts of all recorded items together."""
        return self._tally.attempts

    @property
    def is_total_known(self) -> bool:
        """True if the number of items is known, not only that of those so far."""
        return self._reader.is_total_known

    def skip(self, recorded: RecordedItems, first_failed: ItemOutcome | None) -> None:
        """Hand out none of the items that are recorded, and count them as they are."""
        self._reader.skip(recorded.indexes)
        self._tally.restore(recorded, first_failed)
        if recorded.failed and self._settings.stops_on_error and not self._is_tolerable():
            self._is_closed = True

    def try_later(self, index: int | None, attempt: int, due_at: float) -> None:
        """Have an item begin with an attempt that waits for its time."""
        assert index is not None  # each item has one
        self._later[index] = attempt, due_at

    @property
    def is_still(self) -> bool:
        """True if nothing is handed out unless an attempt ends or is due; see `RunningVisit`."""
        reader = self._reader
        has_more = not self._is_closed and not reader.is_read_to_its_end
        may_start = has_more and self._progress.running < self.width
        return not (may_start or self._again or self._has_own_time())

    # Handing out

    def stop(self, how: Stop) -> None:
        """Hand out nothing new, and stop attempts in flight as well unless they are to finish."""
        super().stop(how)
        self._withdraw_again()

    def give_up(self, error: AttemptError) -> None:
        """Start nothing any more, and fail the visit with `error`."""
        super().give_up(error)
        self._withdraw_again()

    @property
    def rest(self) -> int | None:
        """The number of items that haven't been handed out, or None if it isn't known."""
        reader = self._reader
        return reader.total - reader.index if reader.is_total_known else None

    def take(self) -> Ticket | None:
        """The next attempt: a retry that is due, or the source's next item."""
        slots = self._slots
        if self._journal.is_full or (slots.free <= 0 and not self._has_slot()):
            return None
        ticket = self._next_ticket()
        if ticket is not None:
            slots.free -= 1
            self._progress.running += 1
            self._activity.awake += self._actions
        return ticket

    def take_ahead(self) -> Ticket | None:
        """The next attempt without a slot; None with a `rate`, or if others wait for slots."""
        slots = self._slots
        if self._journal.is_full or self._rate_limiter is not None:
            return None
        if slots.free <= 0 and len(slots.waiting) > (self._wake in slots.waiting):
            return None
        return self._next_ticket()

    def _next_ticket(self) -> Ticket | None:
        if self._again or (self._retries.ready and self._has_retry()):
            if self._rate_limiter is not None and not self._may_start(self._rate_limiter):
                return None
            return self._again.popleft() if self._again else self._take_retry()
        if self._progress.waiting > self._most_waiting:
            return None
        reader = self._reader
        while not self._is_closed:
            if self._rate_limiter is not None and not self._may_take_item(self._rate_limiter):
                return None
            index = reader.index
            item = reader.next_item()
            if item is NOTHING:
                return None
            ticket = Ticket(ItemContext(self._context, item, index), index, 1)
            if index in self._later:
                attempt, due_at = self._later.pop(index)
                later = msgspec.structs.replace(ticket, attempt=attempt)
                self._retry(later, max(0.0, due_at - self._clock.now()))
                continue
            if type(item) is not ErrorInfo:
                return ticket
            error = self._run.present(item)
            self._end(ticket, Status.FAILED, None, error, self._clock.now(), 0.0)
        return None

    def _may_take_item(self, limiter: RateLimiter) -> bool:
        """True unless the next item has to wait for its start; an unreadable one has no start."""
        item = self._reader.peek()
        return item is NOTHING or type(item) is ErrorInfo or self._may_start(limiter)

    def _may_start(self, limiter: RateLimiter) -> bool:
        self._is_early = not limiter.may_start()
        return not self._is_early

    def wait(self) -> Awaitable[bool]:
        """True when it is worth taking again, False when nothing will come any more."""
        return self._room() if self._journal.is_full else self._turn(self._changed)

    async def _room(self) -> bool:
        await self._journal.room()
        return True

    async def _turn(self, changed: asyncio.Future[None]) -> bool:
        limiter = self._rate_limiter
        if limiter is not None and self._is_early:
            self._is_early = False
            await limiter.turn()
            return True
        if await self._changes(changed):
            return True
        if limiter is not None:
            limiter.wake()  # no start will let those in who still wait in line
        if self._has_overrun:
            super()._wake()
        return False

    async def drained(self) -> None:
        """Return when no attempt is left, and none waits to be made."""
        self._has_overrun = True
        while await self._changes(self._changed):
            pass

    async def _changes(self, changed: asyncio.Future[None]) -> bool:
        """Return True when there may be an attempt to take, False when none will come any more.

        `changed` is done by the first change since it was looked whether there is one.
        """
        reader = self._reader
        has_item = (reader.has_item and not self._is_closed) or bool(self._again)
        may_read = not (reader.is_exhausted or has_item or self._is_closed)
        if may_read and self._progress.waiting <= self._most_waiting:
            await reader.refill(changed)
        elif has_item or may_read or self._retries or self._held or self._parked.attempts:
            if self._parked.attempts:
                self._note_rest(is_over=not (has_item or may_read))
            await asyncio.shield(changed)  # others wait for it
        else:
            return False
        return True

    def _wake(self) -> None:
        super()._wake()
        if self._rate_limiter is not None:
            self._rate_limiter.wake()

    # Taking back

    def succeeded(
        self, ticket: Ticket, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """Take the attempt's `output`. The common outcome is recorded without a detour."""
        if not self._is_plain or ticket.attempt > 1:
            super().succeeded(ticket, output, started_at, duration_s)
            return
        self._progress.running -= 1
        self._activity.left(self._actions)
        slots = self._slots
        if slots.waiting:
            slots.give_back()
        else:
            slots.free += 1
        if self._parked.attempts:  # perhaps nothing else is left
            self._wake()
        self._lane.append(
            ItemOutcome(
                self._run_no,
                self._visit_no,
                ticket.index,  # type: ignore[arg-type]  # an item has one
                Status.SUCCEEDED,
                ticket.attempt,
                started_at,
                duration_s,
                output,
                None,
                self._label(ticket) if self._has_label else None,
            )
        )

    def _end(
        self,
        ticket: Ticket,
        status: Status,
        output: bytes | None,
        error: ErrorInfo | None,
        started_at: float,
        duration_s: float,
    ) -> None:
        assert ticket.index is not None
        settings = self._settings
        earlier = self._earlier.pop(ticket.index, None) if self._earlier else None
        is_seldom = status is Status.FAILED or earlier is not None
        item = self._item_text(ticket) if is_seldom else None
        label = self._label(ticket) if self._has_label else None
        if label is None and item is not None and status is Status.FAILED:
            label = label_of(item)
        self._lane.append(
            ItemOutcome(
                self._run_no,
                self._visit_no,
                ticket.index,
                status,
                ticket.attempt,
                started_at,
                duration_s,
                output if settings.keeps_output else None,
                None if error is None else msgspec.json.encode(error),
                label,
                item,
                None if earlier is None else encode_attempts(earlier),
            )
        )
        if status is Status.FAILED:
            self._tally.failures += 1
            self._stop_if_intolerable()

    def _label(self, ticket: Ticket) -> str | None:
        """The item's label; None for an item that can't be read, whose error says so.

        A label that can't be rendered is noticed once, and fails nothing.
        """
        assert self._settings.label is not None
        assert isinstance(ticket.context, ItemContext)
        if type(ticket.context.item) is ErrorInfo:
            return None
        try:
            label = str(self._settings.label.evaluate(ticket.context, None))
        except AttemptError as error:
            if not self._has_noticed_label:
                self._has_noticed_label = True
                self.notice(f"an item's label can't be rendered: {error}")
            return None
        return label_text(label, self._run.masker)

    def _item_text(self, ticket: Ticket) -> bytes | None:
        """The item as it is recorded with a failure; None for one that can't be read."""
        assert isinstance(ticket.context, ItemContext)
        item = ticket.context.item
        if type(item) is ErrorInfo:
            return None
        return item_text(item, self._run.masker, self._run.services.limits.error_bytes)

    def _stop_if_intolerable(self) -> None:
        if self._settings.stops_on_error and not self._is_tolerable():
            self._is_closed = True
            self._withdraw_again()
            self._wake()

    def _is_tolerable(self) -> bool:
        return self._tally.is_tolerable(self._reader.total)

    def _fail_rest(self, error: AttemptError) -> None:
        self._reader.error = error

    def _withdraw_again(self) -> None:
        again, self._again = self._again, deque()
        self._withdraw(again)

    def _hand_out_again(self, tickets: Sequence[Ticket]) -> None:
        self._again.extendleft(reversed(tickets))

    def _put_back(self, ticket: Ticket) -> None:
        self._has_interrupted = True

    # The end

    async def finish(self) -> TaskResult:
        """The task's result, or its pause, once every outcome is committed."""
        reader, tally = self._reader, self._tally
        pauses = self._is_paused and (self._has_interrupted or not reader.is_read_to_its_end)
        if self._bad_records is not None and self._bad_records.count and not pauses:
            self._tell_bad_records(self._bad_records)
        await self._journal.flush()
        total = reader.total
        if pauses:
            return TaskResult(Status.PAUSED, items=tally.counts(total))
        self._progress.total = total
        if reader.error is not None:
            error = self._run.describe(reader.error)
            return TaskResult(Status.FAILED, error=error, items=tally.counts(total))
        if self._is_halted:
            return TaskResult(Status.CANCELLED, items=tally.counts(total))
        return tally.judge(total)

    def _tell_bad_records(self, bad: BadRecords) -> None:
        """Log the records that were left out, and notice how many they are."""
        path, masker = self._visit.path, self._run.masker
        text = log_text(bad.written.decode("utf-8", "ignore"), bad.left_out_bytes, masker)
        at = self._clock.now()
        self._journal.add_log(LogEntry(self._run_no, self._visit_no, None, 1, path, at, text))
        count = f"{bad.count:,} of {bad.records:,} records of {path}"
        self.notice(
            f"{count} can't be read and are left out: fanwise logs {self._run.run_id} {quote(path)}"
        )

    def close(self) -> None:
        """Stop reading the source, and give it back."""
        if self._pulse is not None:
            self._pulse.close()
        if self._rate_limiter is not None:
            self._rate_limiter.close()
        self._reader.close()
