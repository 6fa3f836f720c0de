"""A store in memory, for tests of engines: the contract of every store, without a file.

Its records live as long as the object does, also after `close`, so that a test can end one engine,
start another one on the same store and look into it at the end. Any thread may use it.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from itertools import islice
from typing import Self, TypeVar

from msgspec.structs import astuple, replace

from fanwise.bitmap import Bitmap
from fanwise.errors import LeaseLostError, RecordRefusedError, UsageError
from fanwise.model import (
    Discard,
    EndedRun,
    ItemOutcome,
    ItemTimes,
    Lease,
    LogEntry,
    Owner,
    Record,
    RecordedEvent,
    RecordedItems,
    RunRecord,
    RunRequest,
    Sleep,
    Status,
    StoreSize,
    VisitRecord,
)
from fanwise.ports import PAGE_BYTES
from fanwise.values import decode, freeze

_Claim = tuple[object, ...]
_LogKey = tuple[int, int, float, int]
_Replaced = TypeVar("_Replaced", RunRecord, VisitRecord)


class _Items:
    """The recorded items of one task, and their indexes in order."""

    def __init__(self) -> None:
        self.by_index: dict[int, ItemOutcome] = {}
        self.indexes: list[int] = []

    def add(self, item: ItemOutcome) -> None:
        self.by_index[item.index] = item
        insort(self.indexes, item.index)

    def remove(self, item: ItemOutcome) -> None:
        del self.by_index[item.index]
        del self.indexes[bisect_left(self.indexes, item.index)]

    def range(self, start: int, stop: int) -> Iterator[ItemOutcome]:
        """The items with `start <= index < stop`, in the order of their indexes."""
        first, last = bisect_left(self.indexes, start), bisect_left(self.indexes, stop)
        return (self.by_index[index] for index in self.indexes[first:last])


class MemoryStore:
    """A `Journal`, `Records`, `Control` and `Maintenance` in this process's memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_run_no = 0
        self._runs: dict[int, RunRecord] = {}
        self._tasks: dict[int, dict[tuple[str, int], VisitRecord]] = defaultdict(dict)
        self._events: dict[int, dict[int, RecordedEvent]] = defaultdict(dict)
        self._items: dict[tuple[int, int], _Items] = defaultdict(_Items)
        self._logs: dict[int, dict[_LogKey, LogEntry]] = defaultdict(dict)
        self._sleeps: dict[int, dict[str, Sleep]] = defaultdict(dict)
        self._holders: dict[_Claim, object] = {}
        self._leases: dict[int, Lease] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing; a test that closes a store may look into it afterwards."""

    def create_run(self, run: RunRecord) -> int:
        """Record a new run and return its number. Raises `UsageError` if its id is taken."""
        with self._lock:
            claim, _ = _claim(run)
            if claim in self._holders:
                raise UsageError(f'a run with the id "{run.id}" exists already.')
            self._last_run_no = number = self._last_run_no + 1
            self._holders[claim] = number
            self._runs[number] = replace(run, run_no=number)
            return number

    def commit(self, records: Sequence[Record], tokens: Mapping[int, int] = {}) -> None:
        """Write all of `records` or, with an error, none of them; see `Journal.commit`."""
        with self._lock:
            for run_no, token in tokens.items():
                if run_no not in self._leases or self._leases[run_no].token != token:
                    raise LeaseLostError("another process has taken the run over", run_no=run_no)
            discards = [record for record in records if isinstance(record, Discard)]
            gone = {_claim(row)[0]: row for each in discards for row in self._discarded(each)}
            new = self._new_holders(records, gone)
            for claim, row in gone.items():
                del self._holders[claim]
                if isinstance(row, ItemOutcome):
                    self._items[row.run_no, row.visit_no].remove(row)
                elif isinstance(row, Sleep):
                    del self._sleeps[row.run_no][row.path]
                else:
                    del self._tasks[row.run_no][row.path, row.visit]
            self._holders |= new
            for record in records:
                if isinstance(record, ItemOutcome):
                    self._items[record.run_no, record.visit_no].add(record)
                elif isinstance(record, VisitRecord):
                    visits = self._tasks[record.run_no]
                    visits[record.path, record.visit] = _with_frozen_error(record)
                elif isinstance(record, RecordedEvent):
                    self._events[record.run_no][record.seq] = record
                elif isinstance(record, LogEntry):
                    self._logs[record.run_no][_log_key(record)] = record
                elif isinstance(record, Sleep):
                    self._sleeps[record.run_no][record.path] = record
                elif isinstance(record, RunRecord):
                    self._runs[record.run_no] = _with_frozen_error(record)

    def _discarded(self, record: Discard) -> Iterator[ItemOutcome | VisitRecord | Sleep]:
        """What a discard takes back."""
        run_no = record.run_no
        if record.visit_no is not None:
            items = self._items[run_no, record.visit_no].by_index.values()
            yield from (item for item in items if item.status is not Status.SUCCEEDED)
        if record.under:
            for task in self._tasks[run_no].values():
                if task.path.startswith(f"{record.under}."):
                    yield task
                    yield from self._items[run_no, task.visit_no].by_index.values()
            sleeps = self._sleeps[run_no].values()
            yield from (sleep for sleep in sleeps if _is_under(record.under, sleep.path))

    def _new_holders(
        self, records: Sequence[Record], gone: Container[_Claim]
    ) -> dict[_Claim, object]:
        """What `records` claim once those claims are `gone`.

        Raises `RecordRefusedError` if one of them can't be written.
        """
        new: dict[_Claim, object] = {}
        for record in records:
            if isinstance(record, Discard):
                continue
            claim, holder = _claim(record)
            recorded = holder if claim in gone else self._holders.get(claim, holder)
            if new.get(claim, recorded) != holder:
                raise RecordRefusedError(f"the store refuses a record ({claim[0]} is taken).")
            new[claim] = holder
            try:
                _require_text(record)
            except UnicodeError as error:
                raise RecordRefusedError("the store refuses a record (text).") from error
        return new

    def run(self, run_id: str) -> RunRecord | None:
        """The run with this id, or None."""
        with self._lock:
            return next((run for run in self._runs.values() if run.id == run_id), None)

    def run_ids(self) -> Sequence[str]:
        """All ids, the newest first, at most 10,000."""
        with self._lock:
            return [self._runs[number].id for number in sorted(self._runs, reverse=True)][:10_000]

    def runs(
        self,
        *,
        status: Status | None = None,
        workflow: str | None = None,
        since: float | None = None,
        tags: Collection[str] = (),
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[RunRecord]:
        """The newest runs first, without their `definition` and `output`; see `Records.runs`."""
        with self._lock:
            newest = (self._runs[number] for number in sorted(self._runs, reverse=True))
            found = (
                replace(run, definition="", output=None)
                for run in newest
                if status in (None, run.status)
                and workflow in (None, run.workflow)
                and (since is None or run.created_at >= since)
                and set(tags) <= set(run.tags)
                and (before is None or run.run_no < before)
            )
            return list(islice(found, limit))

    def tasks(self, run_no: int, *, within: str = "") -> Sequence[VisitRecord]:
        """The run's own tasks, or the steps of a child, in the order of `visit_no`."""
        with self._lock:
            found = [
                task
                for task in self._tasks[run_no].values()
                if task.path.rpartition(".")[0] == within
            ]
        return sorted(found, key=lambda task: task.visit_no)

    def unfinished(self) -> Sequence[RunRecord]:
        """The runs that are pending or running, the oldest first."""
        with self._lock:
            runs = [run for _, run in sorted(self._runs.items())]
        return [run for run in runs if run.status in (Status.PENDING, Status.RUNNING)]

    def last_visit_no(self, run_no: int) -> int:
        """The highest number of a visit that is recorded of the run, 0 if there is none."""
        with self._lock:
            return max((task.visit_no for task in self._tasks[run_no].values()), default=0)

    def recorded_items(self, run_no: int, visit_no: int) -> RecordedItems:
        """Which items of a task are recorded."""
        with self._lock:
            items = self._items[run_no, visit_no].by_index.values()
            statuses = [item.status for item in items]
            return RecordedItems(
                Bitmap(item.index for item in items),
                statuses.count(Status.SUCCEEDED),
                statuses.count(Status.FAILED),
                sum(item.attempts for item in items),
            )

    def sleep(self, run_no: int, path: str) -> Sleep | None:
        """The latest sleep of the task or item at `path`, or None."""
        with self._lock:
            return self._sleeps[run_no].get(path)

    def begun_items(self, run_no: int, path: str) -> Bitmap:
        """Which items of the task at `path` have recorded steps of a child workflow."""
        with self._lock:
            paths = [task.path for task in self._tasks[run_no].values()]
            rests = [each.removeprefix(f"{path}[") for each in paths if each.startswith(f"{path}[")]
            return Bitmap(int(rest.partition("]")[0]) for rest in rests)

    def lease(self, run_no: int) -> Lease | None:
        """The run's lease, or None if nobody has ever driven it."""
        with self._lock:
            return self._leases.get(run_no)

    def acquire(self, run_no: int, owner: Owner, now: float, *, after: int = 0) -> Lease | None:
        """Take the run from the lease with the token `after`; see `Control.acquire`."""
        with self._lock:
            held = self._leases.get(run_no)
            if run_no not in self._runs or (held.token if held else 0) != after:
                return None
            ran_s = held.ran_s + held.beat_at - held.taken_at if held else 0.0
            self._leases[run_no] = Lease(run_no, after + 1, owner, now, now, ran_s)
            return self._leases[run_no]

    def renew(self, run_no: int, token: int, now: float) -> Lease | None:
        """Say that the owner is there. None, if the lease isn't the caller's any more."""
        with self._lock:
            return self._beat(run_no, token, now)

    def release(self, run_no: int, token: int, now: float) -> None:
        """Give the run back. Does nothing if the lease isn't the caller's any more."""
        with self._lock:
            held = self._beat(run_no, token, now)
            if held is not None:
                self._leases[run_no] = replace(held, owner=None)

    def _beat(self, run_no: int, token: int, now: float) -> Lease | None:
        held = self._leases.get(run_no)
        if held is None or held.token != token or held.owner is None:
            return None
        self._leases[run_no] = replace(held, beat_at=now)
        return self._leases[run_no]

    def request(self, run_no: int, request: RunRequest) -> None:
        """Ask something of the owner. A cancellation isn't taken back."""
        with self._lock:
            held = self._leases.get(run_no)
            if held is not None and held.request is not RunRequest.CANCEL:
                self._leases[run_no] = replace(held, request=request)

    def events(self, run_no: int) -> Iterator[RecordedEvent]:
        """The run's events, in the order of `seq`."""
        with self._lock:
            events = self._events[run_no]
            return iter([events[seq] for seq in sorted(events)])

    def items(
        self,
        run_no: int,
        visit_no: int,
        *,
        status: Status | None = None,
        error: str | None = None,
        label: str | None = None,
        slower_s: float | None = None,
        after: int = -1,
        until: int | None = None,
        limit: int = 1_000,
    ) -> Sequence[ItemOutcome]:
        """At most `limit` items in the order of their indexes; see `Records.items`."""
        with self._lock:
            stop = sys.maxsize if until is None else until + 1
            found = (
                item
                for item in self._items[run_no, visit_no].range(after + 1, stop)
                if status in (None, item.status)
                and (error is None or error == _error_type(item))
                and (label is None or label in (item.label or ""))
                and (slower_s is None or item.duration_s > slower_s)
            )
            return list(islice(found, limit))

    def item_times(self, run_no: int, visit_no: int, *, slowest: int = 3) -> ItemTimes:
        """How long the task's items took, without sampling; see `Records.item_times`."""
        with self._lock:
            items = list(self._items[run_no, visit_no].range(0, sys.maxsize))
        ranked = sorted(items, key=lambda item: (-item.duration_s, item.index))
        return ItemTimes(
            len(items),
            sum(item.duration_s for item in items),
            tuple(sorted(item.duration_s for item in items)),
            tuple(replace(item, output=None, error=None) for item in ranked[:slowest]),
        )

    def logs(
        self,
        run_no: int,
        *,
        under: str | None = None,
        after: LogEntry | None = None,
        limit: int = 100,
    ) -> Sequence[LogEntry]:
        """At most `limit` logs, in the order of task, index, start and attempt."""
        with self._lock:
            logs = self._logs[run_no]
            keys = sorted(key for key in logs if after is None or key > _log_key(after))
            found = (logs[key] for key in keys if _is_under(under, logs[key].path))
            return [self._labelled(log) for log in islice(found, limit)]

    def _labelled(self, log: LogEntry) -> LogEntry:
        items = self._items[log.run_no, log.visit_no].by_index
        item = None if log.index is None else items.get(log.index)
        return replace(log, label=None if item is None else item.label)

    def outputs(
        self, run_no: int, visit_no: int, start: int, stop: int, *, limit_bytes: int = PAGE_BYTES
    ) -> Sequence[tuple[int, bytes]]:
        """Index and JSON text of each recorded output; see `Pages.outputs`."""
        outputs: list[tuple[int, bytes]] = []
        with self._lock:
            for item in self._items[run_no, visit_no].range(start, stop):
                if limit_bytes <= 0:
                    break
                if item.output is not None:
                    outputs.append((item.index, item.output))
                    limit_bytes -= len(item.output)
        return outputs

    @property
    def place(self) -> str:
        """Where the store is."""
        return "memory"

    def size(self) -> StoreSize:
        """About how many characters all records make; see `Maintenance.size`."""
        with self._lock:
            rows = [row for run_no in self._numbers() for row in self._rows_of(run_no)]
            return StoreSize(sum(len(repr(each)) for each in [*self._runs.values(), *rows]), 0)

    def export(self, run_id: str) -> Iterator[Record]:
        """All that is recorded of a run; see `Maintenance.export`."""
        with self._lock:
            run = next((run for run in self._runs.values() if run.id == run_id), None)
            return iter([] if run is None else [run, *self._rows_of(run.run_no)])

    def ended_runs(self) -> Iterator[EndedRun]:
        """All runs that are neither pending nor running, the newest first."""
        with self._lock:
            newest = [self._runs[number] for number in sorted(self._runs, reverse=True)]
        return (
            EndedRun(run.run_no, run.id, run.workflow, run.status, _ended_at(run))
            for run in newest
            if run.status not in (Status.PENDING, Status.RUNNING)
        )

    def delete_run(self, run: EndedRun) -> bool:
        """Delete a run, if it still has that status; see `Maintenance.delete_run`."""
        with self._lock:
            found = self._runs.get(run.run_no)
            if found is None or (found.id, found.status) != (run.id, run.status):
                return False
            del self._runs[run.run_no], self._holders["id", run.id]
            self._leases.pop(run.run_no, None)
            return True

    def delete_orphans(self) -> Iterator[int]:
        """Delete what deleted runs have left; see `Maintenance.delete_orphans`."""
        for run_no in self._numbers() - self._runs.keys():
            with self._lock:
                count = len(self._rows_of(run_no))
                self._leases.pop(run_no, None)
                for rows in (self._tasks, self._events, self._logs, self._sleeps):
                    rows.pop(run_no, None)
                for key in [key for key in self._items if key[0] == run_no]:
                    del self._items[key]
                for claim in [each for each in self._holders if each[1] == run_no]:
                    del self._holders[claim]
            if count:
                yield count

    def vacuum(self, *, rewrite: bool = False) -> None:
        """Do nothing; memory that is free needs no giving back."""

    def _numbers(self) -> set[int]:
        """The numbers of the runs that there are rows of, apart from their own."""
        of_items = (run_no for run_no, _ in self._items)
        return {*self._tasks, *self._events, *self._logs, *self._sleeps, *of_items}

    def _rows_of(self, run_no: int) -> list[Record]:
        """All that is recorded of a run, apart from its own row, in the order of exports."""
        tasks, events, logs = self._tasks[run_no], self._events[run_no], self._logs[run_no]
        items = [self._items[key] for key in sorted(self._items) if key[0] == run_no]
        return [
            *sorted(tasks.values(), key=lambda task: task.visit_no),
            *(events[seq] for seq in sorted(events)),
            *(item for each in items for item in each.range(0, sys.maxsize)),
            *(self._labelled(logs[key]) for key in sorted(logs)),
            *(sleep for _, sleep in sorted(self._sleeps[run_no].items())),
        ]


