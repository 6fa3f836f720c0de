"""The one writer: commits queued records in groups, then confirms them.

Nothing is confirmed before it is committed. The queue is bounded in bytes (`limits.queue_bytes`).
A record that the store refuses fails alone; a store that can't be written at all fails everything.
A run that another process has taken is left out of the groups.
"""

# Groups. A SQLite transaction in WAL mode has a cost of its own, that of many rows: it takes the
# write lock, appends its pages to the log, and releases the lock (https://www.sqlite.org/wal.html).
# So records that are queued together are committed together. While a group is being written the
# next one gathers; a slower store therefore makes larger groups, and no size has to be tuned. It is
# the group commit of databases (DeWitt et al., "Implementation Techniques for Main Memory Database
# Systems", SIGMOD 1984), one level higher.
#
# Two kinds of records are queued. A unit is committed with `await commit(...)`: its records are
# written together or not at all, and the caller waits. An item's outcome or a log is appended to a
# lane, and no caller waits for it. Outcomes alone therefore gather for 50 ms (`_GATHER_S`) before
# they are written; a unit, a flush or a full queue writes them at once. Fifty milliseconds are
# short for a person who watches. They are for fan-outs that wait for a network: at 3,000 items a
# second a group has 150 rows by then, and each transaction, which takes the processor from the
# actions, is shared by as many.
#
# Lanes. Each task has a list of its own, and the journal takes whole lists. Appending an outcome is
# a list's `append` and an addition: no future, no queue and no routing for each item. A committed
# list goes to its lane's listener in one call, and the listener counts it. Only committed outcomes
# are counted, shown and judged, so a count that was shown can't be lost by a crash.
#
# Back-pressure. `count` adds up the bytes of queued outcomes. Once they reach the bound, `is_full`
# makes feeds hand out nothing until `room` returns, so a fan-out goes at the store's pace and its
# memory stays bounded. Units aren't bounded: there are as many as tasks that run.
#
# Refusals. The store refuses a group as a whole, for instance for a text that it can't hold. Units
# are committed one by one then, and the outcomes of a lane are split in halves until the record at
# fault stands alone; with one such record among n that takes about 2 log2(n) commits. A refused
# outcome becomes a failed item with the store's message, so that the item has an end; a refused log
# becomes a log that says so.
#
# On the loop. A step of a workflow commits alone, and the next one waits for it. Handing over to a
# thread and back then takes longer than the commit, which is some tens of microseconds. Nor does a
# small group of outcomes pay for a thread, beside a loop that runs Python all the time: the thread
# gets the interpreter back late after each statement, and takes it from the loop in turn, so that
# the group costs several times what it costs alone, about 2 ms for 250 rows. So a lone unit of few
# records, and a group of few bytes, are committed by the loop itself, if the store can do that
# without waiting; otherwise they go to the thread as any group does. A fan-out that is quick makes
# large groups, whose statements are long: these run in the thread, beside the loop.
#
# Fencing. Each group carries the tokens of the runs in it, and the store compares them inside the
# transaction (M. Kleppmann, "How to do distributed locking", 2016, on fencing tokens). A process
# that was stopped and has lost a run writes nothing of it, whatever it believes. The journal then
# drops the run's token and its queued records, and reports the loss to the run's driver. `_confirm`
# looks through the units queued during the losing commit too: they would be written later without
# any token.
#
# A broken store. An error that isn't about a record ends the journal for good: `_is_writing` stays
# set, so nothing more is taken, and waiting and later calls all raise the same `StoreError`.
# Drivers get it as well, since a run may wait for an action and for no commit.

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec.structs import replace

from fanwise.errors import FanwiseError, LeaseLostError, RecordRefusedError, StoreError
from fanwise.model import (
    ErrorInfo,
    ItemOutcome,
    Limits,
    LogEntry,
    Record,
    RecordedEvent,
    RunRecord,
    Status,
    VisitProgress,
    VisitRecord,
)
from fanwise.ports import Journal

Listener: TypeAlias = Callable[[Sequence[ItemOutcome]], None]
_Added = TypeVar("_Added", bound=ItemOutcome | LogEntry | VisitProgress)

_ROW_BYTES = 250  # what an outcome occupies in memory, without its output
_FEW_RECORDS = 16  # at most so many of a unit are committed on the loop
_SMALL_BYTES = 256 * 2**10  # of the queued records that are committed on the loop
_GATHER_S = 0.050  # how long outcomes wait for others, if nothing makes them hurry


