"""Deleting runs from a SQLite store: bit by bit, beside others, and broken off at any point."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from fanwise.model import Status
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.store_contract import LONG_RESULT, a_run, an_item

SWEEP = """
import sys
from fanwise.stores.sqlite_database import open_sqlite
with open_sqlite(sys.argv[1]) as store:
    for run in store.ended_runs():
        store.delete_run(run)
    for rows in store.delete_orphans():
        print(rows, flush=True)
        sys.stdin.readline()
"""


def a_long_run(store, run_id: str, items: int = 20_000, **changes) -> int:
    """Record a run that is over, with so many items; return its number."""
    run_no = store.create_run(a_run(run_id, status=Status.SUCCEEDED, ended_at=1.0))
    store.commit([an_item(run_no, index, **changes) for index in range(items)])
    return run_no


def row_count(path: Path) -> int:
    """How many rows of items the file has, whoever's they are."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM items").fetchone()[0]


def test_all_pages_of_ended_runs_are_read_also_while_they_are_deleted(tmp_path):
    """Each comes once, the newest first."""
    ids = [f"run-{number}" for number in range(2_100)]
    with open_sqlite(tmp_path / "fanwise.db") as store:
        for run_id in ids:
            store.create_run(a_run(run_id, status=Status.FAILED))
        for run in store.ended_runs():
            assert store.delete_run(run)
            assert run.id == ids.pop()
    assert ids == []


def test_others_write_between_the_transactions_of_a_sweep(tmp_path):
    """None of them is long, and none is open when a count is given."""
    path = tmp_path / "fanwise.db"
    with open_sqlite(path) as store, open_sqlite(path, timeout_s=0) as other:
        a_long_run(store, "old")
        run_no = other.create_run(a_run("new"))
        assert store.delete_run(next(store.ended_runs()))
        counts = []
        for number, rows in enumerate(store.delete_orphans()):
            counts.append(rows)
            other.commit([an_item(run_no, number)])
        assert sum(counts) == 20_000 + 20  # and their tiles
        assert max(counts) <= 8_192
        assert len(other.items(run_no, 1)) == len(counts) > 3


def test_a_process_that_is_killed_amid_a_sweep_leaves_no_half_a_run(tmp_path):
    """The run is gone as a whole, and the next sweep deletes what is left of its rows."""
    path = tmp_path / "fanwise.db"
    with open_sqlite(path) as store:
        a_long_run(store, "old")
    sweeper = subprocess.Popen(
        [sys.executable, "-c", SWEEP, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with sweeper:
        sweeper.stdout.readline()
        sweeper.kill()
    assert 0 < row_count(path) < 20_000
    with open_sqlite(path) as store:
        assert list(store.run_ids()) == []
        run_no = store.create_run(a_run("new"))
        assert list(store.items(run_no, 1)) == []
        store.commit([an_item(run_no, 0)])
        assert sum(store.delete_orphans()) > 0
        assert list(store.items(run_no, 1)) == [an_item(run_no, 0)]
    assert row_count(path) == 1


def test_processes_that_sweep_at_once_leave_nothing(tmp_path):
    """Each row is deleted by one of them, and neither fails."""
    path = tmp_path / "fanwise.db"
    with open_sqlite(path) as store:
        for number in range(4):
            a_long_run(store, f"run-{number}", items=5_000)
    sweepers = [
        subprocess.Popen(
            [sys.executable, "-c", SWEEP, path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    counts = [sum(map(int, sweeper.communicate()[0].split())) for sweeper in sweepers]
    assert [sweeper.returncode for sweeper in sweepers] == [0, 0]
    assert sum(counts) == 20_000 + 20  # and their tiles
    assert row_count(path) == 0


def test_space_goes_back_to_the_disk(tmp_path):
    """The file itself is smaller once the store is closed."""
    path = tmp_path / "fanwise.db"
    with open_sqlite(path) as store:
        a_long_run(store, "old", items=400, output=LONG_RESULT)
    large = path.stat().st_size
    with open_sqlite(path) as store:
        assert store.delete_run(next(store.ended_runs()))
        list(store.delete_orphans())
        assert store.size().free_bytes > 400 * len(LONG_RESULT) // 2
        store.vacuum()
    assert path.stat().st_size < large // 5


def test_a_file_that_gives_nothing_back_does_so_after_it_was_rewritten_once(tmp_path):
    """As it is with those that older versions have made."""
    path = tmp_path / "fanwise.db"
    open_sqlite(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = delete; PRAGMA auto_vacuum = none; VACUUM;")
    for is_rewritten in (False, True):
        with open_sqlite(path) as store:
            a_long_run(store, "old", items=200, output=LONG_RESULT)
            assert store.delete_run(next(store.ended_runs()))
            list(store.delete_orphans())
            store.vacuum()
            assert (store.size().free_bytes == 0) is is_rewritten
            store.vacuum(rewrite=True)
            assert store.size().free_bytes == 0
