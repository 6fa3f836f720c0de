"""Leases of runs, and what a run needs to go on: its origin, and the files that it reads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns."""
    op.create_table(
        "leases",
        sa.Column("run_no", sa.BigInteger, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("taken_at", sa.Double, nullable=False),
        sa.Column("beat_at", sa.Double, nullable=False),
        sa.Column("ran_s", sa.Double, nullable=False),
        sa.Column("request", sa.Text),
        sa.PrimaryKeyConstraint("run_no", name="leases_key"),
    )
    op.add_column("runs", sa.Column("origin", sa.Text))
    op.add_column("tasks", sa.Column("source", sa.Text))
