"""Records read from a store by people and the engine, over any database: the port `Records`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from math import gcd

from fanwise.bitmap import Bitmap
from fanwise.model import (
    TILE_ITEMS,
    ItemOutcome,
    ItemTimes,
    ItemTotals,
    LogEntry,
    RecordedEvent,
    RecordedItems,
    RunCount,
    RunRecord,
    Sleep,
    SpanCounts,
    Status,
    VisitRecord,
)
from fanwise.ports import PAGE_BYTES
from fanwise.stores import rows, statements
from fanwise.stores.database import NEWEST, Database, Reader, findable
from fanwise.stores.rows import Row, SqlValue, items_within, steps_within
from fanwise.stores.tile_rows import to_totals
from fanwise.stores.tile_statements import SLOWEST_TILES, TILE_COUNTS, TILE_TOTALS

_PAGE_EVENTS = 100  # an event may hold the whole result of a task
_MAX_RUN_IDS = 10_000
_GOLDEN = (5**0.5 - 1) / 2
_MOST_LOOKUPS = 200_000  # beyond it items are so far apart that a walk is faster
_LARGEST_SIZE = 2**44  # of which a step for each lookup still is a number of a database
_SAMPLED_ITEMS = 20_000  # a quantile of so many is off by at most a percent of the items


class SqlRecords:
    """The port `Records` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, run_id: str) -> RunRecord | None:
        """The run with this id, or None."""
        found = self._database.read(statements.RUN, run_id=run_id)
        return rows.to_run(found[0]) if found else None

    def definition(self, run_no: int) -> str | None:
        """The text of a run's workflow; see `Records.definition`."""
        found = self._database.read(statements.DEFINITION, run_no=run_no)
        return found[0][0] if found else None

    def run_ids(self) -> Sequence[str]:
        """All ids, the newest first, at most 10,000."""
        found = self._database.read(statements.RUN_IDS, limit=_MAX_RUN_IDS)
        return [run_id for (run_id,) in found]

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
        filters = _given(
            status=status and status.value, workflow=workflow, since=since, before=before
        )
        tagged = _tagged(tags)
        query = statements.runs_where(filters, len(tagged))
        found = self._database.read(query, **filters, **tagged, limit=limit)
        return [rows.to_run(row) for row in found]

    def status_counts(
        self,
        *,
        workflow: str | None = None,
        since: float | None = None,
        tags: Collection[str] = (),
        most: int,
    ) -> Sequence[RunCount]:
        """The numbers of the newest runs by status; see `Records.status_counts`."""
        filters, tagged = _given(workflow=workflow, since=since), _tagged(tags)
        query = statements.status_counts_where(filters, len(tagged))
        found = self._database.read(query, **filters, **tagged, limit=most)
        return [RunCount(0, name, Status(status), number) for name, status, number in found]

    def run_counts(self, since: float, span_s: float, spans: int, *, most: int) -> SpanCounts:
        """The numbers of runs that were made in spans; see `Records.run_counts`."""
        whole = {"since": since, "until": since + spans * span_s}
        begun = self._database.read(statements.NTH_NEWEST, **whole, number=most)
        first = begun[0][0] if begun else since
        found = self._database.read(
            statements.RUN_COUNTS, since=since, span_s=span_s, spans=spans, first=first
        )
        counts = [
            RunCount(span, workflow, Status(status), number)
            for span, workflow, status, number in found
        ]
        return SpanCounts(first, counts)

    def unfinished(self) -> Sequence[RunRecord]:
        """The runs that are pending or running, the oldest first."""
        return [rows.to_run(row) for row in self._database.read(statements.UNFINISHED)]

    def last_visit_no(self, run_no: int) -> int:
        """The highest number of a visit that is recorded of the run, 0 if there is none."""
        ((number,),) = self._database.read(statements.LAST_VISIT_NO, run_no=run_no)
        return int(number)

    def tasks(self, run_no: int, *, within: str = "") -> Sequence[VisitRecord]:
        """The run's own tasks, or the steps of a child, in the order of `visit_no`."""
        if not within:
            found = self._database.read(statements.TASKS, run_no=run_no)
        else:
            found = self._database.read(
                statements.TASKS_WITHIN,
                run_no=run_no,
                depth=within.count(".") + 1,
                **steps_within(within),
            )
        return [rows.to_task(row) for row in found]

    def events(self, run_no: int, *, after: int = 0) -> Iterator[RecordedEvent]:
        """The run's events behind `after`, in the order of `seq`, read page by page."""
        query = statements.EVENTS
        while page := self._database.read(query, run_no=run_no, after=after, limit=_PAGE_EVENTS):
            events = [rows.to_event(row) for row in page]
            yield from events
            after = events[-1].seq

    def driving_events(self, run_no: int) -> Sequence[RecordedEvent]:
        """The events from which on a process drove the run; see `Records.driving_events`."""
        found = self._database.read(
            statements.EVENTS_OF_KINDS, run_no=run_no, kind="RunStarted", other="RunResumed"
        )
        return [rows.to_event(row) for row in found]

    def recorded_items(self, run_no: int, visit_no: int) -> RecordedItems:
        """The recorded items of a task; full tiles aren't looked into."""
        key = {"run_no": run_no, "visit_no": visit_no}

        def read(reader: Reader) -> RecordedItems:
            tile = to_totals(reader.read(TILE_TOTALS, **key))
            indexes = Bitmap()
            for start, stop, is_full in _spans(reader.read(TILE_COUNTS, **key)):
                if is_full:
                    indexes.add_range(start, stop - 1)
                    continue
                with reader.each(statements.INDEXES, **key, start=start, stop=stop) as found:
                    rows.add_indexes(indexes, found)
            return RecordedItems(indexes, tile.succeeded, tile.failed, tile.attempts)

        return self._database.reading(read)

    def begun_items(self, run_no: int, path: str) -> Bitmap:
        """The items of the task at `path` that have recorded steps of a child workflow."""
        bounds = items_within(path)

        def read(reader: Reader) -> Bitmap:
            with reader.each(statements.BEGUN_ITEMS, run_no=run_no, **bounds) as found:
                return rows.to_begun(found, path)

        return self._database.reading(read)

    def sleep(self, run_no: int, path: str) -> Sleep | None:
        """The latest sleep of the task or item at `path`, or None."""
        found = self._database.read(statements.SLEEP, run_no=run_no, path=path)
        return rows.to_sleep(found[0]) if found else None

    def waiting_tries(self, run_no: int, path: str) -> Sequence[Sleep]:
        """The later attempts that wait for their time; see `Records.waiting_tries`."""
        bounds = rows.items_within(path)
        found = self._database.read(statements.WAITING_TRIES, run_no=run_no, path=path, **bounds)
        return [rows.to_sleep(row) for row in found if "." not in row[1][len(path) :]]

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
        """At most `limit` items in the order of their indexes; see `Records.items`."""
        begins = None if error is None else rows.error_beginning(error)
        filters = _given(error=begins, label=label, slower_s=slower_s, kind=kind, until=until)
        query = statements.items_where(status, filters, is_cut=beginning is not None)
        values = findable(
            {
                **_given(run_no=run_no, visit_no=visit_no, status=status and status.value),
                **_given(beginning=beginning),
                **filters,
                "after": after,
                "limit": limit,
            }
        )

        def read(reader: Reader) -> Sequence[ItemOutcome]:
            with reader.each(query, **values) as found:
                return rows.to_page(found, limit_bytes)

        return self._database.reading(read)

    def item_totals(
        self, run_no: int, visit_no: int, *, between: tuple[float, float] | None = None
    ) -> ItemTotals:
        """Sums over the task's recorded items; see `Records.item_totals`."""
        key: dict[str, SqlValue] = {"run_no": run_no, "visit_no": visit_no}
        if between is None:
            (found,) = self._database.read(statements.ITEM_TOTALS, **key)
        else:
            since, before = between
            (found,) = self._database.read(
                statements.ITEM_TOTALS_BETWEEN, **key, since=since, before=before
            )
        return ItemTotals(*found)

    def item_times(self, run_no: int, visit_no: int, *, slowest: int = 3) -> ItemTimes:
        """The durations of the task's items; see `Records.item_times`."""
        key = {"run_no": run_no, "visit_no": visit_no}

        def read(reader: Reader) -> ItemTimes:
            tiles = reader.read(TILE_COUNTS, **key)
            durations = _durations(reader, key, tiles)
            totals = to_totals(reader.read(TILE_TOTALS, **key))
            return rows.to_item_times(totals, durations, _slowest(reader, key, slowest))

        return self._database.reading(read)

    def logs(
        self,
        run_no: int,
        *,
        under: str | None = None,
        after: LogEntry | None = None,
        limit: int = 100,
    ) -> Sequence[LogEntry]:
        """At most `limit` logs, in the order of task, index and time."""
        visit_no, idx, log_no = rows.log_key(after)
        found = self._database.read(
            statements.LOGS if under is None else statements.LOGS_UNDER,
            **_given(run_no=run_no, under=under),
            visit_no=visit_no,
            idx=idx,
            log_no=log_no,
            limit=limit,
        )
        return [rows.to_log(row) for row in found]

    def new_logs(self, run_no: int, *, after: int = 0, limit: int = 100) -> Sequence[LogEntry]:
        """At most `limit` logs with a number over `after`, in the order in which they came."""
        found = self._database.read(statements.NEW_LOGS, run_no=run_no, after=after, limit=limit)
        return [rows.to_log(row) for row in found]

    def newest_logs(
        self, run_no: int, *, before: int | None = None, limit: int = 100
    ) -> Sequence[LogEntry]:
        """At most `limit` of the latest logs, the newest first."""
        end = NEWEST if before is None else before
        found = self._database.read(statements.NEWEST_LOGS, run_no=run_no, before=end, limit=limit)
        return [rows.to_log(row) for row in found]

    def outputs(
        self, run_no: int, visit_no: int, start: int, stop: int, *, limit_bytes: int = PAGE_BYTES
    ) -> Sequence[tuple[int, bytes]]:
        """Index and JSON text of each recorded output with `start <= index < stop`.

        It ends early once `limit_bytes` are reached; see `Pages.outputs`.
        """
        key = {"run_no": run_no, "visit_no": visit_no, "start": start, "stop": stop}

        def read(reader: Reader) -> Sequence[tuple[int, bytes]]:
            with reader.each(statements.OUTPUTS, **key) as found:
                return rows.to_outputs(found, limit_bytes)

        return self._database.reading(read)


