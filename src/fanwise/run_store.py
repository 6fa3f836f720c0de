"""Recorded runs by ids and names: the records that Python code lists, reads and deletes.

A `RunStore` reads a store through its ports. Its iterators read a page at a time, so they take
bounded memory however many records there are. The store's own numbers stay inside.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Self

import msgspec

from fanwise.arguments import require_list, require_seconds, require_text
from fanwise.errors import (
    RunNotOverError,
    TaskNotFoundError,
    UsageError,
)
from fanwise.model import (
    EndedRun,
    ErrorInfo,
    FailedAttempt,
    ItemCounts,
    ItemOutcome,
    LogEntry,
    RunRecord,
    Status,
    VisitRecord,
)
from fanwise.ports import PAGE_BYTES
from fanwise.reports.lookup import run_by_id
from fanwise.values import Json, decode

if TYPE_CHECKING:
    from fanwise.stores import Store

_PAGE_RECORDS: Final = 1_000
_read_earlier = msgspec.json.Decoder(tuple[FailedAttempt, ...]).decode
_FIRST_PAGE_RECORDS: Final = 16  # until a page has shown how large the records are


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list. Times are seconds since the epoch.

    `is_interrupted` says that the run is recorded as pending or running, but no process drives it.
    """

    id: str
    workflow: str
    status: Status
    is_interrupted: bool
    tags: tuple[str, ...]
    created_at: float
    started_at: float | None
    ended_at: float | None
    error: ErrorInfo | None


class RunDetails(RunSummary, frozen=True, kw_only=True):
    """A run with its parameters and its output, as frozen JSON.

    Secret parameters are None. `file` is the path of the workflow's file, and `definition` the
    workflow's text as it was when the run started.
    """

    file: str
    definition: str
    parameters: Json
    output: Json


class TaskVisit(msgspec.Struct, frozen=True, kw_only=True):
    """A visit of a task. Times are seconds since the epoch.

    `path` is the task's name, with the names and items above it if the task belongs to a called
    workflow. `visit` counts the visits of that task from 1. `output` is frozen JSON; for a task
    with items it is None, and `RunStore.outputs` reads the outputs. `earlier` are its failed
    attempts before the last one.
    """

    path: str
    visit: int
    status: Status
    started_at: float | None
    ended_at: float | None
    attempts: int
    output: Json
    error: ErrorInfo | None
    items: ItemCounts | None
    earlier: tuple[FailedAttempt, ...] = ()


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded outcome of an item. `output` is frozen JSON.

    `started_at` is in seconds since the epoch, and `duration_s` the duration of the last attempt.
    `earlier` are failed attempts before that, the first few and the last few of many. `item` is
    the item itself, as frozen JSON, if any attempt failed.
    """

    index: int
    label: str | None
    status: Status
    attempts: int
    started_at: float
    duration_s: float
    output: Json
    error: ErrorInfo | None
    item: Json = None
    earlier: tuple[FailedAttempt, ...] = ()


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the text that an attempt printed and logged.

    `path` names the task and the item, as in `check[17]`. `written_at` is when it was written,
    within a second, in seconds since the epoch.
    """

    path: str
    index: int | None
    label: str | None
    attempt: int
    written_at: float
    text: str


