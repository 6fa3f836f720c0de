"""The statements of a store, once for SQLite and PostgreSQL.

They are written as PostgreSQL would have them, in words that SQLite knows too, except for the few
that `SqliteDatabase` translates. Values come by the names of the ports' arguments, as in `:run_no`.
Queries give their columns in the order that `fanwise.stores.rows` reads. Filters are conditions of
which a query has those that are given. Pages are sought by key, never by offset, so that the last
page costs as much as the first. This module runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fanwise.model import TILE_ITEMS, Status
from fanwise.stores.database import Insert, Statement
from fanwise.stores.rows import OWN, TAG_GAP
from fanwise.stores.schema import (
    NOT_SUCCEEDED,
    Table,
    events,
    items,
    logs,
    payloads,
    progress,
    runs,
    sleeps,
    tags,
    tasks,
    tiles,
)


def _columns(table: Table, **instead: str) -> str:
    """The table's columns, with other expressions for some of them; empty text leaves one out."""
    named = (instead.get(name, f"{table.name}.{name}") for name in table.columns)
    return ", ".join(each for each in named if each)


def _with_payloads(table: Table, idx: str) -> str:
    """`table` beside the payloads that its rows have."""
    name = table.name
    return (
        f"{name} LEFT JOIN payloads ON {name}.has_payload AND payloads.run_no = {name}.run_no"
        f" AND payloads.visit_no = {name}.visit_no AND payloads.idx = {idx}"
    )


def _quoted(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status.value}'" for status in statuses)


_OPEN = _quoted((Status.PENDING, Status.RUNNING))

# Runs

_TAGS = f"(SELECT string_agg(tag, '{TAG_GAP}') FROM tags WHERE tags.run_no = runs.run_no)"

RUN = f"SELECT {_TAGS}, {_columns(runs)} FROM runs WHERE id = :run_id"

DEFINITION = "SELECT definition FROM runs WHERE run_no = :run_no"

RUN_IDS = "SELECT id FROM runs ORDER BY run_no DESC LIMIT :limit"

UNFINISHED = f"SELECT {_TAGS}, {_columns(runs)} FROM runs WHERE status IN ({_OPEN}) ORDER BY run_no"

_LISTED = _columns(runs, definition="", output="", origin="")
_RUN_FILTERS = {
    "status": "status = :status",
    "workflow": "workflow = :workflow",
    "since": "run_no IN (SELECT run_no FROM runs WHERE created_at >= :since)",
    "before": "run_no < :before",
}


def runs_where(
    filters: Iterable[str], tag_count: int, values: str = f"{_TAGS}, {_LISTED}"
) -> Statement:
    """The newest runs that the named filters let pass, and that have `tag_0`, `tag_1` and so on."""
    conditions = [_RUN_FILTERS[name] for name in filters] + [
        f"run_no IN (SELECT run_no FROM tags WHERE tag = :tag_{number})"
        for number in range(tag_count)
    ]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {values} FROM runs{where} ORDER BY run_no DESC LIMIT :limit"


def status_counts_where(filters: Iterable[str], tag_count: int) -> Statement:
    """The numbers of those runs by workflow and status."""
    newest = runs_where(filters, tag_count, "workflow, status")
    return f"SELECT workflow, status, count(*) FROM ({newest}) AS newest GROUP BY workflow, status"


NTH_NEWEST = (
    "SELECT created_at FROM runs WHERE created_at >= :since AND created_at < :until"
    " ORDER BY created_at DESC LIMIT 1 OFFSET :number"
)
RUN_COUNTS = (
    "WITH RECURSIVE spans(span) AS"
    " (SELECT 0 UNION ALL SELECT span + 1 FROM spans WHERE span + 1 < :spans)"
    " SELECT span, workflow, status, count(*) FROM spans JOIN runs"
    " ON created_at >= :since + span * :span_s AND created_at < :since + (span + 1) * :span_s"
    " AND created_at >= :first"
    " GROUP BY span, workflow, status ORDER BY span, workflow, status"
)

_RUN_VALUES = [name for name in runs.columns if name != "run_no"]

# The number is given out by the database. No row comes back if the id is taken.
INSERT_RUN = (
    f"INSERT INTO runs ({', '.join(_RUN_VALUES)}) VALUES (:{', :'.join(_RUN_VALUES)})"
    " ON CONFLICT (id) DO NOTHING RETURNING run_no"
)

