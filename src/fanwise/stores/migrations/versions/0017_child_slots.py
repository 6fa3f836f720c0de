"""Called workflows have slots of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_KEY = sa.sql.quoted_name("key", quote=False)  # a word of SQL, but not one that is reserved


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "child_slots",
        sa.Column("run_no", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column(_KEY, sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("run_no", "path", name="child_slots_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("child_slots_of_keys", "child_slots", ["scope", _KEY, "run_no"])
