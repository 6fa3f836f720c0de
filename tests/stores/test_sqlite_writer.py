"""Commits at once on SQLite: they wait for nothing, and don't leave a long log behind."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fanwise.stores.sql_store import SqlStore
from fanwise.stores.sqlite_database import open_database, open_sqlite
from fanwise.stores.sqlite_writer import WritingConnection
from fanwise.stores.store import Durability
from fanwise.testing.records import a_run, an_event


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_sqlite(tmp_path / "fanwise.db") as store:
        yield store


def test_while_another_process_writes_no_commit_is_made_at_once(
    store: SqlStore, tmp_path: Path
) -> None:
    """It isn't waited for, and whoever is patient finds the store as it was before."""
    run_no = store.create_run(a_run())
    with closing(sqlite3.connect(tmp_path / "fanwise.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not store.commit([an_event(run_no, 1)], at_once_bytes=100)
        other.execute("COMMIT")
    assert store.commit([an_event(run_no, 1)])
    assert store.commit([an_event(run_no, 2)], at_once_bytes=100)
    assert [event.seq for event in store.events(run_no)] == [1, 2]


def test_what_has_to_reach_the_disk_is_not_committed_at_once(tmp_path: Path) -> None:
    """With durability `full` each commit waits for it."""
    with open_sqlite(tmp_path / "fanwise.db", durability="full") as store:
        run_no = store.create_run(a_run())
        assert not store.commit([an_event(run_no, 1)], at_once_bytes=100)


def test_the_log_stays_short_however_many_commits_are_made_at_once(
    store: SqlStore, tmp_path: Path
) -> None:
    """Others empty it beside them, and all that was committed is there."""
    commits = 4_000
    run_no = store.create_run(a_run())
    at_once = 0
    for seq in range(1, commits + 1):
        is_written = store.commit([an_event(run_no, seq)], at_once_bytes=100)
        at_once += is_written
        if not is_written:
            store.commit([an_event(run_no, seq)])
    assert at_once  # how many depends on the disk
    with closing(sqlite3.connect(tmp_path / "fanwise.db")) as connection:
        _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert pages < commits / 2
    assert [event.seq for event in store.events(run_no)] == list(range(1, commits + 1))


def connected(path: Path) -> sqlite3.Connection:
    """A connection of several threads to a database with a log, in pages of 4 KB."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA page_size = 4096")
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = normal")
    return connection


def test_large_commits_at_once_have_the_log_emptied_sooner(tmp_path: Path) -> None:
    """After about a thousand pages, of 4 KB here, and not after so many commits."""
    path, emptied = tmp_path / "any.db", threading.Event()

    def connect_to_log() -> sqlite3.Connection:
        emptied.set()
        return connected(path)

    def nothing(_: sqlite3.Connection) -> None:
        pass

    writer = WritingConnection(connected(path), 1.0, connect_to_log)
    for _ in range(14):
        assert writer.at_once(nothing, 2**18)
    assert not emptied.is_set()
    writer.at_once(nothing, 2**18)
    assert emptied.wait(60)
    writer.close(nothing)


def test_a_connection_is_settled_and_closed_once_nobody_empties_its_log(tmp_path: Path) -> None:
    """SQLite refuses to empty a log twice at the same time, and doesn't wait either."""
    path, begun, goes_on = tmp_path / "any.db", threading.Event(), threading.Event()
    order = []

    def connect_to_log() -> sqlite3.Connection:
        begun.set()
        goes_on.wait()
        order.append("emptied")
        return connected(path)

    own = connected(path)
    own.execute("CREATE TABLE t (n)")
    writing = WritingConnection(own, 5.0, connect_to_log)
    while not begun.is_set():
        writing.at_once(lambda connection: connection.execute("INSERT INTO t VALUES (1)"), 1)
    closing = threading.Thread(target=writing.close, args=(lambda _: order.append("settled"),))
    closing.start()
    goes_on.set()
    closing.join()
    assert order == ["emptied", "settled"]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        own.execute("SELECT 1")


@pytest.mark.parametrize(("durability", "level"), [("off", 0), ("normal", 1), ("full", 2)])
def test_commits_wait_for_the_disk_as_the_durability_says(
    tmp_path: Path, durability: Durability, level: int
) -> None:
    """Those of leases and slots as well as the journal's."""
    database = open_database(tmp_path / "fanwise.db", durability=durability)
    with closing(database):
        for commit in (database.writing, database.controlling):
            assert commit(lambda writer: writer.read("PRAGMA synchronous")) == [(level,)]
