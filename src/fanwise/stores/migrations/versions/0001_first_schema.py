"""The first schema: runs, their tasks, events and items, results over 4 KB, and logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger
    op.create_table(
        "runs",
        sa.Column(
            "run_no",
            number().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("error", sa.Text),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("output", sa.Text),
        sa.UniqueConstraint("id", name="runs_id"),
    )
    op.create_table(
        "tasks",
        sa.Column("run_no", number, nullable=False),
        sa.Column("task_no", number, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("visit", number, nullable=False),
        sa.Column("depth", number, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("has_items", sa.Boolean, nullable=False),
        sa.Column("due_at", sa.Double),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("attempts", number, nullable=False),
        sa.Column("items_total", number),
        sa.Column("items_succeeded", number),
        sa.Column("items_failed", number),
        sa.Column("error", sa.Text),
        sa.Column("output", sa.Text),
        sa.Column("has_payload", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("run_no", "task_no", name="tasks_key"),
        sa.UniqueConstraint("run_no", "path", "visit", name="tasks_visit"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("run_no", number, nullable=False),
        sa.Column("seq", number, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_no", "seq", name="events_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "items",
        sa.Column("run_no", number, nullable=False),
        sa.Column("task_no", number, nullable=False),
        sa.Column("idx", number, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", number, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("duration_s", sa.Double, nullable=False),
        sa.Column("output", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("label", sa.Text),
        sa.Column("has_payload", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("run_no", "task_no", "idx", name="items_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payloads",
        sa.Column("run_no", number, nullable=False),
        sa.Column("task_no", number, nullable=False),
        sa.Column("idx", number, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_no", "task_no", "idx", name="payloads_key"),
    )
    op.create_table(
        "logs",
        sa.Column("run_no", number, nullable=False),
        sa.Column("task_no", number, nullable=False),
        sa.Column("idx", number, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("attempt", number, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_no", "task_no", "idx", "at", "attempt", name="logs_key"),
    )
    not_succeeded = sa.text("status != 'succeeded'")
    is_own = sa.text("depth = 0")
    op.create_index(
        "tasks_of_runs",
        "tasks",
        ["run_no", "task_no"],
        sqlite_where=is_own,
        postgresql_where=is_own,
    )
    op.create_index(
        "items_not_succeeded",
        "items",
        ["run_no", "task_no", "status", "idx"],
        sqlite_where=not_succeeded,
        postgresql_where=not_succeeded,
    )
