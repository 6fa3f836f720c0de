"""Records to rows and back, for every database.

A row holds plain values in the order of its table's columns: text for JSON, statuses and errors.
Records come back equal, with the data of errors frozen. This module holds no
SQL and knows no driver.

Millions of items pass through `to_rows` while the event loop waits for the same interpreter, so it
does little per item and makes no object that a driver doesn't need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from fanwise.bitmap import Bitmap
from fanwise.model import (
    CloseWaits,
    Discard,
    EndedRun,
    EngineRecord,
    ErrorInfo,
    FailedAttempt,
    FileFingerprint,
    ItemCounts,
    ItemOutcome,
    ItemTimes,
    Lease,
    LogEntry,
    Owner,
    Record,
    RecordedEvent,
    RequestKind,
    RunLimit,
    RunOrder,
    RunOrigin,
    RunRecord,
    RunRequest,
    Sleep,
    Status,
    Submission,
    Tile,
    VisitProgress,
    VisitRecord,
)
from fanwise.values import decode

Row: TypeAlias = tuple[Any, ...]
"""A row of a database, whose columns its reader knows."""

SqlValue: TypeAlias = str | int | float | None

INLINE_BYTES = 4096
"""The longest result, as JSON text in UTF-8, that is in the row of its item or task."""

OWN = -1
"""The index of a payload or a log that is a task's own, not an item's."""

TAG_GAP = " "
"""The text between the tags of a run where they are read as one text; no tag holds it."""

_statuses = {str(status.value): status for status in Status}
_read_earlier = msgspec.json.Decoder(tuple[FailedAttempt, ...]).decode
_encode_error: Callable[[ErrorInfo], bytes] = msgspec.json.Encoder().encode


class _Source(msgspec.Struct, omit_defaults=True):
    """The column `source` of a task: what its items and its context come from.

    The fields are what its file was like, the records left out of it, and the size of its snapshot.
    """

    size_bytes: int | None = None
    modified_at: float | None = None
    sample: str | None = None
    bad_records: int | None = None
    snapshot_bytes: int | None = None

    @property
    def fingerprint(self) -> FileFingerprint | None:
        if self.size_bytes is None or self.modified_at is None or self.sample is None:
            return None
        return FileFingerprint(self.size_bytes, self.modified_at, self.sample)


_FEW_TASKS = 8

_WITHOUT_SLOT = frozenset(
    {each for each in Status if each.is_final} | {Status.PAUSED, Status.WAITING}
)


class Rows:
    """The rows of one commit; the values of a table's rows are in one flat list.

    `tags` are those of each run by its number; they replace all that it had. `freed` has the limits
    of runs that have no slot of them any more, and `ended` the numbers, statuses and times of runs
    that are over.

    Most items have a short result and no error. Theirs are `short_items` or, with a label,
    `labelled_items`, which leave out the columns that would be null: a null costs a driver as much
    as several numbers. So do `short_tasks`, for the millions of steps that children may have; of a
    few rows all are `tasks`, since a statement costs more than nulls.

    `failed` are the items that have failed, each with the place of its `kind_no` in `items`.
    """

    __slots__ = (
        "discards",
        "ended",
        "events",
        "failed",
        "freed",
        "items",
        "labelled_items",
        "logs",
        "payloads",
        "progress",
        "runs",
        "short_items",
        "short_tasks",
        "sleeps",
        "tags",
        "tasks",
    )

    def __init__(self) -> None:
        self.discards: list[Discard | CloseWaits] = []
        self.runs: list[SqlValue] = []
        self.freed: dict[int, RunLimit] = {}
        self.ended: list[tuple[int, str, float | None]] = []
        self.tags: dict[int, Sequence[str]] = {}
        self.tasks: list[SqlValue] = []
        self.short_tasks: list[SqlValue] = []
        self.events: list[SqlValue] = []
        self.items: list[SqlValue] = []
        self.short_items: list[SqlValue] = []
        self.labelled_items: list[SqlValue] = []
        self.payloads: list[SqlValue] = []
        self.logs: list[SqlValue] = []
        self.sleeps: list[SqlValue] = []
        self.progress: list[SqlValue] = []
        self.failed: list[tuple[ItemOutcome, int]] = []


def to_rows(records: Sequence[Record]) -> Rows:
    """Return the rows of `records`; of several records of one thing that replace, the last counts.

    Raises `ValueError` for text that isn't UTF-8 or holds NUL, and `TypeError` for errors that
    aren't JSON.
    """
    rows = Rows()
    short_items, labelled_items = rows.short_items, rows.labelled_items
    runs: dict[int, RunRecord] = {}
    tasks: dict[tuple[int, str, int], VisitRecord] = {}
    latest: dict[tuple[int, str | int], Sleep | VisitProgress] = {}
    for record in records:
        if isinstance(record, ItemOutcome):
            output, label = record.output, record.label
            is_seldom = record.error is not None or record.earlier is not None
            if is_seldom or output is None or len(output) > INLINE_BYTES:
                _add_item(rows, record)
                continue
            values = (
                record.run_no,
                record.visit_no,
                record.index,
                record.status._value_,  # a third of the time that `.value` takes
                record.attempts,
                record.started_at,
                record.duration_s,
                output.decode(),
            )
            if label is None:
                short_items += values
            else:
                refuse_nul(label)
                labelled_items += values
                labelled_items.append(label)
        elif isinstance(record, VisitRecord):
            key = record.run_no, record.path, record.visit
            tasks.pop(key, None)  # of one visit the last record counts, whatever its number
            tasks[key] = record
        elif isinstance(record, RecordedEvent):
            rows.events += (record.run_no, record.seq, record.kind, record.data.decode())
        elif isinstance(record, LogEntry):
            refuse_nul(record.text)
            index = OWN if record.index is None else record.index
            rows.logs += (record.run_no, record.visit_no, index, record.at, record.attempt)
            rows.logs += (record.path, record.text)
        elif isinstance(record, Sleep | VisitProgress):
            latest[_key(record)] = record
        elif isinstance(record, Discard | CloseWaits):
            rows.discards.append(record)
        elif isinstance(record, RunRecord):
            runs[record.run_no] = record
    for run in runs.values():
        _add_run(rows, run)
    are_many = len(tasks) > _FEW_TASKS
    for task in tasks.values():
        _add_task(rows, task, may_be_short=are_many)
    for each in latest.values():
        own = rows.sleeps if isinstance(each, Sleep) else rows.progress
        own += msgspec.structs.astuple(each)
    return rows


def _key(record: Sleep | VisitProgress) -> tuple[int, str | int]:
    """The key of the row that a record replaces."""
    return record.run_no, record.path if isinstance(record, Sleep) else record.visit_no


def _add_run(rows: Rows, run: RunRecord) -> None:
    rows.runs += (run.run_no, *from_run(run))
    rows.tags[run.run_no] = run.tags
    if run.status.is_final:
        rows.ended.append((run.run_no, run.status.value, run.ended_at))
    limit = run.origin.limit
    keeps_slot = limit is not None and limit.keeps_slot and run.status is Status.WAITING
    if limit is not None and run.status in _WITHOUT_SLOT and not keeps_slot:
        rows.freed[run.run_no] = limit


def refuse_nul(text: str) -> None:
    """Raise `ValueError` for a text that PostgreSQL couldn't hold; all stores refuse the same."""
    if "\0" in text:
        raise ValueError("its text holds NUL")


