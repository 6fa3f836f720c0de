"""Items of which an attempt failed are recorded with it, and failed attempts before the last."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, which are null in all rows that are there."""
    op.execute("ALTER TABLE tasks ADD COLUMN earlier TEXT")
    op.execute("ALTER TABLE items ADD COLUMN item TEXT")
    op.execute("ALTER TABLE items ADD COLUMN earlier TEXT")
