"""The store: what the engine writes, what people and the engine read, and its maintenance.

Stores are in `fanwise.stores`; `fanwise.testing` has contracts that hold for each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from fanwise.bitmap import Bitmap
from fanwise.model import (
    EndedRun,
    Inbox,
    ItemOutcome,
    ItemTimes,
    ItemTotals,
    Lease,
    LogEntry,
    Owner,
    Record,
    RecordedEvent,
    RecordedItems,
    RunCount,
    RunRecord,
    RunRequest,
    Sleep,
    SlotWish,
    SpanCounts,
    Status,
    StoreSize,
    VisitRecord,
)
from fanwise.ports.tiles import Tiles

PAGE_BYTES: Final = 4 * 2**20
"""About how much JSON text is read from a store at once."""


class Journal(Protocol):
    """What the engine writes. One thread at a time calls these; they may block."""

    def create_run(
        self, run: RunRecord, engine_no: int | None = None, waiter_no: int | None = None
    ) -> int:
        """Record a new run and return its number. Raises `RunExistsError` if its id is taken.

        With `engine_no` that engine has its lease from the first moment on, with the token 1, and
        the run has a slot of its limit, for which the process may have waited as `waiter_no`.
        Otherwise raises `NoSlotError`, or `RunRepeatedError` for a repeat, and records nothing.
        """

    def commit(
        self,
        records: Sequence[Record],
        tokens: Mapping[int, int] = {},
        *,
        at_once_bytes: int | None = None,
    ) -> bool:
        """Write all records in one transaction, and return True.

        First comes what is discarded. A run, a visit of a task or a sleep replaces what was
        recorded of it, and a run that is over or paused has no slot any more; an item, an event or
        a log is added. Afterwards all of them survive the end of the process. `tokens` has the
        fencing token of each run that the caller drives, by its number.

        With `at_once_bytes`, which is about what the records hold, a commit that would wait for
        another process, a server or a disk writes nothing and returns False; so an event loop may
        make it.

        Raises `LeaseLostError` if another process has taken one of these runs, `RecordRefusedError`
        if a record can't be stored as it is, and any other `StoreError` if the store can't be
        written at all; in each case nothing of `records` has been written.
        """


class Ownership(Protocol):
    """Engines, and the leases under which they drive runs. Any thread may call these; they block.

    Engines beat, runs don't: a lease names an engine, and an engine is one row. All times are
    those of the store's clock.
    """

    def enroll(self, owner: Owner) -> int:
        """Record an engine and return its number, which no other engine ever gets."""

    def beat(self, engine_no: int) -> bool:
        """Record a sign of life of an engine. Returns False if the engine isn't recorded any more.

        So it is after a silence in which it was taken for dead.
        """

    def leave(self, engine_no: int) -> None:
        """Forget an engine that drives nothing any more."""

    def lease(self, run_no: int) -> Lease | None:
        """Return the run's lease, or None if no engine has ever driven it."""

    def leases(self, run_nos: Collection[int]) -> Mapping[int, Lease]:
        """Return the leases of these runs by their numbers, without runs that have none."""

    def acquire(
        self, run_no: int, engine_no: int, *, after: int = 0, wish: SlotWish | None = None
    ) -> Lease | None:
        """Give the run to an engine, with a new token; forget all requests to its last owner.

        `after` is the token of the lease that the caller takes the run from, 0 for none. A run that
        waits in a queue leaves it. With a `wish` the run gets a slot, unless it has one. Returns
        None, and changes nothing, if that isn't the run's lease any more, or the engine isn't
        recorded any more. Raises `NoSlotError`.
        """

    def release(self, run_no: int, token: int) -> None:
        """Give the run back. Does nothing if the lease isn't the caller's any more."""


class Mailbox(Protocol):
    """Requests to the engines that drive runs. Any thread may call these; they may block."""

    def send(self, run_no: int, request: RunRequest) -> None:
        """Record a request to the engine that drives the run; lost if no engine does."""

    def requests(self, run_no: int) -> Sequence[RunRequest]:
        """Return the requests to the run's present owner, the oldest first."""

    def inbox(self, engine_no: int) -> Inbox:
        """Return the engine's leases, and the requests to its runs; one query for all of them."""


class Pages(Protocol):
    """Outputs of a task's items, in the order of their indexes."""

    def outputs(
        self, run_no: int, visit_no: int, start: int, stop: int, *, limit_bytes: int = PAGE_BYTES
    ) -> Sequence[tuple[int, bytes]]:
        """Index and JSON text of each recorded output with `start <= index < stop`.

        It ends early after the output with which all texts together reach `limit_bytes`; if they
        stay below it, nothing is left out.
        """