class _Unit:
    """Records that are committed together or not at all, and the future of whoever waits."""

    __slots__ = ("done", "records")

    def __init__(self, records: Sequence[Record], done: asyncio.Future[None]) -> None:
        self.records = records
        self.done = done

    @property
    def run_no(self) -> int:
        """The run of all its records."""
        return self.records[0].run_no


class _Written:
    """The outcome of a group: records added by lane, units refused, and runs lost."""

    def __init__(self) -> None:
        self.added: list[_OfLane] = []
        self.refused: dict[_Unit, RecordRefusedError] = {}
        self.lost: dict[int, LeaseLostError] = {}


class Lane(Generic[_Added]):
    """A way into the journal, one task's own; `listener` gets the records once committed."""

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
            size += len(outcome.error) + len(outcome.item or b"") + len(outcome.earlier or b"")
        if not self.queued:
            self._journal.enter(self)
        self.queued.append(outcome)
        self._journal.count(size)

    def append_log(self: Lane[LogEntry], log: LogEntry) -> None:
        """Queue the log of an attempt."""
        if not self.queued:
            self._journal.enter(self)
        self.queued.append(log)
        self._journal.count(_ROW_BYTES + len(log.text))

    def append_progress(self: Lane[VisitProgress], progress: VisitProgress) -> None:
        """Queue the progress of a visit."""
        if not self.queued:
            self._journal.enter(self)
        self.queued.append(progress)
        self._journal.count(_ROW_BYTES)


_OfLane: TypeAlias = tuple[Lane[Any], Sequence[Any]]
"""A lane and the records that were queued in it."""

_Queued: TypeAlias = Sequence[_OfLane]


