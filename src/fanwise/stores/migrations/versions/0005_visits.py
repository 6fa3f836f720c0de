"""The number of a visit is called so, in every table that has it."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename the columns; keys and indexes follow."""
    for table in ("tasks", "items", "payloads", "logs"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN task_no TO visit_no")