class Records(Pages, Tiles, Protocol):
    """What people and the engine read. Any thread may call these; they may block."""

    def run(self, run_id: str) -> RunRecord | None:
        """The run with this id, or None."""

    def definition(self, run_no: int) -> str | None:
        """The text of a run's workflow alone, or None for a run that isn't recorded."""

    def run_ids(self) -> Sequence[str]:
        """All ids, the newest first, at most 10,000; for suggestions."""

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
        """At most `limit` runs that all of the rest is true of, the newest first.

        They were created at `since` or later, have all of `tags`, and a `run_no` under `before`.
        Their `definition` and `output` are left empty.
        """

    def status_counts(
        self,
        *,
        workflow: str | None = None,
        since: float | None = None,
        tags: Collection[str] = (),
        most: int,
    ) -> Sequence[RunCount]:
        """The newest `most` runs that all of the rest is true of, counted by workflow and status.

        See `runs`. They are of no span, and nothing is read of any of them.
        """

    def run_counts(self, since: float, span_s: float, spans: int, *, most: int) -> SpanCounts:
        """The runs that were made in each of so many spans, of which the first begins at `since`.

        They are counted by their status and workflow, without a look into them, and those alone
        that aren't older than the newest `most`.
        """

    def unfinished(self) -> Sequence[RunRecord]:
        """The runs that are pending or running, the oldest first, whoever drives them."""

    def last_visit_no(self, run_no: int) -> int:
        """The highest number of a visit that is recorded of the run, 0 if there is none."""

    def tasks(self, run_no: int, *, within: str = "") -> Sequence[VisitRecord]:
        """The run's own tasks, in the order of `visit_no`.

        With the path of a task or item that ran a child workflow, `check[17]`, its steps instead.
        """

    def events(self, run_no: int, *, after: int = 0) -> Iterator[RecordedEvent]:
        """The run's events with a `seq` over `after`, in its order."""

    def driving_events(self, run_no: int) -> Sequence[RecordedEvent]:
        """The run's events from which on a process drove it: `RunStarted` and `RunResumed`."""

    def recorded_items(self, run_no: int, visit_no: int) -> RecordedItems:
        """Which items of a task are recorded; to be asked once, when the task goes on."""

    def begun_items(self, run_no: int, path: str) -> Bitmap:
        """Which items of the task at `path` have recorded steps of a child workflow."""

    def sleep(self, run_no: int, path: str) -> Sleep | None:
        """The latest sleep of the task or item at `path`, as `Sleep` has it, or None."""

    def waiting_tries(self, run_no: int, path: str) -> Sequence[Sleep]:
        """The later attempts of the task at `path` and its items that wait, as `Sleep` has them."""

    def items(
        self,
        run_no: int,
        visit_no: int,
        *,
        status: Status | None = None,
        error: str | None = None,
        label: str | None = None,
        slower_s: float | None = None,
        kind: int | None = None,
        after: int = -1,
        until: int | None = None,
        limit: int = 1_000,
        limit_bytes: int = PAGE_BYTES,
        beginning: int | None = None,
    ) -> Sequence[ItemOutcome]:
        """At most `limit` items that all of the rest is true of, in the order of their indexes.

        It ends early after the item with which all outputs and errors together reach `limit_bytes`.
        Of an output only the first `beginning` characters are given, if that isn't None.

        `error` is the type of the item's error, `label` a part of its label, `slower_s` a span
        that its last attempt exceeded, and `kind` the number of its kind of errors. Its index is
        over `after` and, if given, at most `until`.
        """

    def item_totals(
        self, run_no: int, visit_no: int, *, between: tuple[float, float] | None = None
    ) -> ItemTotals:
        """Sums over the task's recorded items; it walks through them once.

        With `between`, only over items whose last attempt began between these times, the second of
        which isn't among them. `tile_totals` has most of it without a walk.
        """

    def item_times(self, run_no: int, visit_no: int, *, slowest: int = 3) -> ItemTimes:
        """How long the task's items took, with so many of the slowest, the slowest first.

        Of more than 20,000 it gives a sample of durations, and walks through none of the others.
        """

    def logs(
        self,
        run_no: int,
        *,
        under: str | None = None,
        after: LogEntry | None = None,
        limit: int = 100,
    ) -> Sequence[LogEntry]:
        """At most `limit` logs, in the order of task, index and time, with their labels.

        With `under`, only those of the task or item with that path, as in `check` or `check[17]`,
        and of what runs inside it. With `after`, the last log of a page, only those that follow it.
        """

    def new_logs(self, run_no: int, *, after: int = 0, limit: int = 100) -> Sequence[LogEntry]:
        """At most `limit` logs with a `log_no` over `after`, in the order in which they came."""

    def newest_logs(
        self, run_no: int, *, before: int | None = None, limit: int = 100
    ) -> Sequence[LogEntry]:
        """At most `limit` of the latest logs, the newest first; with a `log_no` under `before`."""


class Maintenance(Protocol):
    """What keeps a store in order. Any thread may delete, one calls `vacuum`; all of it may block.

    Deleting has two steps, so that it may be broken off at any point: `delete_run` makes the run as
    a whole disappear, and `delete_orphans` deletes, bit by bit, what nobody can find any more.
    """

    @property
    def place(self) -> str:
        """Where the store is, for people; never a password."""

    def size(self) -> StoreSize:
        """How large the store is. It is quick, however large that is."""

    def is_current(self) -> bool:
        """Say whether the store still has the form that this version of fanwise works with.

        It is a quick question, by which it is seen that the store answers.
        """

    def within(self, span_s: float) -> AbstractContextManager[None]:
        """A block in which a query that takes longer raises `StoreError`.

        It holds for what the block does in its own thread or task, and in threads that get a
        copy of its context. Changes have no such limit.
        """

    def export(self, run_id: str) -> Iterator[Record]:
        """All that is recorded of a run, as of one moment; nothing if there is no such run.

        First the run, then tasks by `visit_no`, those within children too, events by `seq`, items
        by task and index, logs by task, index and time, sleeps and waits by path. It is
        read as it is taken.
        """

    def ended_runs(self) -> Iterator[EndedRun]:
        """All runs that are neither pending, running nor waiting, the newest first.

        So none of them waits in a queue.
        """

    def delete_run(self, run: EndedRun) -> bool:
        """Delete a run, if it still has that status; return whether it did. Nobody finds it then.

        No run gets its number again.
        """

    def delete_orphans(self) -> Iterator[int]:
        """Delete the rows that deleted runs have left, in short transactions with pauses between.

        After each one it gives the number of rows that are gone.
        """

    def vacuum(self, *, rewrite: bool = False) -> None:
        """Give free space back to the disk, as far as that goes in short transactions.

        With `rewrite` all of it, in one long one: writers wait meanwhile.
        """
