"""The tables that runs are recorded in, once for SQLite and PostgreSQL.

Columns are named after the fields of the records in `fanwise.model`, except that an item's index is
`idx`, since INDEX is a word of SQL. JSON is stored as text, statuses by their words, times as
seconds since the epoch, so a store reads well in the database's own shell.

An item is one row, written once; its key is the order in which pages are read. A result of more
than 4 KB is in `payloads` and its row says so in `has_payload`: rows stay short, and a scan
over statuses never walks through results. A payload that no row points to means nothing. A payload
or a log of a task itself, not of an item, has -1 as its index.

Types are those of PostgreSQL; another database writes them as its own. This module holds no
query and touches no database. `REVISIONS` lists the versions of the schema from the oldest to the
newest, each of which has a module in `migrations/versions`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

REVISIONS = tuple(f"{number:04}" for number in range(1, 19))

_NUMBER = "BIGINT NOT NULL"
_TEXT = "TEXT NOT NULL"
_TIME = "DOUBLE PRECISION NOT NULL"
_FLAG = "BOOLEAN NOT NULL"
_SELDOM = "BOOLEAN DEFAULT FALSE NOT NULL"


class Table(msgspec.Struct, frozen=True, eq=False):
    """A table: the type of each column by its name, its primary key and the rest.

    `serial` names a column of numbers that the database gives out, each of them once. The rows of a
    `clustered` table are kept in the order of its key, if the database can do that.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    unique: Mapping[str, tuple[str, ...]] = {}
    indexes: Mapping[str, str] = {}
    serial: str | None = None
    clustered: bool = False


# The long columns stand last: a list of runs then never reads the pages that they fill.
runs = Table(
    "runs",
    {
        "run_no": "BIGINT",
        "id": _TEXT,
        "workflow": _TEXT,
        "file": _TEXT,
        "status": _TEXT,
        "created_at": _TIME,
        "started_at": "DOUBLE PRECISION",
        "ended_at": "DOUBLE PRECISION",
        "error": "TEXT",
        "parameters": _TEXT,
        "definition": _TEXT,
        "output": "TEXT",
        "origin": "TEXT",
    },
    key=("run_no",),
    unique={"runs_id": ("id",)},
    indexes={
        "runs_status": "(status, run_no)",
        "runs_workflow": "(workflow, run_no)",
        "runs_created": "(created_at, run_no)",
        "runs_pending": "(workflow, run_no) WHERE status = 'pending'",
    },
    serial="run_no",
)

tags = Table(
    "tags",
    {"run_no": _NUMBER, "tag": _TEXT},
    key=("run_no", "tag"),
    indexes={"tags_tag": "(tag, run_no)"},
    clustered=True,
)

# Engines beat, runs don't: the runs of an engine cost one row that changes, however many they are.
engines = Table(
    "engines",
    {
        "engine_no": _NUMBER,
        "owner": _TEXT,
        "beats": _NUMBER,
        "beat_at": _TIME,
        "enrolled_at": "DOUBLE PRECISION",
    },
    key=("engine_no",),
    serial="engine_no",
)

# Not columns of `runs`: records of a run's owner never meet those of others here.
leases = Table(
    "leases",
    {
        "run_no": _NUMBER,
        "token": _NUMBER,
        "engine_no": "BIGINT",
        "taken_at": _TIME,
        "ran_s": _TIME,
    },
    key=("run_no",),
    indexes={"leases_engine": "(engine_no) WHERE engine_no IS NOT NULL"},
)

requests = Table(
    "requests",
    {"request_no": _NUMBER, "run_no": _NUMBER, "kind": _TEXT, "data": _TEXT},
    key=("request_no",),
    indexes={"requests_run": "(run_no, request_no)"},
    serial="request_no",
)

# A place in a queue lasts as long as its run, so that its key is known as long. The first index has
# just the runs that wait for an engine, and takes it to the best of them, however many have been
# taken or are held back by a limit (`scope`, `key`). They are taken in the order of `turn`.
submissions = Table(
    "submissions",
    {
        "run_no": _NUMBER,
        "queue": _TEXT,
        "priority": _NUMBER,
        "once": "TEXT",
        "is_waiting": _FLAG,
        "since": _TIME,
        "tries": _NUMBER,
        "why": _TEXT,
        "tried_by": _TEXT,
        "progress": _TEXT,
        "turn": "DOUBLE PRECISION DEFAULT 0 NOT NULL",
        "scope": "TEXT",
        "key": "TEXT",
        "most": "BIGINT",
        "is_held_back": _SELDOM,
        "ordered": "TEXT",
        "ordered_after": "BIGINT",
    },
    key=("run_no",),
    unique={"submissions_once": ("once",)},
    indexes={
        "submissions_ready": "(queue, turn, run_no) WHERE is_waiting AND NOT is_held_back",
        "submissions_line": "(scope, key, queue, turn, run_no)"
        " WHERE is_waiting AND scope IS NOT NULL",
    },
)