def _add_item(rows: Rows, item: ItemOutcome) -> None:
    if item.label is not None:
        refuse_nul(item.label)
    inline, payload = _split(item.output)
    if payload is not None:
        rows.payloads += (item.run_no, item.visit_no, item.index, payload)
    rows.items += (
        item.run_no,
        item.visit_no,
        item.index,
        item.status.value,
        item.attempts,
        item.started_at,
        item.duration_s,
        inline,
        _text(item.error),
        item.label,
        payload is not None,
        _text(item.item),
        _text(item.earlier),
        None,
    )
    if item.status is Status.FAILED:
        rows.failed.append((item, len(rows.items) - 1))


def _add_task(rows: Rows, task: VisitRecord, *, may_be_short: bool) -> None:
    inline, payload = _split(task.output)
    if payload is not None:
        rows.payloads += (task.run_no, task.visit_no, OWN, payload)
    values = (
        task.run_no,
        task.visit_no,
        task.path,
        task.visit,
        task.path.count("."),
        task.status.value,
        task.has_items,
    )
    times = (task.started_at, task.ended_at, task.attempts)
    if may_be_short and inline is not None and _is_plain(task):
        rows.short_tasks += (*values, *times, inline)
        return
    counts = task.items
    rows.tasks += (
        *values,
        task.due_at,
        *times,
        *(
            (task.items_total, None, None)
            if counts is None
            else (counts.total, counts.succeeded, counts.failed)
        ),
        _error_text(task.error),
        inline,
        payload is not None,
        _source_text(task),
        _json_text(task.earlier) if task.earlier else None,
    )


