"""The interfaces that the engine owns and the adapters implement.

Each is narrow and says what its caller may rely on. Implementations live in `fanwise.stores`,
`fanwise.executors`, `fanwise.actions` and `fanwise.sources`, and fakes for tests in
`fanwise.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, Final, Protocol

import msgspec

from fanwise.bitmap import Bitmap
from fanwise.catalog import ActionSpec, Runs
from fanwise.context import ItemContext, WorkflowContext
from fanwise.model import (
    EndedRun,
    ErrorInfo,
    FileStamp,
    ItemOutcome,
    ItemTimes,
    Lease,
    Limits,
    LogText,
    Owner,
    Record,
    RecordedEvent,
    RecordedItems,
    Request,
    Run,
    RunRecord,
    Sleep,
    Status,
    StoreSize,
    TaskRun,
)

PAGE_BYTES: Final = 4 * 2**20
"""About how much JSON text is read from a store at once."""


class Journal(Protocol):
    """What the engine writes. One thread at a time calls these; they may block."""

    def create_run(self, run: RunRecord) -> int:
        """Record a new run and return its number. Raises `UsageError` if its id is taken."""

    def commit(self, records: Sequence[Record], tokens: Mapping[int, int] = {}) -> None:
        """Write all records in one transaction.

        First comes what is discarded. A run, a visit of a task, a log or a sleep replaces what was
        recorded of it; an item or an event is added. Afterwards all of them survive the end of the
        process. `tokens` has the fencing token of each run that the caller drives, by its number.

        Raises `LeaseLostError` if another process has taken one of these runs, `RecordRefusedError`
        if a record can't be stored as it is, and any other `StoreError` if the store can't be
        written at all; in each case nothing of `records` has been written.
        """


class Control(Protocol):
    """Who drives which run, and what others ask of it. Any thread may call these; they may block.

    Times are given by the caller, in seconds since the epoch.
    """

    def lease(self, run_no: int) -> Lease | None:
        """The run's lease, or None if nobody has ever driven it."""

    def acquire(self, run_no: int, owner: Owner, now: float, *, after: int = 0) -> Lease | None:
        """Make `owner` the one who drives the run, with a token of its own, and no request.

        `after` is the token of the lease that the caller takes the run from, 0 for none. Returns
        None, and changes nothing, if that isn't the run's lease any more.
        """

    def renew(self, run_no: int, token: int, now: float) -> Lease | None:
        """Say that the owner is there. None, if the lease isn't the caller's any more."""

    def release(self, run_no: int, token: int, now: float) -> None:
        """Give the run back. Does nothing if the lease isn't the caller's any more."""

    def request(self, run_no: int, request: Request) -> None:
        """Ask something of the owner, who sees it in the lease. A cancellation isn't taken back."""


class Pages(Protocol):
    """Outputs of a task's items, in the order of their indexes."""

    def outputs(
        self, run_no: int, task_no: int, start: int, stop: int, *, limit_bytes: int = PAGE_BYTES
    ) -> Sequence[tuple[int, bytes]]:
        """Index and JSON text of each recorded output with `start <= index < stop`.

        It ends early after the output with which all texts together reach `limit_bytes`; if they
        stay below it, nothing is left out.
        """


class Records(Pages, Protocol):
    """What people and the engine read. Any thread may call these; they may block."""

    def run(self, run_id: str) -> RunRecord | None:
        """The run with this id, or None."""

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

    def unfinished(self) -> Sequence[RunRecord]:
        """The runs that are pending or running, the oldest first, whoever drives them."""

    def last_task_no(self, run_no: int) -> int:
        """The highest number of a visit that is recorded of the run, 0 if there is none."""

    def tasks(self, run_no: int, *, within: str = "") -> Sequence[TaskRun]:
        """The run's own tasks, in the order of `task_no`.

        With the path of a task or item that ran a child workflow, `check[17]`, its steps instead.
        """

    def events(self, run_no: int) -> Iterator[RecordedEvent]:
        """The run's events, in the order of `seq`."""

    def recorded_items(self, run_no: int, task_no: int) -> RecordedItems:
        """Which items of a task are recorded; to be asked once, when the task goes on."""

    def begun_items(self, run_no: int, path: str) -> Bitmap:
        """Which items of the task at `path` have recorded steps of a child workflow."""

    def sleep(self, run_no: int, path: str) -> Sleep | None:
        """The latest sleep of the task or item at `path`, as `Sleep` has it, or None."""

    def items(
        self,
        run_no: int,
        task_no: int,
        *,
        status: Status | None = None,
        error: str | None = None,
        label: str | None = None,
        slower_s: float | None = None,
        after: int = -1,
        until: int | None = None,
        limit: int = 1_000,
    ) -> Sequence[ItemOutcome]:
        """At most `limit` items that all of the rest is true of, in the order of their indexes.

        `error` is the type of the item's error, `label` a part of its label, and `slower_s` a span
        that its last attempt exceeded. Its index is over `after` and, if given, at most `until`.
        """

    def item_times(self, run_no: int, task_no: int, *, slowest: int = 3) -> ItemTimes:
        """How long the task's items took, with so many of the slowest, the slowest first.

        It walks through the items three times. Of more than 20,000 it gives a sample of durations.
        """

    def logs(
        self,
        run_no: int,
        *,
        under: str | None = None,
        after: LogText | None = None,
        limit: int = 100,
    ) -> Sequence[LogText]:
        """At most `limit` logs, in the order of task, index, start and attempt, with their labels.

        With `under`, only those of the task or item with that path, as in `check` or `check[17]`,
        and of what runs inside it. With `after`, the last log of a page, only those that follow it.
        """