class JournalWriter:
    """Writes records through a store's `Journal`, in a thread of its own or on its event loop."""

    def __init__(self, store: Journal, limits: Limits) -> None:
        self._store = store
        self._bound = limits.queue_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fanwise-journal")
        self._loop = asyncio.get_running_loop()
        self._lanes: set[Lane[Any]] = set()  # those with something queued
        self._logs: Lane[LogEntry] = Lane(self, self._tell_logs)
        self._notes: Lane[VisitProgress] = Lane(self, lambda _: None)
        self._units: list[_Unit] = []
        self._bytes = 0
        self._is_writing = False
        self._gathering: asyncio.TimerHandle | None = None
        self._broken: StoreError | None = None
        self._tokens: dict[int, int] = {}  # of the runs that are written
        self._on_lost: dict[int, Callable[[FanwiseError], None]] = {}
        self._on_log: dict[int, Callable[[LogEntry], None]] = {}
        self._lost: dict[int, LeaseLostError] = {}
        self._settled = self._loop.create_future()  # done when the group being written is through
        self.is_full = False

    def hold(
        self,
        run_no: int,
        token: int,
        on_lost: Callable[[FanwiseError], None],
        on_log: Callable[[LogEntry], None] | None = None,
    ) -> None:
        """Write a run with this fencing token from now on.

        `on_lost` is called if the token is refused, or if nothing can be written any more. `on_log`
        is called with each log of the run that has been committed.
        """
        self._tokens[run_no] = token
        self._on_lost[run_no] = on_lost
        if on_log is not None:
            self._on_log[run_no] = on_log
        self._lost.pop(run_no, None)

    def let_go(self, run_no: int) -> None:
        """Write nothing more of this run; its queue has to be empty."""
        self._tokens.pop(run_no, None)
        self._on_lost.pop(run_no, None)
        self._on_log.pop(run_no, None)

    def abandon(self, run_no: int, error: FanwiseError) -> None:
        """Have the driver of a run stop with `error`; its records stay."""
        if run_no in self._on_lost:
            self._on_lost[run_no](error)

    def lane(self, listener: Listener) -> Lane[ItemOutcome]:
        """A way in for the outcomes of one task's items."""
        return Lane(self, listener)

    def add_log(self, log: LogEntry) -> None:
        """Queue the log of an attempt."""
        self._logs.append_log(log)

    def note(self, progress: VisitProgress) -> None:
        """Queue the progress of a visit; nobody hears of it."""
        self._notes.append_progress(progress)

    def _tell_logs(self, logs: Sequence[LogEntry]) -> None:
        for log in logs:
            tell = self._on_log.get(log.run_no)
            if tell is not None:
                tell(log)

    def enter(self, lane: Lane[Any]) -> None:
        """Note that `lane` has queued records from now on."""
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

    async def create_run(
        self, run: RunRecord, engine_no: int | None, waiter_no: int | None = None
    ) -> int:
        """Record a new run, driven by an engine if one is given, and return its number.

        Raises the errors of `Journal.create_run`.
        """
        return await self._loop.run_in_executor(
            self._thread, self._store.create_run, run, engine_no, waiter_no
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
        # In the loop's next turn: records that the current turn still queues are in the group.
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
        size = self._bytes
        self._bytes, self.is_full = 0, False
        tokens = dict(self._tokens)
        if len(units) <= 1 and self._write_here(queued, units, tokens, size):
            return
        written = self._loop.run_in_executor(self._thread, self._write, queued, units, tokens)
        written.add_done_callback(
            lambda done: self._confirm(done.exception() or done.result(), units)
        )

    def _write_here(
        self,
        queued: _Queued,
        units: Sequence[_Unit],
        tokens: Mapping[int, int],
        size: int,
    ) -> bool:
        """Commit a small group on the loop and confirm it; False if the thread has to do that.

        What is in lanes has `size` bytes.
        """
        for unit in units:
            if len(unit.records) > _FEW_RECORDS:
                return False
            size += sum(map(_size_of, unit.records))
        if size > _SMALL_BYTES:
            return False
        written = _Written()
        try:
            if not self._store.commit(_group(queued, units), tokens, at_once_bytes=size):
                return False
        except (RecordRefusedError, LeaseLostError):
            return False  # the thread meets the same, and finds the record or the run at fault
        except Exception as error:
            self._confirm(error, units)
        else:
            written.added += queued
            self._confirm(written, units)
        return True

    def _write(
        self,
        queued: _Queued,
        units: Sequence[_Unit],
        tokens: Mapping[int, int],
    ) -> _Written:
        """In the journal's thread: commit all as one group, or find the records that can't be."""
        written = _Written()
        try:
            self._store.commit(_group(queued, units), tokens)
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
            if isinstance(records[0], VisitProgress):
                return  # the next one says more
            if len(records) == 1:
                instead = _as_refused(records[0], error)
                self._store.commit([instead], tokens)
                written.added.append((lane, [instead]))
            else:
                half = len(records) // 2
                self._write_split(lane, records[:half], written, tokens)
                self._write_split(lane, records[half:], written, tokens)

    def _confirm(self, written: _Written | BaseException, units: Sequence[_Unit]) -> None:
        """Back on the loop: confirm committed records, and report refused and lost ones."""
        self._is_writing = False
        settled, self._settled = self._settled, self._loop.create_future()
        settled.set_result(None)
        if isinstance(written, BaseException):
            self._break(written, units)
            return
        for run_no, lost in written.lost.items():
            self._lost[run_no] = lost
            self._tokens.pop(run_no, None)
            if run_no in self._on_lost:
                self._on_lost[run_no](lost)
        # See `Fencing`: units that were queued meanwhile.
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

    def _break(self, error: BaseException, units: Sequence[_Unit]) -> None:
        """End the journal with an error: nothing can be written any more."""
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
        for on_lost in self._on_lost.values():
            on_lost(error)


def _size_of(record: Record) -> int:
    """The bytes of a record of a unit, roughly."""
    match record:
        case VisitRecord(output=bytes(text)) | RunRecord(output=bytes(text)):
            return _ROW_BYTES + len(text)
        case RecordedEvent(data=text):
            return _ROW_BYTES + len(text)
    return _ROW_BYTES


def _group(queued: _Queued, units: Sequence[_Unit]) -> list[Record]:
    """All records of a group, in the order in which they are committed."""
    group: list[Record] = [record for unit in units for record in unit.records]
    for _, records in queued:
        group += records
    return group


def _only(tokens: Mapping[int, int], run_no: int) -> dict[int, int]:
    return {run_no: tokens[run_no]} if run_no in tokens else {}


def _as_refused(record: ItemOutcome | LogEntry, error: RecordRefusedError) -> Record:
    """The record in place of a refused one: a failed item, or a log that says so."""
    if isinstance(record, LogEntry):
        return replace(record, text=f"(the store refuses this log: {error.message})\n")
    return replace(
        record,
        status=Status.FAILED,
        output=None,
        label=None,
        item=None,
        earlier=None,
        error=msgspec.json.encode(refusal(error)),
    )


def refusal(error: RecordRefusedError) -> ErrorInfo:
    """The error recorded in place of a result that the store refuses."""
    return ErrorInfo("RecordRefused", f"the store refuses the result: {error.message}")