# Visits of tasks

_TASKS = (
    f"SELECT {_columns(tasks, output='coalesce(payloads.data, tasks.output)', has_payload='')}"
    f" FROM {_with_payloads(tasks, str(OWN))} WHERE tasks.run_no = :run_no"
)
_BETWEEN = "path >= :first AND path < :last"

TASKS = f"{_TASKS} AND tasks.depth = 0 ORDER BY tasks.visit_no"

TASKS_WITHIN = f"{_TASKS} AND {_BETWEEN} AND tasks.depth = :depth ORDER BY tasks.visit_no"

LAST_VISIT_NO = "SELECT coalesce(max(visit_no), 0) FROM tasks WHERE run_no = :run_no"

BEGUN_ITEMS = f"SELECT path FROM tasks WHERE run_no = :run_no AND {_BETWEEN}"

# Events

_EVENTS = f"SELECT {_columns(events)} FROM events WHERE run_no = :run_no"

EVENTS = f"{_EVENTS} AND seq > :after ORDER BY seq LIMIT :limit"
EVENTS_OF_KINDS = f"{_EVENTS} AND kind IN (:kind, :other) ORDER BY seq"

# Items

_OF_VISIT = "items.run_no = :run_no AND items.visit_no = :visit_no"
_ITEM_OUTPUT = "coalesce(payloads.data, items.output)"
_ITEM_COLUMNS = _columns(items, output=_ITEM_OUTPUT, has_payload="", kind_no="")
_CUT_ITEM_COLUMNS = _columns(
    items, output=f"substr({_ITEM_OUTPUT}, 1, :beginning)", has_payload="", kind_no=""
)
_ITEMS_AND_PAYLOADS = _with_payloads(items, "items.idx")
_PAGE_OF_ITEMS = f"FROM {_ITEMS_AND_PAYLOADS} WHERE {_OF_VISIT}"
_ITEM_FILTERS = {
    "error": "substr(items.error, 1, length(:error)) = :error",
    # Not LIKE, for which `_` is any character, and an upper-case letter the same as a lower-case.
    "label": "replace(items.label, :label, '') != items.label",
    "slower_s": "items.duration_s > :slower_s",
    "until": "items.idx <= :until",
    "kind": "items.kind_no = :kind",
}

# A planner goes through all items by their primary key unless the small index is all it needs.
_FOUND = f"SELECT idx FROM items WHERE {_OF_VISIT} AND idx > :after"
_BY_STATUS = f"{_FOUND} AND status = :status AND {NOT_SUCCEEDED}"
_BY_KIND = f"{_FOUND} AND kind_no = :kind"


def _page_of(found: Statement) -> str:
    return (
        f"FROM {_ITEMS_AND_PAYLOADS} JOIN ({found}) AS found ON found.idx = items.idx"
        f" WHERE {_OF_VISIT}"
    )


def items_where(status: Status | None, filters: Iterable[str], *, is_cut: bool) -> Statement:
    """A page of the items that have a status, if it is given, and that the filters let pass.

    With `is_cut` only beginnings of outputs are read.
    """
    columns = _CUT_ITEM_COLUMNS if is_cut else _ITEM_COLUMNS
    names = list(filters)
    wanted = "".join([f" AND {_ITEM_FILTERS[name]}" for name in names])
    if status is not None:
        wanted = f" AND items.status = :status{wanted}"
    if "kind" in names:
        page = f"{_page_of(_BY_KIND)}{wanted} ORDER BY found.idx"
    elif status is None or status is Status.SUCCEEDED:
        page = f"{_PAGE_OF_ITEMS} AND items.idx > :after{wanted} ORDER BY items.idx"
    else:
        page = f"{_page_of(_BY_STATUS)}{wanted} ORDER BY found.idx"
    return f"SELECT {columns} {page} LIMIT :limit"


OUTPUTS = (
    f"SELECT items.idx, {_ITEM_OUTPUT} FROM {_ITEMS_AND_PAYLOADS} WHERE {_OF_VISIT}"
    " AND items.idx >= :start AND items.idx < :stop"
    " AND (items.output IS NOT NULL OR items.has_payload) ORDER BY items.idx"
)

INDEXES = f"SELECT idx FROM items WHERE {_OF_VISIT} AND idx >= :start AND idx < :stop ORDER BY idx"

