"""The one writer: it commits what has queued up as one group, then confirms all of it.

While a group is being written the next one gathers, so the slower the store, the larger the groups.
Outcomes of items for which nobody waits gather for a moment more, since a transaction costs as much
as many rows.
The queue is bounded in records and bytes (`limits.queue_records`, `limits.queue_bytes`): a fan-out
looks at `is_full` and waits for `room()`, so memory doesn't grow when the store is slower than the
actions.

Nothing is confirmed before it is committed. A group that the store refuses is split until the
record at fault is found; only that one fails. If the store can't be written at all, every waiting
call raises the same `StoreError`, and so does every later one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from weft.errors import RecordRefusedError, StoreError
from weft.model import ErrorInfo, ItemOutcome, Limits, Record, RunRecord, Status
from weft.ports import Journal

Listener: TypeAlias = Callable[[Sequence[ItemOutcome]], None]
_Key: TypeAlias = tuple[int, int]

_ROW_BYTES = 250  # what an outcome occupies in memory, without its output
_GATHER_S = 0.010  # how long outcomes wait for others, if nothing makes them hurry


class _Unit:
    """Records that are committed together or not at all, and who waits for it."""

    __slots__ = ("done", "records")

    def __init__(self, records: Sequence[Record], done: asyncio.Future[None]) -> None:
        self.records = records
        self.done = done


class _Written:
    """What came of a group: outcomes as recorded, and the units that were refused."""

    def __init__(self) -> None:
        self.outcomes: list[ItemOutcome] = []
        self.refused: list[tuple[_Unit, RecordRefusedError]] = []


class JournalWriter:
    """Writes records through a store's `Journal` in a thread of its own. Not for several loops."""

    def __init__(self, store: Journal, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="weft-journal")
        self._loop = asyncio.get_running_loop()
        self._outcomes: list[ItemOutcome] = []
        self._units: list[_Unit] = []
        self._bytes = 0
        self._is_writing = False
        self._gathering: asyncio.TimerHandle | None = None
        self._broken: StoreError | None = None
        self._listeners: dict[_Key, Listener] = {}
        self._settled = self._loop.create_future()  # done when the group being written is through
        self.is_full = False

    def listen(self, run_no: int, task_no: int, listener: Listener) -> None:
        """Call `listener` with the outcomes of this task's items, after their commit."""
        self._listeners[run_no, task_no] = listener

    def unlisten(self, run_no: int, task_no: int) -> None:
        """Stop calling this task's listener."""
        del self._listeners[run_no, task_no]

    def append(self, outcome: ItemOutcome) -> None:
        """Queue an item's outcome; its listener is called once it is committed."""
        self._outcomes.append(outcome)
        self._bytes += _ROW_BYTES + (len(outcome.output) if outcome.output else 0)
        if (
            len(self._outcomes) >= self._limits.queue_records
            or self._bytes >= self._limits.queue_bytes
        ):
            self.is_full = True
            self._hurry()
        elif not self._is_writing and self._gathering is None:
            self._gathering = self._loop.call_later(_GATHER_S, self._hurry)

    async def commit(self, *records: Record) -> None:
        """Write these records in one transaction, and return when they are committed.

        Raises `RecordRefusedError` if the store refuses one of them; then none is written.
        """
        self._raise_if_broken()
        unit = _Unit(records, self._loop.create_future())
        self._units.append(unit)
        self._hurry()
        await unit.done

    async def create_run(self, run: RunRecord) -> int:
        """Record a new run and return its number. Raises `UsageError` if its id is taken."""
        return await self._loop.run_in_executor(self._thread, self._store.create_run, run)

    async def room(self) -> None:
        """Return when the queue has room. Raises `StoreError` if the store can't be written."""
        while self.is_full:
            self._raise_if_broken()
            await asyncio.shield(self._settled)
        self._raise_if_broken()

    async def flush(self) -> None:
        """Return when everything queued so far is committed and confirmed."""
        while self._is_writing or self._outcomes or self._units:
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
        outcomes, self._outcomes = self._outcomes, []
        units, self._units = self._units, []
        self._bytes, self.is_full = 0, False
        written = self._loop.run_in_executor(self._thread, self._write, outcomes, units)
        written.add_done_callback(lambda future: self._confirm(future, units))

    def _write(self, outcomes: list[ItemOutcome], units: list[_Unit]) -> _Written:
        """In the journal's thread: commit all as one group, or find out what can't be."""
        written = _Written()
        try:
            self._store.commit([*(record for unit in units for record in unit.records), *outcomes])
        except RecordRefusedError:
            for unit in units:
                try:
                    self._store.commit(unit.records)
                except RecordRefusedError as error:
                    written.refused.append((unit, error))
            self._write_split(outcomes, written)
        else:
            written.outcomes = outcomes
        return written

    def _write_split(self, outcomes: Sequence[ItemOutcome], written: _Written) -> None:
        """Commit halves of a group that may hold an outcome that the store refuses."""
        if not outcomes:
            return
        try:
            self._store.commit(outcomes)
            written.outcomes.extend(outcomes)
        except RecordRefusedError as error:
            if len(outcomes) == 1:
                failed = _as_refused(outcomes[0], error)
                self._store.commit([failed])
                written.outcomes.append(failed)
            else:
                half = len(outcomes) // 2
                self._write_split(outcomes[:half], written)
                self._write_split(outcomes[half:], written)

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
        refused = dict(written.refused)
        for unit in units:
            if unit.done.done():  # whoever waited was cancelled
                continue
            if unit in refused:
                unit.done.set_exception(refused[unit])
            else:
                unit.done.set_result(None)
        self._report(written.outcomes)
        if self._units or self.is_full:
            self._hurry()
        elif self._outcomes:
            self._gathering = self._loop.call_later(_GATHER_S, self._hurry)

    def _report(self, outcomes: list[ItemOutcome]) -> None:
        by_task: dict[_Key, list[ItemOutcome]] = {}
        for outcome in outcomes:
            by_task.setdefault((outcome.run_no, outcome.task_no), []).append(outcome)
        for key, of_task in by_task.items():
            self._listeners[key](of_task)

    def _break(self, error: BaseException, units: list[_Unit]) -> None:
        if not isinstance(error, StoreError):
            raise error
        self._broken = error
        self._is_writing = self.is_full = True  # for good: nothing is taken, nothing more is written
        for unit in [*units, *self._units]:
            if not unit.done.done():
                unit.done.set_exception(error)


def _as_refused(outcome: ItemOutcome, error: RecordRefusedError) -> ItemOutcome:
    """The same item, failed because its result can't be stored."""
    return replace(
        outcome,
        status=Status.FAILED,
        output=None,
        label=None,
        error=msgspec.json.encode(refusal(error)),
    )


def refusal(error: RecordRefusedError) -> ErrorInfo:
    """What is recorded in place of a result that the store refuses."""
    return ErrorInfo("RecordRefused", f"the store refuses the result: {error.message}")
