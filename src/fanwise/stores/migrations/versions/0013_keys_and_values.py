"""Keys have values that outlive runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "kv",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("is_secret", sa.Boolean, nullable=False),
        sa.Column("set_at", sa.Double, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("value", sa.Text),
        sa.PrimaryKeyConstraint("name", name="kv_key"),
        sqlite_with_rowid=False,
    )
    where = sa.text("expires_at IS NOT NULL")
    op.create_index("kv_expires", "kv", ["expires_at"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "kv_readings",
        sa.Column("run_no", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("found", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_no", "path", name="kv_readings_key"),
        sqlite_with_rowid=False,
    )