_COUNTED = "coalesce(sum(CASE WHEN status = '{}' THEN 1 ELSE 0 END), 0)"
ITEM_TOTALS = (
    f"SELECT count(*), {_COUNTED.format('failed')}, {_COUNTED.format('succeeded')},"
    " coalesce(sum(attempts), 0), coalesce(sum(duration_s), 0.0), coalesce(min(started_at), 0.0),"
    f" coalesce(max(started_at + duration_s), 0.0) FROM items WHERE {_OF_VISIT}"
)
ITEM_TOTALS_BETWEEN = f"{ITEM_TOTALS} AND started_at >= :since AND started_at < :before"

DURATIONS = f"SELECT duration_s FROM items WHERE {_OF_VISIT}"

# These are the indexes of which a multiple by about the golden ratio of `size`, modulo `size`, is
# under `most`; `step` is the inverse of that number. No period in the items keeps in step with it.
SAMPLED_DURATIONS = (
    "WITH RECURSIVE steps(n) AS (SELECT CAST(0 AS BIGINT)"
    " UNION ALL SELECT n + 1 FROM steps WHERE n + 1 < :most)"
    " SELECT duration_s FROM (SELECT (n * :step) % :size AS idx FROM steps ORDER BY 1) AS drawn"
    f" CROSS JOIN items WHERE {_OF_VISIT} AND items.idx = drawn.idx"
)

_LONG = ("output", "error", "item", "earlier")
# Joined with its tiles PostgreSQL may sort all items: it can't tell how few are in a range.
SLOWEST_IN_RANGE = (
    f"SELECT {_columns(items, **dict.fromkeys(_LONG, 'NULL'), has_payload='', kind_no='')}"
    f" FROM items WHERE {_OF_VISIT} AND items.idx >= :start AND items.idx < :stop"
    " ORDER BY duration_s DESC, idx LIMIT :limit"
)

# Logs

_LOG_ORDER = "logs.visit_no, logs.idx, logs.log_no"
_LOGS = (
    f"SELECT {_columns(logs)}, items.label FROM logs LEFT JOIN items ON items.run_no = logs.run_no"
    " AND items.visit_no = logs.visit_no AND items.idx = logs.idx WHERE logs.run_no = :run_no"
)
_LATER_LOGS = f"{_LOGS} AND ({_LOG_ORDER}) > (:visit_no, :idx, :log_no)"
# Not LIKE: names may hold its `_`, and it takes upper and lower case for the same.
_UNDER = (
    "(logs.path = :under OR"
    " substr(logs.path, 1, length(:under) + 1) IN (:under || '.', :under || '['))"
)

LOGS = f"{_LATER_LOGS} ORDER BY {_LOG_ORDER} LIMIT :limit"

LOGS_UNDER = f"{_LATER_LOGS} AND {_UNDER} ORDER BY {_LOG_ORDER} LIMIT :limit"

NEW_LOGS = f"{_LOGS} AND logs.log_no > :after ORDER BY logs.log_no LIMIT :limit"

NEWEST_LOGS = f"{_LOGS} AND logs.log_no < :before ORDER BY logs.log_no DESC LIMIT :limit"

# Sleeps

_SLEEPS = f"SELECT {_columns(sleeps)} FROM sleeps WHERE run_no = :run_no"

SLEEP = f"{_SLEEPS} AND path = :path"
WAITING_TRIES = (
    f"{_SLEEPS} AND turn < 0 AND (path = :path OR (path >= :first AND path < :last)) ORDER BY path"
)

# Leases

LEASES = (
    "SELECT leases.run_no, token, leases.engine_no, owner, beats, beat_at, taken_at, ran_s,"
    " fanwise_now(), fanwise_up_since()"
    " FROM leases LEFT JOIN engines ON engines.engine_no = leases.engine_no"
)


def leases_of(run_nos: Sequence[int]) -> Statement:
    """The leases of these runs."""
    return f"{LEASES} WHERE leases.run_no IN ({', '.join(map(str, run_nos))})"


# A whole run, for exports: the queries above are pages for people.