class RunStore:
    """The runs of a store, to be used as a block; `fanwise.open_store` opens one.

    Methods may block, and any thread may call them. Each raises `StoreError` if the store can't be
    read, those with a `run_id` raise `RunNotFoundError`, and those with a `task` raise
    `TaskNotFoundError` if the run has no record of that task.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def runs(
        self,
        *,
        status: Status | str | None = None,
        workflow: str | None = None,
        since: datetime | float | None = None,
        tags: Collection[str] = (),
    ) -> Iterator[RunSummary]:
        """The runs to which all filters apply, the newest first.

        They have this `status`, are of the `workflow` with this name, were created at `since` or
        later (a time with a zone, or seconds since the epoch), and have all of `tags`. Raises
        `UsageError` for an unknown status, and for arguments of other types.
        """
        # Checked here: the errors of a generator come only once it is read.
        given = [tags] if isinstance(tags, str) else tags
        require_list("tags", given, '"tag"')
        if workflow is not None:
            require_text("workflow", workflow)
        return self._runs(status_of(status), workflow, moment_of(since), given)

    def get(self, run_id: str) -> RunDetails:
        """The run with this id."""
        record = run_by_id(self._store, run_id)
        return RunDetails(
            **msgspec.structs.asdict(self._summary(record)),
            file=record.file,
            definition=record.definition,
            parameters=decode(record.parameters),
            output=None if record.output is None else decode(record.output),
        )

    def tasks(self, run_id: str, *, within: str = "") -> list[TaskVisit]:
        """The visits of the run's tasks, in the order of their starts.

        With the path of a task or item that called a workflow, `check[17]`, the visits of that
        workflow's tasks instead.
        """
        visits = self._store.tasks(run_by_id(self._store, run_id).run_no, within=within)
        return [_task_visit(visit) for visit in visits]

    def items(
        self,
        run_id: str,
        task: str,
        *,
        status: Status | str | None = None,
        error: str | None = None,
        label: str | None = None,
        slower_s: float | None = None,
    ) -> Iterator[Item]:
        """The recorded items of a task's last visit, in the order of their indexes.

        With filters only items with this `status`, with this type of `error`, with `label` in their
        label, and with a last attempt of more than `slower_s` seconds. Raises `UsageError` for an
        unknown status, and for a task without items.
        """
        require_seconds("slower_s", slower_s)
        visit = self._find_items(run_id, task)
        return self._items(visit, status_of(status), error, label, slower_s)

    def outputs(self, run_id: str, task: str) -> Iterator[tuple[int, Json]]:
        """Index and output of each item that succeeded in a task's last visit, in their order.

        Raises `UsageError` for a task without items, whose output is that of its visit.
        """
        return self._outputs(self._find_items(run_id, task))

    def logs(self, run_id: str, path: str | None = None) -> Iterator[Log]:
        """The logs of a run, in the order of tasks, indexes and attempts.

        With a `path`, only those of that task or item, `check` or `check[17]`, and of the attempts
        within it.
        """
        return self._logs(run_by_id(self._store, run_id).run_no, path)

    def delete(self, run_id: str) -> None:
        """Delete a run that is over or paused, with all its records.

        Raises `RunNotOverError` for a run that is pending, running or waiting.
        """
        record = run_by_id(self._store, run_id)
        at = record.ended_at or record.started_at or record.created_at
        ended = EndedRun(record.run_no, record.id, record.workflow, record.status, at)
        is_open = record.status in (Status.PENDING, Status.RUNNING, Status.WAITING)
        if is_open or not self._store.delete_run(ended):
            raise RunNotOverError(
                f"run {run_id} isn't over yet, so it can't be deleted.",
                run_id=run_id,
                status=record.status,
                hint=f"Cancel it first: fanwise cancel {run_id}",
            )
        for _ in self._store.delete_orphans():
            pass

    def close(self) -> None:
        """Close the store. Closing it again does nothing."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading page by page

    def _runs(
        self,
        status: Status | None,
        workflow: str | None,
        since: float | None,
        tags: Collection[str],
    ) -> Iterator[RunSummary]:
        before: int | None = None
        while page := self._store.runs(
            status=status, workflow=workflow, since=since, tags=tags, before=before
        ):
            yield from map(self._summary, page)
            before = page[-1].run_no

    def _items(
        self,
        visit: VisitRecord,
        status: Status | None,
        error: str | None,
        label: str | None,
        slower_s: float | None,
    ) -> Iterator[Item]:
        after, limit = -1, _FIRST_PAGE_RECORDS
        while page := self._store.items(
            visit.run_no,
            visit.visit_no,
            status=status,
            error=error,
            label=label,
            slower_s=slower_s,
            after=after,
            limit=limit,
        ):
            yield from map(_item, page)
            after = page[-1].index
            # The port counts items; their outputs may have any size.
            size = sum(len(item.output or b"") + len(item.error or b"") for item in page)
            fitting = PAGE_BYTES * len(page) // max(size, 1)
            limit = max(1, min(_PAGE_RECORDS, 2 * limit, fitting))

    def _outputs(self, visit: VisitRecord) -> Iterator[tuple[int, Json]]:
        stop = max(self._store.recorded_items(visit.run_no, visit.visit_no).indexes, default=-1) + 1
        start = 0
        while start < stop:
            window = min(start + _PAGE_RECORDS, stop)
            while page := self._store.outputs(visit.run_no, visit.visit_no, start, window):
                for index, text in page:
                    yield index, decode(text)
                start = page[-1][0] + 1
            start = window

    def _logs(self, run_no: int, path: str | None) -> Iterator[Log]:
        last: LogEntry | None = None
        while page := self._store.logs(run_no, under=path, after=last):
            yield from map(_log, page)
            last = page[-1]

    # Finding

    def _find_items(self, run_id: str, task: str) -> VisitRecord:
        """The last visit of a task with items."""
        require_text("task", task)
        within, _, _ = task.rpartition(".")
        visits = self._store.tasks(run_by_id(self._store, run_id).run_no, within=within)
        last = {visit.path: visit for visit in visits}
        if task not in last:
            near = get_close_matches(task, last, n=1)
            raise TaskNotFoundError(
                f'the run {run_id} has recorded no task "{task}".',
                run_id=run_id,
                task=task,
                hint=f'Did you mean "{near[0]}"?' if near else "",
            )
        if not last[task].has_items:
            raise UsageError(
                f'the task "{task}" has no items.', hint="Its output is that of its visit: tasks()."
            )
        return last[task]

    def _summary(self, record: RunRecord) -> RunSummary:
        from fanwise.model import INTERRUPTED
        from fanwise.wiring import runs_of

        return RunSummary(
            id=record.id,
            workflow=record.workflow,
            status=record.status,
            is_interrupted=runs_of(self._store).status(record) == INTERRUPTED,
            tags=record.tags,
            created_at=record.created_at,
            started_at=record.started_at,
            ended_at=record.ended_at,
            error=record.error,
        )