# The limit of a key, as long as one of its runs has a slot or waits in a queue. Transactions that
# give, free or count slots of the key lock this row first.
bounds = Table(
    "bounds",
    {"scope": _TEXT, "key": _TEXT, "most": _NUMBER},
    key=("scope", "key"),
    clustered=True,
)

slots = Table(
    "slots",
    {"scope": _TEXT, "key": _TEXT, "run_no": _NUMBER},
    key=("scope", "key", "run_no"),
    indexes={"slots_run": "(run_no)"},
    clustered=True,
)

# Of runs of workflows that another one calls, each by the path of its task or item. `token` is that
# of the lease under which the run above them was driven when the slot was taken.
child_slots = Table(
    "child_slots",
    {"run_no": _NUMBER, "path": _TEXT, "scope": _TEXT, "key": _TEXT, "token": _NUMBER},
    key=("run_no", "path"),
    indexes={"child_slots_of_keys": "(scope, key, run_no)"},
    clustered=True,
)

# Named limits on attempts: an engine's share of the slots, and when the next start is reserved.
shares = Table(
    "shares",
    {
        "name": _TEXT,
        "engine_no": _NUMBER,
        "slots": _NUMBER,
        "running": _NUMBER,
        "wants": _NUMBER,
        "most": "BIGINT",
        "seen_at": _TIME,
    },
    key=("name", "engine_no"),
    clustered=True,
)

paces = Table("paces", {"name": _TEXT, "due_at": _TIME}, key=("name",), clustered=True)

# Processes that wait for a slot to drive a run themselves, which isn't recorded before.
waiters = Table(
    "waiters",
    {
        "waiter_no": _NUMBER,
        "scope": _TEXT,
        "key": _TEXT,
        "run_id": _TEXT,
        "is_new": _FLAG,
        "turn": _TIME,
        "seen_at": _TIME,
    },
    key=("waiter_no",),
    indexes={"waiters_line": "(scope, key, turn)"},
    serial="waiter_no",
)

repeats = Table(
    "repeats",
    {"scope": _TEXT, "key": _TEXT, "run_no": _NUMBER, "until": _TIME},
    key=("scope", "key"),
    indexes={"repeats_run": "(run_no)"},
    clustered=True,
)

# A run's own tasks are few among the steps of its children, which can be millions.
tasks = Table(
    "tasks",
    {
        "run_no": _NUMBER,
        "visit_no": _NUMBER,
        "path": _TEXT,
        "visit": _NUMBER,
        "depth": _NUMBER,
        "status": _TEXT,
        "has_items": _FLAG,
        "due_at": "DOUBLE PRECISION",
        "started_at": "DOUBLE PRECISION",
        "ended_at": "DOUBLE PRECISION",
        "attempts": _NUMBER,
        "items_total": "BIGINT",
        "items_succeeded": "BIGINT",
        "items_failed": "BIGINT",
        "error": "TEXT",
        "output": "TEXT",
        "has_payload": _SELDOM,
        "source": "TEXT",
        "earlier": "TEXT",
    },
    key=("run_no", "visit_no"),
    unique={"tasks_visit": ("run_no", "path", "visit")},
    indexes={"tasks_of_runs": "(run_no, visit_no) WHERE depth = 0"},
    clustered=True,
)

events = Table(
    "events",
    {"run_no": _NUMBER, "seq": _NUMBER, "kind": _TEXT, "data": _TEXT},
    key=("run_no", "seq"),
    clustered=True,
)

NOT_SUCCEEDED = "status != 'succeeded'"
"""The condition of the index below; a query has to say it word for word to use that."""