RUN_TASKS = f"{_TASKS} ORDER BY tasks.visit_no"
RUN_EVENTS = f"{_EVENTS} ORDER BY seq"
RUN_ITEMS = (
    f"SELECT {_ITEM_COLUMNS} FROM {_ITEMS_AND_PAYLOADS} WHERE items.run_no = :run_no"
    " ORDER BY items.visit_no, items.idx"
)
RUN_LOGS = f"{_LOGS} ORDER BY {_LOG_ORDER}"
RUN_SLEEPS = f"{_SLEEPS} ORDER BY path"

# The rows that a commit adds or replaces, in the order in which it does

INSERT_RUNS = Insert(runs, replaces=("run_no",))
INSERT_TAGS = Insert(tags)
INSERT_TASKS = Insert(tasks, replaces=("run_no", "path", "visit"))
INSERT_SHORT_TASKS = Insert(
    tasks,
    replaces=INSERT_TASKS.replaces,
    without=(
        *("due_at", "items_total", "items_succeeded", "items_failed"),
        *("error", "has_payload", "source", "earlier"),
    ),
)
INSERT_EVENTS = Insert(events)
_SELDOM = ("error", "has_payload", "item", "earlier", "kind_no")
INSERT_SHORT_ITEMS = Insert(items, without=(*_SELDOM, "label"))
INSERT_LABELLED_ITEMS = Insert(items, without=_SELDOM)
INSERT_ITEMS = Insert(items)
INSERT_PAYLOADS = Insert(payloads, replaces=payloads.key)
INSERT_LOGS = Insert(logs, without=("log_no",))
INSERT_SLEEPS = Insert(sleeps, replaces=sleeps.key)
INSERT_PROGRESS = Insert(progress, replaces=progress.key)

# The row with this key, if it is there

ROW = {
    table.name: f"SELECT 1 FROM {table.name} WHERE "
    + " AND ".join([f"{name} = :{name}" for name in table.key])
    for table in (events, items)
}

# The rows that a commit takes back

DISCARD_TAGS = "DELETE FROM tags WHERE run_no = :run_no"

_WHOLE_VISIT = "run_no = :run_no AND visit_no = :visit_no"
_OF_ITEMS = "items", "payloads", "tiles", "kinds"

# Payloads stay: an item that runs again replaces its own.
DISCARD_ITEMS = (
    f"DELETE FROM items WHERE {_WHOLE_VISIT} AND {NOT_SUCCEEDED}",
    f"DELETE FROM tiles WHERE {_WHOLE_VISIT} AND {NOT_SUCCEEDED}",
    f"DELETE FROM kinds WHERE {_WHOLE_VISIT}",
)

# The tiles of the failed items that stay are added up again: a retry of one kind is rare.
DISCARD_KIND = (
    f"DELETE FROM items WHERE {_WHOLE_VISIT} AND {NOT_SUCCEEDED}"
    f" AND (status != '{Status.FAILED.value}' OR kind_no = :kind)",
    f"DELETE FROM tiles WHERE {_WHOLE_VISIT} AND {NOT_SUCCEEDED}",
    f"INSERT INTO tiles ({', '.join(tiles.columns)})"
    f" SELECT run_no, visit_no, idx / {TILE_ITEMS}, status,"
    " count(*), sum(attempts), sum(duration_s), max(duration_s)"
    f" FROM items WHERE {_WHOLE_VISIT} AND {NOT_SUCCEEDED}"
    f" GROUP BY run_no, visit_no, idx / {TILE_ITEMS}, status",
    f"DELETE FROM kinds WHERE {_WHOLE_VISIT} AND kind_no = :kind",
)

DISCARD_VISIT = tuple(
    f"DELETE FROM {name} WHERE {_WHOLE_VISIT}" for name in (*_OF_ITEMS, "progress", "tasks")
)

# In this order: the tasks go last, since they say which rows of the others are meant.
_STEPS = f"SELECT visit_no FROM tasks WHERE run_no = :run_no AND {_BETWEEN}"
DISCARD_STEPS = (
    *(
        f"DELETE FROM {name} WHERE run_no = :run_no AND visit_no IN ({_STEPS})"
        for name in _OF_ITEMS
    ),
    f"DELETE FROM tasks WHERE run_no = :run_no AND {_BETWEEN}",
)

DISCARD_SLEEP = "DELETE FROM sleeps WHERE run_no = :run_no AND path = :path"
DISCARD_SLEEPS_WITHIN = f"DELETE FROM sleeps WHERE run_no = :run_no AND {_BETWEEN}"