def _durations(reader: Reader, key: dict[str, int], tiles: Sequence[Row]) -> list[Row]:
    """The durations of a task's items, or of a sample that is found by its indexes."""
    count = sum(items for _, items in tiles)
    size = (tiles[-1][0] + 1) * TILE_ITEMS if tiles else 0
    most = min(size, _SAMPLED_ITEMS * size // max(count, 1))
    if count <= _SAMPLED_ITEMS or most > _MOST_LOOKUPS or size > _LARGEST_SIZE:
        return reader.read(statements.DURATIONS, **key)
    turn = round(size * _GOLDEN)
    while gcd(turn, size) != 1:
        turn += 1
    step = pow(turn, -1, size)
    return reader.read(statements.SAMPLED_DURATIONS, **key, most=most, step=step, size=size)


def _slowest(reader: Reader, key: dict[str, int], most: int) -> list[ItemOutcome]:
    """So many of a task's slowest items, the slowest first."""
    found: list[ItemOutcome] = []
    for (tile,) in reader.read(SLOWEST_TILES, **key, limit=most):
        start = tile * TILE_ITEMS
        within = {"start": start, "stop": start + TILE_ITEMS, "limit": most}
        found += map(rows.to_item, reader.read(statements.SLOWEST_IN_RANGE, **key, **within))
    return sorted(found, key=lambda item: (-item.duration_s, item.index))[:most]


def _spans(tiles: Iterable[Row]) -> Iterator[tuple[int, int, bool]]:
    """Spans of indexes that have items, and whether all of their items are there.

    Tiles that follow each other and are alike are one span.
    """
    start = stop = 0
    was_full = False
    for number, count in tiles:
        is_full = count == TILE_ITEMS
        begin = number * TILE_ITEMS
        if begin != stop or is_full != was_full:
            if stop > start:
                yield start, stop, was_full
            start, was_full = begin, is_full
        stop = begin + TILE_ITEMS
    if stop > start:
        yield start, stop, was_full


def _tagged(tags: Collection[str]) -> dict[str, str]:
    return {f"tag_{number}": tag for number, tag in enumerate(tags)}


def _given(**values: SqlValue) -> dict[str, SqlValue]:
    """The values that aren't None."""
    return {name: value for name, value in values.items() if value is not None}
