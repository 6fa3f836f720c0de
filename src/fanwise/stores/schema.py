"""The tables that runs are recorded in, once for SQLite and PostgreSQL.

Columns are named after the fields of the records in `fanwise.model`, except that an item's index is
`idx`, since INDEX is a word of SQL. JSON is stored as text, statuses by their words, times as
seconds since the epoch, so a store reads well in the database's own shell.

An item is one row, written once; its key is the order in which pages are read. A result of more
than 4 KB stands in `payloads` and its row says so in `has_payload`: rows stay short, and a scan
over statuses never walks through results. A payload that no row points to means nothing. What is a
task's own, and no item's, has -1 as its index there and in `logs`.

This module holds no query and touches no database. `REVISIONS` lists the versions of the schema
from the oldest to the newest, each of which has a module in `migrations/versions`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
)

REVISIONS = ("0001", "0002", "0003", "0004", "0005")

metadata = MetaData()

# SQLite gives out numbers by itself only for a key that is exactly an INTEGER.
_number = BigInteger().with_variant(Integer, "sqlite")

# The long columns stand last: a list of runs then never reads the pages that they fill.
runs = Table(
    "runs",
    metadata,
    Column("run_no", _number, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("error", Text),
    Column("parameters", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("output", Text),
    Column("origin", Text),
    UniqueConstraint("id", name="runs_id"),
    Index("runs_status", "status", "run_no"),
    Index("runs_workflow", "workflow", "run_no"),
    Index("runs_created", "created_at", "run_no"),
)

tags = Table(
    "tags",
    metadata,
    Column("run_no", BigInteger, nullable=False),
    Column("tag", Text, nullable=False),
    PrimaryKeyConstraint("run_no", "tag", name="tags_key"),
    Index("tags_tag", "tag", "run_no"),
    sqlite_with_rowid=False,
)

# Not columns of `runs`: what a run's owner writes about the run never meets what others write here.
leases = Table(
    "leases",
    metadata,
    Column("run_no", BigInteger, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("owner", Text),
    Column("taken_at", Double, nullable=False),
    Column("beat_at", Double, nullable=False),
    Column("ran_s", Double, nullable=False),
    Column("request", Text),
    PrimaryKeyConstraint("run_no", name="leases_key"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("run_no", BigInteger, nullable=False),
    Column("visit_no", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("visit", BigInteger, nullable=False),
    Column("depth", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("has_items", Boolean, nullable=False),
    Column("due_at", Double),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("attempts", BigInteger, nullable=False),
    Column("items_total", BigInteger),
    Column("items_succeeded", BigInteger),
    Column("items_failed", BigInteger),
    Column("error", Text),
    Column("output", Text),
    Column("has_payload", Boolean, nullable=False, server_default=false()),
    Column("source", Text),
    PrimaryKeyConstraint("run_no", "visit_no", name="tasks_key"),
    UniqueConstraint("run_no", "path", "visit", name="tasks_visit"),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("run_no", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("run_no", "seq", name="events_key"),
    sqlite_with_rowid=False,
)

items = Table(
    "items",
    metadata,
    Column("run_no", BigInteger, nullable=False),
    Column("visit_no", BigInteger, nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("duration_s", Double, nullable=False),
    Column("output", Text),
    Column("error", Text),
    Column("label", Text),
    Column("has_payload", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("run_no", "visit_no", "idx", name="items_key"),
    sqlite_with_rowid=False,
)

payloads = Table(
    "payloads",
    metadata,
    Column("run_no", BigInteger, nullable=False),
    Column("visit_no", BigInteger, nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("run_no", "visit_no", "idx", name="payloads_key"),
)

logs = Table(
    "logs",
    metadata,
    Column("run_no", BigInteger, nullable=False),
    Column("visit_no", BigInteger, nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("run_no", "visit_no", "idx", "at", "attempt", name="logs_key"),
)

sleeps = Table(
    "sleeps",
    metadata,
    Column("run_no", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("turn", BigInteger, nullable=False),
    Column("due_at", Double, nullable=False),
    PrimaryKeyConstraint("run_no", "path", name="sleeps_key"),
    sqlite_with_rowid=False,
)

not_succeeded = items.c.status != literal_column("'succeeded'")
"""What is true of the rows in the index below; a query has to say it word for word to use it."""

# What people look for is the few failures among millions, and the successes cost this nothing.
Index(
    "items_not_succeeded",
    items.c.run_no,
    items.c.visit_no,
    items.c.status,
    items.c.idx,
    sqlite_where=not_succeeded,
    postgresql_where=not_succeeded,
)

# A run's own tasks are few among the steps of its children, which can be millions.
_is_own = tasks.c.depth == literal_column("0")
Index(
    "tasks_of_runs",
    tasks.c.run_no,
    tasks.c.visit_no,
    sqlite_where=_is_own,
    postgresql_where=_is_own,
)

# Alembic's own table, as it would make it: a new store is stamped without importing Alembic.
alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
