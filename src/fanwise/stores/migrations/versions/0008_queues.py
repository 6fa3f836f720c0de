"""Submitted runs wait in queues, and an engine says since when it has been there."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE engines ADD COLUMN enrolled_at DOUBLE",
    """
    CREATE TABLE submissions (
        run_no BIGINT NOT NULL,
        queue TEXT NOT NULL,
        priority BIGINT NOT NULL,
        once TEXT,
        is_waiting BOOLEAN NOT NULL,
        since DOUBLE NOT NULL,
        tries BIGINT NOT NULL,
        why TEXT NOT NULL,
        tried_by TEXT NOT NULL,
        progress TEXT NOT NULL,
        CONSTRAINT submissions_key PRIMARY KEY (run_no),
        CONSTRAINT submissions_once UNIQUE (once)
    )
    """,
    """
    CREATE INDEX submissions_waiting ON submissions (queue, priority DESC, run_no) WHERE is_waiting
    """,
)


def upgrade() -> None:
    """Add the column and the table."""
    for statement in _STATEMENTS:
        op.execute(statement)