def _is_plain(task: VisitRecord) -> bool:
    """True if a row without the columns that are seldom used says all of a visit."""
    return (
        task.error is None
        and task.due_at is None
        and task.items is None
        and task.items_total is None
        and task.source is None
        and task.snapshot_bytes is None
        and not task.earlier
    )


def _source_text(task: VisitRecord) -> str | None:
    bad_records = None if task.items is None else task.items.bad_records
    source = _Source(bad_records=bad_records, snapshot_bytes=task.snapshot_bytes)
    if (found := task.source) is not None:
        source.size_bytes, source.modified_at = found.size_bytes, found.modified_at
        source.sample = found.sample
    return None if source == _Source() else _json_text(source)


def log_key(log: LogEntry | None) -> tuple[int, int, int]:
    """Return the key that orders the logs of a run; for None, a key before all of them."""
    if log is None:
        return 0, OWN, 0
    return log.visit_no, OWN if log.index is None else log.index, log.log_no


def from_run(run: RunRecord) -> Row:
    """Return the row of `run` without its number. Raises `ValueError` for text with NUL."""
    for text in (run.id, run.workflow, run.file, run.definition):
        refuse_nul(text)
    return (
        run.id,
        run.workflow,
        run.file,
        run.status.value,
        run.created_at,
        run.started_at,
        run.ended_at,
        _error_text(run.error),
        run.parameters.decode(),
        run.definition,
        _text(run.output),
        _json_text(run.origin),
    )


def steps_within(path: str) -> dict[str, str]:
    """Return the bounds of the paths that continue `path` with a dot: "/" is next to it."""
    return {"first": f"{path}.", "last": f"{path}/"}


def items_within(path: str) -> dict[str, str]:
    """Return the bounds of the paths that continue `path` with an index, by ASCII's order."""
    return {"first": f"{path}[", "last": f"{path}\\"}


def from_tags(run_no: int, tags: Sequence[str]) -> list[SqlValue]:
    """Return the values of a run's rows in `tags`."""
    return [value for tag in tags for value in (run_no, tag)]


def to_run(row: Row) -> RunRecord:
    """Return the run of a row of `runs` behind its tags, which may end before `definition`."""
    tags, run_no, run_id, workflow, file, status, *rest = row
    created, started, ended, error, parameters, *long = rest
    definition, output, origin = long or ("", None, None)
    return RunRecord(
        run_no=run_no,
        id=run_id,
        workflow=workflow,
        file=file,
        definition=definition,
        parameters=parameters.encode(),
        status=_statuses[status],
        created_at=created,
        started_at=started,
        ended_at=ended,
        output=_bytes(output),
        error=_error(error),
        tags=tuple(sorted(tags.split(TAG_GAP))) if tags else (),
        origin=RunOrigin() if origin is None else msgspec.json.decode(origin, type=RunOrigin),
    )


