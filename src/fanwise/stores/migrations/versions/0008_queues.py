"""Submitted runs wait in queues, and an engine says since when it has been there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("engines", sa.Column("enrolled_at", sa.Double))
    op.create_table(
        "submissions",
        sa.Column("run_no", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("priority", sa.BigInteger, nullable=False),
        sa.Column("once", sa.Text),
        sa.Column("is_waiting", sa.Boolean, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("tried_by", sa.Text, nullable=False),
        sa.Column("progress", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_no", name="submissions_key"),
        sa.UniqueConstraint("once", name="submissions_once"),
    )
    waiting = sa.text("is_waiting")
    op.create_index(
        "submissions_waiting",
        "submissions",
        ["queue", sa.text("priority DESC"), "run_no"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
