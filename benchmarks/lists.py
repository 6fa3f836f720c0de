"""Lists of large stores: the commands that look, on a server beside a file of the same records.

Each store has many runs, and of one of them very many items. Both are filled by the same statements
from one run that was really made. A command is measured as a whole process.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from benchmarks.postgres_server import DURABLE, PostgresServer, postgres_server
from fanwise.bench.budget import Budget, at_most
from fanwise.bench.fanout_process import workflow
from fanwise.bench.measure import DEFAULT_ROUNDS, alternate, process_seconds
from fanwise.bench.runs import run
from fanwise.bench.tables import figures_table
from fanwise.units import show_ratio, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

RUNS = 100_000
ITEMS = 1_000_000
MOST_TIMES = 1.5

_FILL = (
    """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {runs})
    INSERT INTO runs (run_no, id, workflow, file, status, created_at, started_at, ended_at,
        parameters, definition, origin)
    SELECT run_no + i, 'run-' || i, 'flow-' || (i % 10), file,
        CASE WHEN i % 100 = 0 THEN 'failed' ELSE status END, created_at + i, started_at + i,
        ended_at + i, parameters, definition, origin
    FROM runs, n
    """,
    """
    INSERT INTO leases (run_no, token, taken_at, ran_s)
    SELECT runs.run_no, 1, started_at, ended_at - started_at FROM runs
    WHERE NOT EXISTS (SELECT 1 FROM leases WHERE leases.run_no = runs.run_no)
    """,
    """
    INSERT INTO tags (run_no, tag)
    SELECT run_no, 'nightly' FROM runs WHERE run_no % 50 = 0
    """,
    """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {items} - 1)
    INSERT INTO items (run_no, visit_no, idx, status, attempts, started_at, duration_s, output,
        error, kind_no)
    SELECT run_no, visit_no, i, CASE WHEN i % 1000 = 0 THEN 'failed' ELSE status END, attempts,
        started_at + i * 0.00001, (i % 97) * 0.001, output,
        CASE WHEN i % 1000 = 0 THEN '{{"type":"Timeout","message":"it took 5 s"}}' END,
        CASE WHEN i % 1000 = 0 THEN 1 END
    FROM items, n
    """,
    """
    INSERT INTO kinds (run_no, visit_no, kind_no, type, shape, parts, items, idx, message)
    SELECT run_no, visit_no, 1, 'Timeout', '["it took ","N"," s"]', '[null]', count(*), min(idx),
        'it took 5 s'
    FROM items WHERE kind_no = 1 GROUP BY run_no, visit_no
    """,
    """
    UPDATE tasks SET items_total = {items}, items_failed = ({items} - 1) / 1000,
        items_succeeded = {items} - ({items} - 1) / 1000, attempts = {items},
        ended_at = started_at + 20
    """,
    "UPDATE runs SET id = 'large', ended_at = started_at + 20 WHERE run_no = 1",
    # Its row has no counts until it is over.
    """
    INSERT INTO runs (run_no, id, workflow, file, status, created_at, started_at, ended_at,
        parameters, definition, origin)
    SELECT 0, 'paused', workflow, file, 'paused', created_at, started_at, ended_at, parameters,
        definition, origin
    FROM runs WHERE run_no = 1
    """,
    """
    INSERT INTO tasks (run_no, visit_no, path, visit, depth, status, has_items, started_at,
        attempts, items_total)
    SELECT 0, visit_no, path, visit, depth, 'paused', has_items, started_at, 0, {items}
    FROM tasks WHERE run_no = 1
    """,
    """
    INSERT INTO items (run_no, visit_no, idx, status, attempts, started_at, duration_s, output)
    SELECT 0, visit_no, idx, 'succeeded', attempts, started_at, duration_s, output
    FROM items WHERE run_no = 1 AND idx < {items} / 2
    """,
    "DELETE FROM tiles",
    """
    INSERT INTO tiles (run_no, visit_no, tile, status, items, attempts, busy_s, longest_s)
    SELECT run_no, visit_no, idx / 1000, status, count(*), sum(attempts), sum(duration_s),
        max(duration_s)
    FROM items GROUP BY run_no, visit_no, idx / 1000, status
    """,
    "ANALYZE",
)

COMMANDS = (
    ("runs",),
    ("runs", "--status", "failed", "--limit", "100"),
    ("runs", "--workflow", "flow-3", "--tag", "nightly"),
    ("runs", "--before", "run-500"),
    ("show", "large"),
    ("show", "paused"),
    ("items", "large", "work", "--limit", "100"),
    ("items", "large", "work", "--status", "failed", "--after", "500000"),
)


class ListFigures(msgspec.Struct, frozen=True):
    """The seconds of each command, on a file and on a server."""

    runs: int
    items: int
    rounds: int
    seconds: dict[str, tuple[float, float]]


def compare(*, rounds: int = DEFAULT_ROUNDS, runs: int = RUNS, items: int = ITEMS) -> ListFigures:
    """Fill both stores, and measure; it takes some minutes. Raises `UsageError` if one fails."""
    with TemporaryDirectory() as folder, postgres_server(**DURABLE) as server:
        file = Path(folder) / "fanwise.db"
        fill_file(file, runs, items)
        run(workflow(1), server.url())
        _fill_server(server, _statements(runs, items))
        seconds = {}
        for command in COMMANDS:
            sides = {
                name: partial(process_seconds, [sys.executable, "-m", "fanwise", *command, *where])
                for name, where in (
                    ("file", ("--store", str(file))),
                    ("server", ("--store", server.url())),
                )
            }
            taken = alternate(sides, rounds)
            seconds[" ".join(command)] = taken["file"], taken["server"]
    return ListFigures(runs, items, rounds, seconds)


def fill_file(file: Path, runs: int, items: int) -> None:
    """Make a store with so many runs; the one with the id `large` has so many items."""
    run(workflow(1), str(file))
    with closing(sqlite3.connect(file)) as connection:
        for statement in _statements(runs, items):
            connection.execute(statement)
        connection.commit()


def _statements(runs: int, items: int) -> list[str]:
    return [each.format(runs=runs, items=items) for each in _FILL]


def _fill_server(server: PostgresServer, statements: list[str]) -> None:
    """Fill the server's store, and write what it has to write of that by itself in time."""
    with server.connect() as connection:
        for statement in (*statements, "VACUUM", "CHECKPOINT"):
            connection.execute(statement.encode())


def budgets(figures: ListFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        at_most(f"fanwise {command}, on PostgreSQL", MOST_TIMES, "times", server_s / file_s)
        for command, (file_s, server_s) in figures.seconds.items()
    ]


def render(figures: ListFigures) -> RenderableType:
    """A table of the times, with their ratios."""
    rows = [
        (command, show_seconds(file_s), show_seconds(server_s), show_ratio(server_s / file_s))
        for command, (file_s, server_s) in figures.seconds.items()
    ]
    title = f"{figures.runs:,} runs, one of {figures.items:,} items"
    return figures_table(title, ("SQLite", "PostgreSQL", "ratio"), rows)


__all__ = ["budgets", "compare", "fill_file", "render"]