def to_ended_run(row: Row) -> EndedRun:
    """Return the run of a row with the columns of an `EndedRun`."""
    run_no, run_id, workflow, status, ended_at = row
    return EndedRun(run_no, run_id, workflow, _statuses[status], ended_at)


def to_task(row: Row) -> VisitRecord:
    """Return the task of a row of `tasks` whose `output` holds its payload, if it has one."""
    run_no, visit_no, path, visit, _depth, status, has_items, due, started, ended, *rest = row
    attempts, total, good, bad, error, output, source_text, earlier = rest
    source = _Source() if source_text is None else msgspec.json.decode(source_text, type=_Source)
    return VisitRecord(
        run_no=run_no,
        visit_no=visit_no,
        path=path,
        visit=visit,
        status=_statuses[status],
        has_items=bool(has_items),
        due_at=due,
        started_at=started,
        ended_at=ended,
        attempts=attempts,
        output=_bytes(output),
        error=_error(error),
        items=None if good is None else ItemCounts(total, good, bad, source.bad_records),
        items_total=total if good is None else None,
        source=source.fingerprint,
        earlier=() if earlier is None else _read_earlier(earlier),
        snapshot_bytes=source.snapshot_bytes,
    )


def to_item(row: Row) -> ItemOutcome:
    """Return the item of a row of `items` whose `output` holds its payload, if it has one."""
    run_no, visit_no, index, status, attempts, started, duration, output, error, *seldom = row
    label, item, earlier = seldom
    return ItemOutcome(
        run_no,
        visit_no,
        index,
        _statuses[status],
        attempts,
        started,
        duration,
        _bytes(output),
        _bytes(error),
        label,
        _bytes(item),
        _bytes(earlier),
    )


def to_page(rows: Iterable[Row], limit_bytes: int) -> list[ItemOutcome]:
    """Return the items of rows, up to the one with which their texts reach `limit_bytes`."""
    page, size = [], 0
    for row in rows:
        item = to_item(row)
        page.append(item)
        size += len(item.output or b"") + len(item.error or b"")
        if size >= limit_bytes:
            break
    return page


def to_item_times(
    totals: Tile, durations: Iterable[Row], slowest: Sequence[ItemOutcome]
) -> ItemTimes:
    """Return the times of items from their totals, rows of durations, and the slowest ones."""
    return ItemTimes(
        totals.items,
        totals.busy_s,
        tuple(sorted(duration_s for (duration_s,) in durations)),
        tuple(slowest),
    )


def error_beginning(kind: str) -> str:
    """Return how the text of an error of this type begins: its fields are in their order."""
    return _encode_error(ErrorInfo(kind, "")).decode().removesuffix('"}')


def to_event(row: Row) -> RecordedEvent:
    """Return the event of a row of `events`."""
    run_no, seq, kind, data = row
    return RecordedEvent(run_no, seq, kind, data.encode())


def to_log(row: Row) -> LogEntry:
    """Return the log of a row of `logs` with the item's label behind it."""
    log_no, run_no, visit_no, idx, at, attempt, path, text, label = row
    index = None if idx == OWN else idx
    return LogEntry(run_no, visit_no, index, attempt, path, at, text, label, log_no)


def to_sleep(row: Row) -> Sleep:
    """Return the sleep of a row of `sleeps`."""
    return Sleep(*row)


def to_outputs(rows: Iterable[Row], limit_bytes: int) -> list[tuple[int, bytes]]:
    """Return the index and the JSON text of rows of those two, until `limit_bytes` are reached."""
    outputs = []
    room_bytes = limit_bytes
    for index, text in rows:
        output = text.encode()
        outputs.append((index, output))
        room_bytes -= len(output)
        if room_bytes <= 0:
            break
    return outputs