# People look for the few failures among millions of items, and successes cost this index nothing.
items = Table(
    "items",
    {
        "run_no": _NUMBER,
        "visit_no": _NUMBER,
        "idx": _NUMBER,
        "status": _TEXT,
        "attempts": _NUMBER,
        "started_at": _TIME,
        "duration_s": _TIME,
        "output": "TEXT",
        "error": "TEXT",
        "label": "TEXT",
        "has_payload": _SELDOM,
        "item": "TEXT",
        "earlier": "TEXT",
        "kind_no": "BIGINT",
    },
    key=("run_no", "visit_no", "idx"),
    indexes={
        "items_not_succeeded": f"(run_no, visit_no, status, idx) WHERE {NOT_SUCCEEDED}",
        "items_of_kinds": "(run_no, visit_no, kind_no, idx) WHERE kind_no IS NOT NULL",
    },
    clustered=True,
)

# Sums over the items of a tile that ended in one way. A row is exact after each commit, and goes
# together with the items that it stands for, which are taken back by their statuses.
tiles = Table(
    "tiles",
    {
        "run_no": _NUMBER,
        "visit_no": _NUMBER,
        "tile": _NUMBER,
        "status": _TEXT,
        "items": _NUMBER,
        "attempts": _NUMBER,
        "busy_s": _TIME,
        "longest_s": _TIME,
    },
    key=("run_no", "visit_no", "tile", "status"),
    clustered=True,
)

# The shape of a kind and its parts, which all of its messages have in common, are JSON.
kinds = Table(
    "kinds",
    {
        "run_no": _NUMBER,
        "visit_no": _NUMBER,
        "kind_no": _NUMBER,
        "type": _TEXT,
        "shape": _TEXT,
        "parts": _TEXT,
        "items": _NUMBER,
        "idx": _NUMBER,
        "label": "TEXT",
        "message": _TEXT,
    },
    key=("run_no", "visit_no", "kind_no"),
    clustered=True,
)

# What only the engine of a visit in work knows of its items.
progress = Table(
    "progress",
    {
        "run_no": _NUMBER,
        "visit_no": _NUMBER,
        "at": _TIME,
        "total": "BIGINT",
        "running": _NUMBER,
        "waiting": _NUMBER,
        "per_s": _TIME,
    },
    key=("run_no", "visit_no"),
    clustered=True,
)

# A number that grows with each change of a run that adds no event, for those who watch runs.
heads = Table("heads", {"run_no": _NUMBER, "seq": _NUMBER}, key=("run_no",))

payloads = Table(
    "payloads",
    {"run_no": _NUMBER, "visit_no": _NUMBER, "idx": _NUMBER, "data": _TEXT},
    key=("run_no", "visit_no", "idx"),
)

# Numbered as they come: a follower of a run asks for the logs after the last that it has seen.
logs = Table(
    "logs",
    {
        "log_no": "BIGINT",
        "run_no": _NUMBER,
        "visit_no": _NUMBER,
        "idx": _NUMBER,
        "at": _TIME,
        "attempt": _NUMBER,
        "path": _TEXT,
        "text": _TEXT,
    },
    key=("log_no",),
    indexes={"logs_run": "(run_no, log_no)", "logs_item": "(run_no, visit_no, idx, log_no)"},
    serial="log_no",
)

sleeps = Table(
    "sleeps",
    {"run_no": _NUMBER, "path": _TEXT, "turn": _NUMBER, "due_at": _TIME},
    key=("run_no", "path"),
    clustered=True,
)

# A wait is settled once, by a change that asks for the state `open`. The numbers of those that are
# settled grow within a run, so that its engine asks for those after the last that it knows.
waits = Table(
    "waits",
    {
        "run_no": _NUMBER,
        "path": _TEXT,
        "turn": _NUMBER,
        "waits_for": _TEXT,
        "names": _TEXT,
        "match_key": "TEXT",
        "takes_earlier": _FLAG,
        "state": _TEXT,
        "opened_at": _TIME,
        "deadline": "DOUBLE PRECISION",
        "answered_by": "TEXT",
        "via": "TEXT",
        "settled_at": "DOUBLE PRECISION",
        "settled_no": "BIGINT",
        "form": _TEXT,
        "answer": "TEXT",
    },
    key=("run_no", "path", "turn"),
    indexes={
        "waits_due": "(deadline) WHERE state = 'open' AND deadline IS NOT NULL",
        "waits_open": "(run_no, deadline) WHERE state = 'open'",
        "waits_settled": "(run_no, settled_no) WHERE settled_no IS NOT NULL",
    },
    clustered=True,
)