def moment_of(since: datetime | float | None) -> float | None:
    """Return a time in seconds since the epoch. Raises `UsageError` for another type."""
    if isinstance(since, bool) or not isinstance(since, datetime | float | int | None):
        raise UsageError(
            f"`since` takes a time or seconds since the epoch, not {type(since).__name__}.",
            hint="Give a datetime with a zone, as of datetime.now(UTC) - timedelta(days=1).",
        )
    return since.timestamp() if isinstance(since, datetime) else since


def status_of(status: Status | str | None) -> Status | None:
    """Return a status that is given by its name. Raises `UsageError` for an unknown one."""
    try:
        return None if status is None else Status(status)
    except ValueError:
        raise UsageError(
            f'"{status}" is no status.', hint=f"There are {', '.join(Status)}."
        ) from None


def _task_visit(visit: VisitRecord) -> TaskVisit:
    return TaskVisit(
        path=visit.path,
        visit=visit.visit,
        status=visit.status,
        started_at=visit.started_at,
        ended_at=visit.ended_at,
        attempts=visit.attempts,
        output=None if visit.output is None else decode(visit.output),
        error=visit.error,
        items=visit.items,
        earlier=visit.earlier,
    )


def _item(item: ItemOutcome) -> Item:
    return Item(
        index=item.index,
        label=item.label,
        status=item.status,
        attempts=item.attempts,
        started_at=item.started_at,
        duration_s=item.duration_s,
        output=None if item.output is None else decode(item.output),
        error=None if item.error is None else msgspec.json.decode(item.error, type=ErrorInfo),
        item=None if item.item is None else decode(item.item),
        earlier=() if item.earlier is None else _read_earlier(item.earlier),
    )


def _log(entry: LogEntry) -> Log:
    return Log(
        path=entry.path,
        index=entry.index,
        label=entry.label,
        attempt=entry.attempt,
        written_at=entry.at,
        text=entry.text,
    )
