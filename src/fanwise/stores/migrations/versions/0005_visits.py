"""Visits are called so, no number of a run is given out twice, and engines beat for their runs."""

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
_ENGINES = (
    """
    CREATE TABLE engines (
        engine_no INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL,
        beats BIGINT NOT NULL,
        beat_at DOUBLE NOT NULL
    )
    """,
    """
    CREATE TABLE leases (
        run_no BIGINT NOT NULL,
        token BIGINT NOT NULL,
        engine_no BIGINT,
        taken_at DOUBLE NOT NULL,
        ran_s DOUBLE NOT NULL,
        CONSTRAINT leases_key PRIMARY KEY (run_no)
    )
    """,
    "CREATE INDEX leases_engine ON leases (engine_no) WHERE engine_no IS NOT NULL",
    """
    CREATE TABLE requests (
        request_no INTEGER PRIMARY KEY AUTOINCREMENT,
        run_no BIGINT NOT NULL,
        kind TEXT NOT NULL,
        data TEXT NOT NULL
    )
    """,
    "CREATE INDEX requests_run ON requests (run_no, request_no)",
    """
    INSERT INTO engines (owner, beats, beat_at)
    SELECT owner, 0, max(beat_at) FROM old_leases WHERE owner IS NOT NULL GROUP BY owner
    """,
    # The time driven under a lease that was given back was added by the next owner until now.
    """
    INSERT INTO leases (run_no, token, engine_no, taken_at, ran_s)
    SELECT run_no, token, (SELECT engine_no FROM engines WHERE engines.owner = old_leases.owner),
        taken_at, CASE WHEN owner IS NULL THEN ran_s + beat_at - taken_at ELSE ran_s END
    FROM old_leases
    """,
)


def upgrade() -> None:
    """Rename the columns, and have SQLite count the runs."""
    for table in ("tasks", "items", "payloads", "logs"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN task_no TO visit_no")
    _number_runs()
    _give_leases_to_engines()


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


def _give_leases_to_engines() -> None:
    """Make an engine of each owner, and let leases name theirs; open requests are dropped."""
    op.execute("ALTER TABLE leases RENAME TO old_leases")
    for statement in _ENGINES:
        op.execute(statement)
    op.drop_table("old_leases")
