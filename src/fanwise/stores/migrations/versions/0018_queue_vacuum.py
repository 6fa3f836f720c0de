"""Queues on PostgreSQL are vacuumed in time."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set when the table of the queues is vacuumed, however many runs it remembers."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE submissions"
            " SET (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500)"
        )
