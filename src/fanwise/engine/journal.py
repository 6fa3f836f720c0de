"""The one writer: it commits what has queued up as one group, then confirms all of it.

While a group is being written the next one gathers, so the slower the store, the larger the groups.
Outcomes of items for which nobody waits gather for a moment more, since a transaction costs as much
as many rows. The queue is bounded (`limits.queue_bytes`): a fan-out looks at `is_full` and waits
for `room()`, so memory doesn't grow when the store is slower than the actions.

Nothing is confirmed before it is committed. A group that the store refuses is split until the
record at fault is found; only that one fails. If the store can't be written at all, every waiting
call raises the same `StoreError`, and so does every later one.

Every group carries the fencing tokens of the runs that are written. What belongs to a run that
another process has taken is left out, and told to whoever drives it; the rest is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec.structs import replace

from fanwise.errors import FanwiseError, LeaseLostError, RecordRefusedError, StoreError
from fanwise.model import ErrorInfo, ItemOutcome, Limits, LogEntry, Record, RunRecord, Status
from fanwise.ports import Journal

Listener: TypeAlias = Callable[[Sequence[ItemOutcome]], None]
_Added = TypeVar("_Added", bound=ItemOutcome | LogEntry)

_ROW_BYTES = 250  # what an outcome occupies in memory, without its output
_GATHER_S = 0.010  # how long outcomes wait for others, if nothing makes them hurry


class _Unit:
    """Records that are committed together or not at all, and who waits for it."""

    __slots__ = ("done", "records")

    def __init__(self, records: Sequence[Record], done: asyncio.Future[None]) -> None:
        self.records = records
        self.done = done

    @property
    def run_no(self) -> int:
        """The run whose records these are; they are never those of several."""
        return self.records[0].run_no


class _Written:
    """What came of a group: what is recorded, by lane, units refused, and runs that are lost."""

    def __init__(self) -> None:
        self.added: list[tuple[Lane[Any], Sequence[Any]]] = []
        self.refused: dict[_Unit, RecordRefusedError] = {}
        self.lost: dict[int, LeaseLostError] = {}


class Lane(Generic[_Added]):
    """A way into the journal, one task's own: `listener` is told what it has committed."""

    __slots__ = ("_journal", "listener", "queued")

    def __init__(
        self, journal: JournalWriter, listener: Callable[[Sequence[_Added]], None]
    ) -> None:
        self._journal = journal
        self.listener = listener
        self.queued: list[_Added] = []

    def append(self: Lane[ItemOutcome], outcome: ItemOutcome) -> None:
        """Queue an item's outcome."""
        size = _ROW_BYTES
        if outcome.output is not None:
            size += len(outcome.output)
        if outcome.error is not None:
            size += len(outcome.error)
        if not self.queued:
            self._journal.enter(self)
        self.queued.append(outcome)
        self._journal.count(size)

    def append_log(self: Lane[LogEntry], log: LogEntry) -> None:
        """Queue what an attempt has logged."""
        if not self.queued:
            self._journal.enter(self)
        self.queued.append(log)
        self._journal.count(_ROW_BYTES + len(log.text))


