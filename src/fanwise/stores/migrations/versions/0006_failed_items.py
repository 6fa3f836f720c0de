"""Items of which an attempt failed are recorded with it, and failed attempts before the last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, which are null in all rows that are there."""
    op.add_column("tasks", sa.Column("earlier", sa.Text))
    op.add_column("items", sa.Column("item", sa.Text))
    op.add_column("items", sa.Column("earlier", sa.Text))