def add_indexes(bitmap: Bitmap, indexes: Iterable[Row]) -> None:
    """Add the indexes of rows of one index each, which are sorted."""
    first = end = 0  # of the indexes that follow each other without a gap
    for (index,) in indexes:
        if index != end:
            bitmap.add_range(first, end - 1)
            first = index
        end = index + 1
    bitmap.add_range(first, end - 1)


def to_begun(rows: Iterable[Row], path: str) -> Bitmap:
    """Return the indexes in rows of paths that begin with `path` and an index."""
    start = len(path) + 1
    return Bitmap(int(found[start : found.index("]", start)]) for (found,) in rows)


def to_lease(row: Row) -> Lease:
    """Return the lease of a row of `leases`, beside its engine's and the database's times."""
    run_no, token, engine_no, owner, beats, beat_at, taken_at, ran_s, now, up_since = row
    if engine_no is None or owner is None:
        return Lease(run_no, token, None, None, ran_s=ran_s)
    return Lease(
        run_no=run_no,
        token=token,
        engine_no=engine_no,
        owner=to_owner(owner),
        beats=beats,
        # A clock that was set back makes no span negative.
        silent_s=max(0.0, now - max(beat_at, up_since)),
        held_s=max(0.0, now - taken_at),
        ran_s=ran_s,
    )


def to_request(kind: str, data: str) -> RunRequest:
    """Return the request of a row of `requests`."""
    return RunRequest(RequestKind(kind), data.encode())


_read_order = msgspec.json.Decoder(RunOrder).decode


def to_submission(row: Row) -> Submission:
    """Return the place in a queue of a row of `submissions`, without its number."""
    _, queue, priority, once, is_waiting, since, tries, why, tried_by, is_held_back, order = row
    return Submission(
        queue=queue,
        priority=priority,
        once=once,
        is_waiting=bool(is_waiting),
        since=since,
        tries=tries,
        why=why,
        tried_by=tried_by,
        is_held_back=bool(is_waiting and is_held_back),
        order=None if order is None else _read_order(order),
    )


def to_engine(rows: Sequence[Row]) -> EngineRecord:
    """Return the engine of rows of `engines`, each beside the time of reading and a run.

    Of the run it has the id, None without one, and whether it was submitted.
    """
    engine_no, owner, beats, beat_at, enrolled_at, now, *_ = rows[0]
    held = [(run_id, is_submitted) for *_, run_id, is_submitted in rows if run_id is not None]
    return EngineRecord(
        engine_no=engine_no,
        owner=to_owner(owner),
        beats=beats,
        silent_s=max(0.0, now - beat_at),
        since=enrolled_at,
        runs=tuple([run_id for run_id, _ in held]),
        submitted=tuple([run_id for run_id, is_submitted in held if is_submitted]),
    )


def to_owner(text: str) -> Owner:
    """Return the process of an engine's row."""
    return msgspec.json.decode(text, type=Owner)


def from_owner(owner: Owner) -> str:
    """Return the text that an engine's row has of its process."""
    return _json_text(owner)


def _json_text(
    value: RunOrigin | FileFingerprint | Owner | _Source | tuple[FailedAttempt, ...],
) -> str:
    return msgspec.json.encode(value).decode()


def _split(output: bytes | None) -> tuple[str | None, str | None]:
    """A result as the text for its row, and the text for `payloads`."""
    text = _text(output)
    if output is None or len(output) <= INLINE_BYTES:
        return text, None
    return None, text


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _error_text(error: ErrorInfo | None) -> str | None:
    return None if error is None else _encode_error(error).decode()


def _error(text: str | None) -> ErrorInfo | None:
    return None if text is None else ErrorInfo(**decode(text.encode()))