def _claim(
    record: RunRecord | VisitRecord | ItemOutcome | RecordedEvent | LogEntry | Sleep,
) -> tuple[_Claim, object]:
    """What only one record may have, and who holds it; what is added is held by nobody else."""
    match record:
        case ItemOutcome():
            return ("item", record.run_no, record.visit_no, record.index), object()
        case RecordedEvent():
            return ("event", record.run_no, record.seq), object()
        case VisitRecord():
            return ("task", record.run_no, record.visit_no), (record.path, record.visit)
        case LogEntry():
            return ("log", record.run_no, *_log_key(record)), None
        case Sleep():
            return ("sleep", record.run_no, record.path), None
        case RunRecord():
            return ("id", record.id), record.run_no


def _ended_at(run: RunRecord) -> float:
    times = (run.ended_at, run.started_at, run.created_at)
    return next(at for at in times if at is not None)


def _error_type(item: ItemOutcome) -> str | None:
    return None if item.error is None else decode(item.error)["type"]


def _log_key(log: LogEntry) -> _LogKey:
    return log.visit_no, -1 if log.index is None else log.index, log.at, log.attempt


def _is_under(path: str | None, other: str) -> bool:
    return path is None or other == path or other.startswith((f"{path}.", f"{path}["))


def _with_frozen_error(record: _Replaced) -> _Replaced:
    error = record.error
    return (
        record if error is None else replace(record, error=replace(error, data=freeze(error.data)))
    )


def _require_text(record: Record) -> None:
    """Raise `UnicodeError` for bytes that aren't UTF-8, and text that can't be made so."""
    for value in astuple(record):
        if isinstance(value, bytes):
            value.decode()
        elif isinstance(value, str):
            value.encode()
