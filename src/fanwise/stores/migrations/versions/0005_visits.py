"""The number of a visit is called so in every table, and no number of a run is given out twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (
    "id, workflow, file, status, created_at, started_at, ended_at, error, parameters, definition,"
    " output, origin"
)
_RUNS = """
CREATE TABLE runs (
    run_no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    workflow TEXT NOT NULL,
    file TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at DOUBLE NOT NULL,
    started_at DOUBLE,
    ended_at DOUBLE,
    error TEXT,
    parameters TEXT NOT NULL,
    definition TEXT NOT NULL,
    output TEXT,
    origin TEXT,
    CONSTRAINT runs_id UNIQUE (id)
)
"""


def upgrade() -> None:
    """Rename the columns, and have SQLite count the runs."""
    for table in ("tasks", "items", "payloads", "logs"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN task_no TO visit_no")
    _number_runs()


def _number_runs() -> None:
    """Make `runs` again with numbers of its own, which begin after those of deleted runs."""
    op.rename_table("runs", "old_runs")
    op.execute(_RUNS)
    op.execute(f"INSERT INTO runs (run_no, {_COLUMNS}) SELECT run_no, {_COLUMNS} FROM old_runs")
    op.drop_table("old_runs")
    op.create_index("runs_status", "runs", ["status", "run_no"])
    op.create_index("runs_workflow", "runs", ["workflow", "run_no"])
    op.create_index("runs_created", "runs", ["created_at", "run_no"])
    connection = op.get_bind()
    highest = connection.scalar(sa.text("SELECT max(run_no) FROM runs")) or 0
    # The highest number of a deleted run has stood there until now.
    deleted = connection.scalar(sa.text("PRAGMA user_version"))
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'runs'")
    op.execute(
        sa.text("INSERT INTO sqlite_sequence VALUES ('runs', :number)").bindparams(
            number=max(highest, deleted)
        )
    )
    op.execute("PRAGMA user_version = 0")