# Signals are kept with the run, whether a wait has taken them or not. An event that a wait of the
# run has taken is one as well, so that no other wait of the run takes it again.
signals = Table(
    "signals",
    {
        "signal_no": "BIGINT",
        "run_no": _NUMBER,
        "name": _TEXT,
        "match_key": "TEXT",
        "sent_at": _TIME,
        "sent_by": _TEXT,
        "is_taken": _FLAG,
        "payload": _TEXT,
        "arrival_no": "BIGINT",
    },
    key=("signal_no",),
    indexes={
        "signals_left": "(run_no, signal_no) WHERE NOT is_taken",
        "signals_arrival": "(run_no, arrival_no) WHERE arrival_no IS NOT NULL",
    },
    serial="signal_no",
)

# A link to a question is known by the hash of its token, which is nowhere else.
links = Table(
    "links",
    {"token_hash": _TEXT, "run_no": _NUMBER, "path": _TEXT, "turn": _NUMBER, "who": _TEXT},
    key=("token_hash",),
    indexes={"links_run": "(run_no)"},
    clustered=True,
)

# A trigger is known by its names: nobody deploys one. `turn` counts its changes, each of which is
# decided on the turn before it. `listens` has the names of the events that are delivered to it.
triggers = Table(
    "triggers",
    {
        "trigger_no": _NUMBER,
        "workflow": _TEXT,
        "name": _TEXT,
        "turn": _NUMBER,
        "fingerprint": _TEXT,
        "decided_to": _TIME,
        "next_at": "DOUBLE PRECISION",
        "paused_at": "DOUBLE PRECISION",
        "note": _TEXT,
        "last_at": "DOUBLE PRECISION",
        "last_status": "TEXT",
        "listens": "TEXT",
        "batches": "TEXT",
    },
    key=("trigger_no",),
    unique={"triggers_names": ("workflow", "name")},
    serial="trigger_no",
)

# Fires stay when their runs are deleted, so they name these by id. The indexes have the few whose
# runs may be open, and those that are held.
fires = Table(
    "fires",
    {
        "fire_no": _NUMBER,
        "trigger_no": _NUMBER,
        "key": _TEXT,
        "at": _TIME,
        "first_at": _TIME,
        "n": _NUMBER,
        "status": _TEXT,
        "reason": _TEXT,
        "run_id": "TEXT",
        "is_open": _FLAG,
        "fired_at": _TIME,
        "facts": "TEXT",
    },
    key=("fire_no",),
    unique={"fires_once": ("trigger_no", "key")},
    indexes={
        "fires_trigger": "(trigger_no, fire_no)",
        "fires_open": "(trigger_no, fire_no) WHERE is_open",
        "fires_held": "(trigger_no, fire_no) WHERE status = 'held'",
    },
    serial="fire_no",
)

# What has come, each id once. No cursor goes over the numbers: a transaction that took one early
# may commit late. An arrival is `is_new` until the waits of all runs have been looked at.
arrivals = Table(
    "arrivals",
    {
        "arrival_no": _NUMBER,
        "source": _TEXT,
        "name": _TEXT,
        "id": _TEXT,
        "at": _TIME,
        "match_key": "TEXT",
        "sent_by": _TEXT,
        "depth": _NUMBER,
        "refused": "TEXT",
        "is_new": _FLAG,
        "data": _TEXT,
    },
    key=("arrival_no",),
    unique={"arrivals_once": ("source", "name", "id")},
    indexes={
        "arrivals_named": "(source, name, match_key, arrival_no)",
        "arrivals_at": "(at)",
        "arrivals_new": "(arrival_no) WHERE is_new",
    },
    serial="arrival_no",
)

# An arrival that a trigger hasn't fired for: it is to be decided, or gathers in a batch.
deliveries = Table(
    "deliveries",
    {"trigger_no": _NUMBER, "arrival_no": _NUMBER, "batch_no": "BIGINT"},
    key=("trigger_no", "arrival_no"),
    indexes={
        "deliveries_new": "(trigger_no, arrival_no) WHERE batch_no IS NULL",
        "deliveries_batch": "(trigger_no, batch_no, arrival_no)",
        "deliveries_arrival": "(arrival_no)",
    },
    clustered=True,
)

# The events of the batch that has made a run, which live as long as the run.
batch_events = Table(
    "batch_events",
    {
        "run_no": _NUMBER,
        "idx": _NUMBER,
        "source": _TEXT,
        "name": _TEXT,
        "id": _TEXT,
        "at": _TIME,
        "match_key": "TEXT",
        "sent_by": _TEXT,
        "depth": _NUMBER,
        "data": _TEXT,
    },
    key=("run_no", "idx"),
)

