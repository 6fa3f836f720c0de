"""Logs are numbered as they come, and an attempt may have several."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE logs RENAME TO old_logs",
    """
    CREATE TABLE logs (
        log_no INTEGER PRIMARY KEY AUTOINCREMENT,
        run_no BIGINT NOT NULL,
        visit_no BIGINT NOT NULL,
        idx BIGINT NOT NULL,
        at DOUBLE NOT NULL,
        attempt BIGINT NOT NULL,
        path TEXT NOT NULL,
        text TEXT NOT NULL
    )
    """,
    """
    INSERT INTO logs (run_no, visit_no, idx, at, attempt, path, text)
    SELECT run_no, visit_no, idx, at, attempt, path, text FROM old_logs ORDER BY run_no, at, attempt
    """,
    "DROP TABLE old_logs",
    "CREATE INDEX logs_run ON logs (run_no, log_no)",
    "CREATE INDEX logs_item ON logs (run_no, visit_no, idx, log_no)",
)


def upgrade() -> None:
    """Make the table again."""
    for statement in _STATEMENTS:
        op.execute(statement)