class JournalWriter:
    """Writes records through a store's `Journal` in a thread of its own, for one event loop."""

    def __init__(self, store: Journal, limits: Limits) -> None:
        self._store = store
        self._bound = limits.queue_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fanwise-journal")
        self._loop = asyncio.get_running_loop()
        self._lanes: set[Lane[Any]] = set()  # those with something queued
        self._logs: Lane[LogEntry] = Lane(self, lambda _logs: None)  # for which nobody waits
        self._units: list[_Unit] = []
        self._bytes = 0
        self._is_writing = False
        self._gathering: asyncio.TimerHandle | None = None
        self._broken: StoreError | None = None
        self._tokens: dict[int, int] = {}  # of the runs that are written
        self._losers: dict[int, Callable[[FanwiseError], None]] = {}
        self._lost: dict[int, LeaseLostError] = {}
        self._settled = self._loop.create_future()  # done when the group being written is through
        self.is_full = False

    def hold(self, run_no: int, token: int, on_lost: Callable[[FanwiseError], None]) -> None:
        """Write a run with this fencing token from now on.

        `on_lost` hears if that is refused, or nothing can be written any more.
        """
        self._tokens[run_no] = token
        self._losers[run_no] = on_lost
        self._lost.pop(run_no, None)

    def let_go(self, run_no: int) -> None:
        """Write nothing more of this run, of which nothing is queued any more."""
        self._tokens.pop(run_no, None)
        self._losers.pop(run_no, None)

    def abandon(self, run_no: int, error: FanwiseError) -> None:
        """Have whoever drives a run end it here with `error`; what is recorded stays."""
        if run_no in self._losers:
            self._losers[run_no](error)

    def lane(self, listener: Listener) -> Lane[ItemOutcome]:
        """A way in for the outcomes of one task's items."""
        return Lane(self, listener)

    def add_log(self, log: LogEntry) -> None:
        """Queue what an attempt has logged."""
        self._logs.append_log(log)

    def enter(self, lane: Lane[Any]) -> None:
        """Note that `lane` has something queued from now on."""
        self._lanes.add(lane)
        if self._gathering is None and not self._is_writing:
            self._gathering = self._loop.call_later(_GATHER_S, self._hurry)

    def count(self, size: int) -> None:
        """Note that a lane has queued a record of so many bytes."""
        self._bytes += size
        if self._bytes >= self._bound:
            self.is_full = True
            self._hurry()

    async def commit(self, *records: Record) -> None:
        """Write these records in one transaction, and return when they are committed.

        Raises `RecordRefusedError` if the store refuses one of them, and `LeaseLostError` if
        another process has taken the run; then none is written.
        """
        self._raise_if_broken()
        unit = _Unit(records, self._loop.create_future())
        if unit.run_no not in self._tokens:
            gone = LeaseLostError("this process has given the run back", run_no=unit.run_no)
            raise self._lost.get(unit.run_no, gone)
        self._units.append(unit)
        self._hurry()
        await unit.done

    async def create_run(self, run: RunRecord, engine_no: int) -> int:
        """Record a new run, driven by an engine, and return its number.

        Raises `RunExistsError` if its id is taken.
        """
        return await self._loop.run_in_executor(
            self._thread, self._store.create_run, run, engine_no
        )

    async def room(self) -> None:
        """Return when the queue has room. Raises `StoreError` if the store can't be written."""
        while self.is_full:
            self._raise_if_broken()
            await asyncio.shield(self._settled)
        self._raise_if_broken()

    async def flush(self) -> None:
        """Return when everything queued so far is committed and confirmed."""
        while self._is_writing or self._lanes or self._units:
            self._raise_if_broken()
            self._hurry()
            await asyncio.shield(self._settled)
        self._raise_if_broken()

    async def close(self) -> None:
        """Flush, and end the thread."""
        try:
            await self.flush()
        finally:
            self._thread.shutdown(wait=False)

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _hurry(self) -> None:
        """Write what is queued, unless a group is being written: then that comes first."""
        if self._is_writing:
            return
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        self._is_writing = True
        # Not now but in the loop's next turn: what the current one still queues is in the group.
        self._loop.call_soon(self._start)

    def _start(self) -> None:
        queued = []
        for lane in self._lanes:
            kept = lane.queued
            if self._lost:
                kept = [record for record in kept if record.run_no not in self._lost]
            queued.append((lane, kept))
            lane.queued = []
        self._lanes.clear()
        units, self._units = self._units, []
        self._bytes, self.is_full = 0, False
        tokens = dict(self._tokens)
        written = self._loop.run_in_executor(self._thread, self._write, queued, units, tokens)
        written.add_done_callback(lambda future: self._confirm(future, units))

    def _write(
        self,
        queued: list[tuple[Lane[Any], list[Any]]],
        units: list[_Unit],
        tokens: Mapping[int, int],
    ) -> _Written:
        """In the journal's thread: commit all as one group, or find out what can't be."""
        written = _Written()
        group: list[Record] = [record for unit in units for record in unit.records]
        for _, records in queued:
            group += records
        try:
            self._store.commit(group, tokens)
        except (RecordRefusedError, LeaseLostError):
            for unit in units:
                try:
                    self._store.commit(unit.records, _only(tokens, unit.run_no))
                except RecordRefusedError as error:
                    written.refused[unit] = error
                except LeaseLostError as error:
                    written.lost[error.run_no] = error
            for lane, records in queued:
                for run_no in {record.run_no for record in records}:
                    of_run = [record for record in records if record.run_no == run_no]
                    try:
                        self._write_split(lane, of_run, written, _only(tokens, run_no))
                    except LeaseLostError as error:
                        written.lost[run_no] = error
        else:
            written.added += queued
        return written

    def _write_split(
        self, lane: Lane[Any], records: list[Any], written: _Written, tokens: Mapping[int, int]
    ) -> None:
        """Commit halves of a group that may hold a record that the store refuses."""
        try:
            self._store.commit(records, tokens)
            written.added.append((lane, records))
        except RecordRefusedError as error:
            if len(records) == 1:
                instead = _as_refused(records[0], error)
                self._store.commit([instead], tokens)
                written.added.append((lane, [instead]))
            else:
                half = len(records) // 2
                self._write_split(lane, records[:half], written, tokens)
                self._write_split(lane, records[half:], written, tokens)

    def _confirm(self, future: asyncio.Future[_Written], units: list[_Unit]) -> None:
        """Back on the loop: tell everyone whose records are committed."""
        self._is_writing = False
        settled, self._settled = self._settled, self._loop.create_future()
        settled.set_result(None)
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._break(error, units)
            return
        written = future.result()
        for run_no, lost in written.lost.items():
            self._lost[run_no] = lost
            self._tokens.pop(run_no, None)
            if run_no in self._losers:
                self._losers[run_no](lost)
        # What has queued up meanwhile would be written without a token: its run has none any more.
        late = [unit for unit in self._units if unit.run_no in written.lost]
        self._units = [unit for unit in self._units if unit.run_no not in written.lost]
        for unit in [*units, *late]:
            if unit.done.done():  # whoever waited was cancelled
                continue
            if unit.run_no in written.lost:
                unit.done.set_exception(written.lost[unit.run_no])
            elif unit in written.refused:
                unit.done.set_exception(written.refused[unit])
            else:
                unit.done.set_result(None)
        for lane, records in written.added:
            lane.listener(records)
        if self._units or self.is_full:
            self._hurry()
        elif self._lanes:
            self._gathering = self._loop.call_later(_GATHER_S, self._hurry)

    def _break(self, error: BaseException, units: list[_Unit]) -> None:
        """Nothing can be written any more: tell everyone who waits, and whoever comes."""
        if not isinstance(error, StoreError) or isinstance(error, RecordRefusedError):
            cause = error
            error = StoreError(f"the store failed: {type(cause).__name__}: {cause}")
            error.__cause__ = cause
        self._broken = error
        self._is_writing = self.is_full = (
            True  # for good: nothing is taken, nothing more is written
        )
        for unit in [*units, *self._units]:
            if not unit.done.done():
                unit.done.set_exception(error)
        for tell in self._losers.values():  # also those who wait for an action, and not for this
            tell(error)


def _only(tokens: Mapping[int, int], run_no: int) -> dict[int, int]:
    return {run_no: tokens[run_no]} if run_no in tokens else {}


def _as_refused(record: ItemOutcome | LogEntry, error: RecordRefusedError) -> Record:
    """The same item, failed because its result can't be stored; or a log that says the same."""
    if isinstance(record, LogEntry):
        return replace(record, text=f"(the store refuses this log: {error.message})\n")
    return replace(
        record,
        status=Status.FAILED,
        output=None,
        label=None,
        error=msgspec.json.encode(refusal(error)),
    )


def refusal(error: RecordRefusedError) -> ErrorInfo:
    """What is recorded in place of a result that the store refuses."""
    return ErrorInfo("RecordRefused", f"the store refuses the result: {error.message}")