# Of every secret only a hash is here.
tokens = Table(
    "tokens",
    {
        "id": _TEXT,
        "name": _TEXT,
        "secret_hash": _TEXT,
        "role": _TEXT,
        "workflows": _TEXT,
        "made_at": _TIME,
        "expires_at": "DOUBLE PRECISION",
        "used_at": "DOUBLE PRECISION",
        "revoked_at": "DOUBLE PRECISION",
    },
    key=("id",),
    clustered=True,
)

sessions = Table(
    "sessions",
    {
        "cookie_hash": _TEXT,
        "key_hash": _TEXT,
        "token_id": _TEXT,
        "expires_at": _TIME,
        "made_at": _TIME,
        "used_at": _TIME,
    },
    key=("cookie_hash",),
    clustered=True,
)

tickets = Table(
    "tickets",
    {"secret_hash": _TEXT, "token_id": _TEXT, "target": _TEXT, "expires_at": _TIME},
    key=("secret_hash",),
    clustered=True,
)

audit = Table(
    "audit",
    {
        "audit_no": "BIGINT",
        "at": _TIME,
        "action": _TEXT,
        "token_id": _TEXT,
        "name": _TEXT,
        "address": _TEXT,
        "target": _TEXT,
        "status": _NUMBER,
        "fields": _TEXT,
        "request_id": _TEXT,
    },
    key=("audit_no",),
    indexes={"audit_at": "(at)"},
    serial="audit_no",
)

# A key that is deleted keeps its row for a while, with no value and a time in `expires_at`, so that
# its versions go on.
kv = Table(
    "kv",
    {
        "name": _TEXT,
        "version": _NUMBER,
        "is_secret": _FLAG,
        "set_at": _TIME,
        "set_by": _TEXT,
        "expires_at": "DOUBLE PRECISION",
        "value": "TEXT",
    },
    key=("name",),
    indexes={"kv_expires": "(expires_at) WHERE expires_at IS NOT NULL"},
    clustered=True,
)

# The keys that a visit has read, as JSON: it reads each once, also if it starts again.
kv_readings = Table(
    "kv_readings",
    {"run_no": _NUMBER, "path": _TEXT, "found": _TEXT},
    key=("run_no", "path"),
    clustered=True,
)

# The ends of runs, and fires that made none, as run triggers take them up. They are given their
# numbers one after the other once they can be read, so that none is overlooked.
endings = Table(
    "endings",
    {
        "ending_no": "BIGINT",
        "run_no": "BIGINT",
        "token": "BIGINT",
        "fire_no": "BIGINT",
        "status": _TEXT,
        "ended_at": _TIME,
        "seen_no": "BIGINT",
    },
    key=("ending_no",),
    unique={"endings_once": ("run_no", "token")},
    indexes={
        "endings_new": "(ending_no) WHERE seen_no IS NULL",
        "endings_seen": "(seen_no) WHERE seen_no IS NOT NULL",
    },
    serial="ending_no",
)

sequences = Table("sequences", {"name": _TEXT, "last_no": _NUMBER}, key=("name",), clustered=True)

# What a trigger knows beside its cursor: the end of a run that it has taken up last, and what is
# wrong with its folder.
watches = Table(
    "watches",
    {"trigger_no": _NUMBER, "taken_to": _NUMBER, "trouble": _TEXT},
    key=("trigger_no",),
    clustered=True,
)

seen_files = Table(
    "seen_files",
    {
        "trigger_no": _NUMBER,
        "path": _TEXT,
        "size": _NUMBER,
        "mtime_ns": _NUMBER,
        "inode": _NUMBER,
        "since": _TIME,
        "is_taken": _FLAG,
        "gone_at": "DOUBLE PRECISION",
        "ready_at": "DOUBLE PRECISION",
        "batch": _TEXT,
    },
    key=("trigger_no", "path"),
    clustered=True,
)

TABLES = (
    *(runs, tags, engines, leases, requests, submissions),
    *(bounds, slots, child_slots, waiters, repeats, shares, paces),
    *(tasks, events, items, payloads, logs, sleeps, waits, signals),
    *(tiles, kinds, progress, heads),
    *(links, arrivals, deliveries, batch_events),
    *(triggers, fires, endings, sequences, watches, seen_files, kv, kv_readings),
    *(tokens, sessions, tickets, audit),
)

TABLES_OF_RUNS = tuple(each for each in TABLES if "run_no" in each.columns and each is not runs)
"""The tables whose rows belong to a run: all but `runs` itself, also those to come."""
