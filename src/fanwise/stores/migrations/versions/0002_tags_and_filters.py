"""Tags of runs, and what finds runs by tag, status, workflow and time without reading them all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of tags, and the indexes."""
    op.create_table(
        "tags",
        sa.Column("run_no", sa.BigInteger, nullable=False),
        sa.Column("tag", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_no", "tag", name="tags_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("tags_tag", "tags", ["tag", "run_no"])
    op.create_index("runs_status", "runs", ["status", "run_no"])
    op.create_index("runs_workflow", "runs", ["workflow", "run_no"])
    op.create_index("runs_created", "runs", ["created_at", "run_no"])