class Upkeep(Protocol):
    """What keeps a store in order. One thread at a time calls what deletes; all of it may block.

    Deleting has two steps, so that it may be broken off at any point: `delete_run` makes the run as
    a whole disappear, and `sweep` deletes, bit by bit, what nobody can find any more.
    """

    @property
    def place(self) -> str:
        """Where the store is, for people; never a password."""

    def size(self) -> StoreSize:
        """How large the store is. It is quick, however large that is."""

    def export(self, run_id: str) -> Iterator[Record]:
        """All that is recorded of a run, as of one moment; nothing if there is no such run.

        First the run, then tasks by `task_no`, those within children too, events by `seq`, items by
        task and index, logs by task, index, start and attempt, sleeps by path. It is read as it is
        taken.
        """

    def ended_runs(self) -> Iterator[EndedRun]:
        """All runs that are neither pending nor running, the newest first."""

    def delete_run(self, run: EndedRun) -> bool:
        """Delete a run, if it still has that status; return whether it did. Nobody finds it then.

        No run gets its number again.
        """

    def sweep(self) -> Iterator[int]:
        """Delete the rows that deleted runs have left, in short transactions with pauses between.

        After each one it gives the number of rows that are gone.
        """

    def shrink(self, *, rewrite: bool = False) -> None:
        """Give free space back to the disk, as far as that goes in short transactions.

        With `rewrite` all of it, in one long one: writers wait meanwhile.
        """


class Source(Protocol):
    """Where a fan-out's items come from."""

    total: int | None
    """How many items there are, or None while that isn't known."""

    async def read(self) -> Sequence[Any]:
        """The next few items, as soon as there are any; empty at the end.

        An element is a frozen value, or an `ErrorInfo` for an item that can't be read. Raises
        `AttemptError` if the source as a whole can't be read.
        """

    def close(self) -> None:
        """Give back files and the like; the source isn't read again."""


class Sources(Protocol):
    """Makes sources of what `with-items` gives. Each raises `AttemptError` for anything else."""

    def open_source(self, value: Any, limits: Limits, *, done: Bitmap | None = None) -> Source:
        """Of what stands in the workflow: a list, `{jsonl: PATH}` and the like, or named lists.

        Nobody wants the items whose index is in `done`: anything may stand in their place.
        """

    def open_list(self, value: Any) -> Source:
        """Of what a template gave, which is data and never names a file: a list or an iterator."""

    def batched(self, source: Source, size: int) -> Source:
        """Lists of up to `size` elements of `source`, each of them one item."""

    def first(self, source: Source, most: int) -> Source:
        """The first `most` items of `source`, which isn't read any further."""

    def stamp(self, path: str) -> FileStamp | None:
        """What the file is like now, or None if it is no regular file. May block.

        Raises `AttemptError` if it can't be read.
        """


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


class Catalog(Protocol):
    """The actions that a workflow can call."""

    def get(self, name: str) -> ActionSpec | None:
        """The action with this name, or None."""

    def names(self) -> Sequence[str]:
        """All names, sorted."""


class Clock(Protocol):
    """Time. `call_later` calls on the event loop's thread."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back, from any start."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay_s` seconds from now."""


class ProcessState(Enum):
    """What has become of a process, as far as can be told from here."""

    ALIVE = "alive"
    STOPPED = "stopped"
    """by a signal; it may go on at any time"""
    GONE = "gone"
    UNKNOWN = "unknown"
    """since it runs on another machine"""


class Timer(Protocol):
    """A call that is due."""

    def cancel(self) -> None:
        """Don't make the call, if it hasn't been made."""


class Processes(Protocol):
    """What can be told of other processes on this machine."""

    def this(self) -> Owner:
        """This process, with a token that nobody else has."""

    def state(self, owner: Owner) -> ProcessState:
        """What has become of a process."""


class Chance(Protocol):
    """Randomness."""

    def fraction(self) -> float:
        """A number from 0 to 1."""

    def token(self, length: int) -> str:
        """So many letters and digits that can't be guessed."""


class Secrets(Protocol):
    """Where the values of secrets come from."""

    def get(self, name: str) -> str | None:
        """The secret's value, or None if there is none."""


class TaskProgress(Protocol):
    """A running task's counters, which an observer reads whenever it likes.

    `visit` is which start of the task it is, from 1. `total` is None while a source isn't known to
    its end; `succeeded` and `failed` count what is recorded, `running` and `waiting` the items that
    are being tried and that wait to be retried. `restored` are those of the recorded ones that were
    so before the run went on.
    """

    name: str
    visit: int
    has_items: bool
    total: int | None
    succeeded: int
    failed: int
    running: int
    waiting: int
    restored: int


class Observer(Protocol):
    """Whoever watches a run. Called on the event loop's thread, after the store has committed."""

    def run_started(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        """A run has been recorded; `tasks` are its tasks in the order listed."""

    def run_resumed(self, run_id: str, workflow: str, tasks: Sequence[str]) -> None:
        """A recorded run goes on, or is made again."""

    def task_started(self, progress: TaskProgress) -> None:
        """A task has started; `progress` changes while it runs."""

    def task_ended(self, name: str, status: Status, error: ErrorInfo | None) -> None:
        """A task has ended, also if it never started."""

    def notice(self, text: str) -> None:
        """Something that whoever runs the workflow should know, in one line."""

    def run_ended(self, run: Run) -> None:
        """The run is over or paused."""
