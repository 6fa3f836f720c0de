"""The feed of a task with items: from a source, through the slots, into the journal.

`ItemAttempts` pulls items from a source as slots come free, wraps each in an `ItemContext`, and
gives each outcome to the journal; it counts an item as ended only when its outcome is committed.
What it holds at any moment depends on the number of slots, never on the number of items: one chunk
of the source, the items in flight, and a bounded number that wait to be retried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from fanwise.bitmap import Bitmap
from fanwise.context import ItemContext, WorkflowContext
from fanwise.engine.feed import AttemptQueue, FeedParts, Progress
from fanwise.engine.gate import RateLimiter
from fanwise.engine.journal import JournalWriter
from fanwise.engine.settings import TaskSettings
from fanwise.engine.visit import Visit
from fanwise.errors import AttemptError
from fanwise.model import (
    ErrorInfo,
    ItemCounts,
    ItemOutcome,
    RecordedItems,
    Status,
    TaskResult,
)
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
        journal: JournalWriter,
        settings: TaskSettings,
        progress: Progress,
        parts: FeedParts,
    ) -> None:
        super().__init__(settings, progress, parts)
        self.width = settings.concurrency
        self._context = context
        self._run_no, self._visit_no = visit.run_no, visit.visit_no
        self._source = source
        self._journal = journal
        self._lane = journal.lane(self._recorded)
        self._chunk: Sequence[Any] = ()
        self._cursor = 0  # the next element of the chunk
        self._index = 0  # the next item's index
        self._reading: asyncio.Task[None] | None = None
        self._is_exhausted = False
        self._failures = 0  # finished, recorded or not
        self._interrupted = 0  # put back by a pause
        self._most_waiting = max(_WAITING_AT_LEAST, _WAITING_PER_SLOT * self.width)
        rate = settings.rate_per_s
        self._pace = None if rate is None else RateLimiter(parts.clock, rate)
        self._is_early = False  # whether the pace has just refused a start
        self._first_error: tuple[int, ErrorInfo] | None = None
        self._has_told_label = False
        self._is_plain = (
            settings.retry_until is None and settings.label is None and settings.keeps_output
        )
        self.attempts = 0
        """Attempts of all recorded items together."""
        self.error: AttemptError | None = None
        """Why the source can't be read, or None."""
        self._progress.total = source.total
        self._done: Bitmap | None = None  # what is recorded of a visit that goes on
        self._wanted = 0  # the next index that isn't

    def skip(self, recorded: RecordedItems, first_failed: ItemOutcome | None) -> None:
        """Hand out none of the items that are recorded, and count them as they are."""
        self._done = recorded.indexes
        self._failures = self._progress.failed = recorded.failed
        self._progress.succeeded = recorded.succeeded
        self._progress.restored = recorded.succeeded + recorded.failed
        self.attempts = recorded.attempts
        if first_failed is not None:
            self._note_first_error(first_failed)
        if self._failures and self._settings.stops_on_error and not self._is_tolerable():
            self._is_closed = True

    # Handing out

    def take(self) -> Ticket | None:
        """The next attempt: a retry that is due, or the source's next item."""
        slots = self._slots
        if self._journal.is_full or (slots.free <= 0 and not self._has_slot()):
            return None
        if self._retries.ready:
            return self._take_retry() if self._pace is None or self._may_start() else None
        if self._progress.waiting > self._most_waiting:
            return None
        while self._cursor < len(self._chunk) and not self._is_closed:
            item = self._chunk[self._cursor]
            index = self._index
            if self._done is not None and (passed := self._passed(len(self._chunk) - self._cursor)):
                self._cursor += passed
                self._index = index + passed
                continue
            is_readable = type(item) is not ErrorInfo
            if self._pace is not None and is_readable and not self._may_start():
                return None
            self._cursor += 1
            self._index = index + 1
            ticket = Ticket(ItemContext(self._context, item, index), index, 1)
            if is_readable:
                slots.free -= 1
                self._progress.running += 1
                return ticket
            error = self._present(item)
            self._end(ticket, Status.FAILED, None, error, self._clock.now(), 0.0)
        return None

    def _passed(self, most: int) -> int:
        """How many of the next items are recorded, one after the other, of `most` at most."""
        assert self._done is not None
        if self._index >= self._wanted:
            self._wanted = self._done.first_missing(self._index)
        return min(self._wanted - self._index, most)

    def _may_start(self) -> bool:
        assert self._pace is not None
        self._is_early = not self._pace.may_start()
        return not self._is_early

    async def wait(self) -> bool:
        """Return True when it is worth asking again, False when nothing will come any more."""
        if self._journal.is_full:
            await self._journal.room()
            return True
        if self._pace is not None and self._is_early:
            self._is_early = False
            await self._pace.turn()
            return True
        has_items = self._cursor < len(self._chunk) and not self._is_closed
        may_read = not (self._is_exhausted or has_items or self._is_closed)
        if may_read and self._progress.waiting <= self._most_waiting:
            await self._refill()
        elif has_items or may_read or self._retries:
            await self._changed
        else:
            if self._pace is not None:
                self._pace.wake()  # no start will let those in who still wait in line
            return False
        return True

    def _wake(self) -> None:
        super()._wake()
        if self._pace is not None:
            self._pace.wake()

    async def _refill(self) -> None:
        """Read the next chunk, or return because something else has changed meanwhile.

        Workers that come while a chunk is being read wait for the same one.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        reading = self._reading
        await asyncio.wait([reading, self._changed], return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()

    async def _read(self) -> None:
        try:
            chunk = await self._source.read()
            # Here, and not only when they are taken: that would wake every worker for each chunk.
            while chunk and self._done is not None and self._passed(len(chunk)) == len(chunk):
                self._index += len(chunk)
                chunk = await self._source.read()
        except AttemptError as error:
            self.error = error
            self._is_closed = True
            chunk = ()
        self._chunk, self._cursor = chunk, 0
        self._is_exhausted = not chunk
        self._reading = None

    # Taking back

    def succeeded(
        self, ticket: Ticket, output: bytes, started_at: float, duration_s: float
    ) -> None:
        """The attempt gave `output`. What most items come to is recorded without a detour."""
        if not self._is_plain:
            super().succeeded(ticket, output, started_at, duration_s)
            return
        self._progress.running -= 1
        slots = self._slots
        if slots.waiting:
            slots.give_back()
        else:
            slots.free += 1
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
            )
        )

    def _recorded(self, outcomes: Sequence[ItemOutcome]) -> None:
        """Count outcomes that the store has committed."""
        others = [outcome.status for outcome in outcomes if outcome.status is not Status.SUCCEEDED]
        failed = others.count(Status.FAILED)
        progress = self._progress
        progress.failed += failed
        progress.succeeded += len(outcomes) - len(others)
        self.attempts += sum([outcome.attempts for outcome in outcomes])
        if failed and self._first_error is None:
            self._note_first_error(
                next(outcome for outcome in outcomes if outcome.status is Status.FAILED)
            )

    def _note_first_error(self, failed: ItemOutcome) -> None:
        assert failed.error is not None
        self._first_error = failed.index, msgspec.json.decode(failed.error, type=ErrorInfo)

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
                None if settings.label is None else self._label(ticket),
            )
        )
        if status is Status.FAILED:
            self._failures += 1
            if settings.stops_on_error and not self._is_tolerable():
                self._is_closed = True
                self._wake()

    def _label(self, ticket: Ticket) -> str | None:
        """What the item is called. One that can't be rendered is told once, and fails nothing."""
        assert self._settings.label is not None
        try:
            return self._mask(str(self._settings.label.evaluate(ticket.context, None)))[:200]
        except AttemptError as error:
            if not self._has_told_label:
                self._has_told_label = True
                self.notice(f"an item's label can't be rendered: {error}")
            return None

    def _is_tolerable(self) -> bool:
        total = self._source.total
        return self._failures <= self._settings.tolerate.allowed(
            self._index if total is None else total
        )

    def _put_back(self, ticket: Ticket) -> None:
        self._interrupted += 1

    # The end

    async def finish(self) -> TaskResult:
        """How the task ended or was paused, once every outcome is committed."""
        await self._journal.flush()
        unread = self._cursor < len(self._chunk) or not self._is_exhausted
        return self._judge(is_paused=self._is_paused and (unread or self._interrupted > 0))

    def close(self) -> None:
        """Stop reading the source, and give it back."""
        if self._reading is not None:
            self._reading.cancel()
        if self._pace is not None:
            self._pace.close()
        self._source.close()

    def _judge(self, *, is_paused: bool) -> TaskResult:
        progress = self._progress
        total = self._index if self._source.total is None else self._source.total
        progress.total = total
        counts = ItemCounts(total, progress.succeeded, progress.failed)
        if is_paused:
            return TaskResult(Status.PAUSED, items=counts)
        if self.error is not None:
            return TaskResult(Status.FAILED, error=self._describe(self.error), items=counts)
        if self._is_halted:
            return TaskResult(Status.CANCELLED, items=counts)
        if progress.failed <= self._settings.tolerate.allowed(total):
            return TaskResult(Status.SUCCEEDED, items=counts)
        return TaskResult(Status.FAILED, error=self._items_failed(counts), items=counts)

    def _items_failed(self, counts: ItemCounts) -> ErrorInfo:
        assert self._first_error is not None
        index, first = self._first_error
        return ErrorInfo(
            "ItemsFailed",
            f"{counts.failed:,} of {counts.total:,} items failed; "
            f"the first recorded, [{index}]: {first.type}: {first.message}",
            {"failed": counts.failed, "total": counts.total, "index": index, "type": first.type},
        )
