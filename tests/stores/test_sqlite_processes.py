"""Several processes share a SQLite store, and nothing that was committed is lost with one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

import pytest

from fanwise.errors import StoreError
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.store_contract import a_run, an_item

COMMIT_FOREVER = """
import itertools, sys
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.store_contract import a_run, an_item
store = open_sqlite(sys.argv[1])
run_no = store.create_run(a_run(sys.argv[2]))
for number in itertools.count():
    store.commit([an_item(run_no, number * 10 + place) for place in range(10)])
    print(number, flush=True)
"""

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""

CREATE = """
import sys
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.store_contract import a_run
print("ready", flush=True)
for path in sys.stdin:
    with open_sqlite(path.strip()) as store:
        store.create_run(a_run(sys.argv[1]))
    print("made", flush=True)
"""

TAKE = """
import sys
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.ownership_contract import an_owner
with open_sqlite(sys.argv[1]) as store:
    engine_no = store.enroll(an_owner(sys.argv[2]))
    print("ready", flush=True)
    for after in sys.stdin:
        lease = store.acquire(1, engine_no, after=int(after))
        print("late" if lease is None else lease.token, flush=True)
"""

FILL = """
import resource, sys
from fanwise.errors import RecordRefusedError, StoreError
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.store_contract import a_run, an_item
store = open_sqlite(sys.argv[1])
run_no = store.create_run(a_run())
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
committed = 0
try:
    while committed < 100_000:
        store.commit([an_item(run_no, committed + place) for place in range(1_000)])
        committed += 1_000
except RecordRefusedError:
    raise
except StoreError as error:
    print(error)
print(committed, len(store.items(run_no, 1, limit=1_000_000)))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.commit([an_item(run_no, committed)])
print(len(store.items(run_no, 1, limit=1_000_000)))
"""


CLOSE_WITH_A_FULL_DISK = """
import os, resource, sys
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.store_contract import a_run, an_item
with open_sqlite(sys.argv[1]) as store:
    run_no = store.create_run(a_run())
    store.commit([an_item(run_no, index, output=b"1" * 4_000) for index in range(100)])
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(sys.argv[1]) + 8_192, hard))
"""


@contextmanager
def process(script: str, *arguments: str | Path):
    """A Python process that is killed at the end of the block, if it still runs."""
    started = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def test_what_was_committed_survives_a_killed_process(tmp_path):
    """After SIGKILL amid commits, each commit that had returned is there, and each as a whole."""
    path = tmp_path / "fanwise.db"
    with process(COMMIT_FOREVER, path, "run-1") as writer:
        confirmed = [int(line) for line in islice(writer.stdout, 50)]
        writer.kill()
        confirmed += [int(line) for line in writer.stdout if line.endswith("\n")]
    with open_sqlite(path) as store:
        run = store.run("run-1")
        assert run is not None
        indexes = [item.index for item in store.items(run.run_no, 1, limit=1_000_000)]
        assert indexes == list(range(len(indexes)))
        assert len(indexes) % 10 == 0
        assert len(indexes) >= (confirmed[-1] + 1) * 10
        store.commit([an_item(run.run_no, len(indexes))])


def test_two_processes_write_and_read_one_store_at_once(tmp_path):
    """While one process commits, another reads what it confirmed and records a run of its own."""
    path = tmp_path / "fanwise.db"
    with process(COMMIT_FOREVER, path, "theirs") as writer, open_sqlite(path) as store:
        ours = store.create_run(a_run("ours"))
        for index, line in enumerate(islice(writer.stdout, 50)):
            theirs = store.run("theirs")
            assert theirs is not None
            assert len(store.items(theirs.run_no, 1, after=int(line) * 10 - 1, limit=10)) == 10
            store.commit([an_item(ours, index)])
        assert [item.index for item in store.items(ours, 1)] == list(range(50))


def test_processes_that_make_a_store_at_once_all_get_it(tmp_path):
    """Of several first runs that start together, one makes the store and all of them use it."""
    paths = [tmp_path / str(number) / "fanwise.db" for number in range(6)]
    ids = [f"run-{number}" for number in range(4)]
    with ExitStack() as stack:
        started = [stack.enter_context(process(CREATE, run_id)) for run_id in ids]
        for each in started:
            assert each.stdout.readline() == "ready\n"
        for path in paths:
            for each in started:
                each.stdin.write(f"{path}\n")
                each.stdin.flush()
            assert [each.stdout.readline() for each in started] == ["made\n"] * len(ids)
    for path in paths:
        with open_sqlite(path) as store:
            assert sorted(store.run_ids()) == ids


def test_of_processes_that_take_a_run_at_once_one_gets_it(tmp_path):
    """From nobody and then from each other, and all of them see who it is."""
    path, names = tmp_path / "fanwise.db", ["a", "b", "c"]
    with open_sqlite(path) as store, ExitStack() as stack:
        run_no = store.create_run(a_run())
        started = [stack.enter_context(process(TAKE, path, name)) for name in names]
        for each in started:
            assert each.stdout.readline() == "ready\n"
        for after in range(20):
            for each in started:
                each.stdin.write(f"{after}\n")
                each.stdin.flush()
            told = [each.stdout.readline().strip() for each in started]
            assert sorted(told) == [str(after + 1), "late", "late"]
            lease = store.lease(run_no)
            assert lease.token == after + 1
            assert lease.owner.token == names[told.index(str(after + 1))]


def test_a_disk_that_takes_no_more_leaves_whole_commits_and_a_usable_store(tmp_path):
    """The commit that fails is a `StoreError` and leaves nothing; with room again, all goes on."""
    path = tmp_path / "fanwise.db"
    with process(FILL, path) as writer:
        message, counts, after = writer.stdout.read().splitlines()
    assert message.startswith(f"{path}: the disk ")
    committed, found = map(int, counts.split())
    assert found == committed
    assert int(after) == committed + 1


def test_a_store_that_a_full_disk_left_half_tidied_up_is_not_taken_for_damaged(tmp_path):
    """Closing it copies some of what was committed to its place; the rest stays beside the file."""
    path = tmp_path / "fanwise.db"
    with process(CLOSE_WITH_A_FULL_DISK, path) as writer:
        assert writer.wait() == 0
    assert path.with_name("fanwise.db-wal").exists()
    with open_sqlite(path, read_only=True) as store:
        assert len(store.items(1, 1)) == 100
    with open_sqlite(path) as store:
        store.commit([an_item(1, 100)])


def test_a_store_that_stays_locked_is_named_and_works_afterwards(tmp_path):
    """A commit waits for another process only so long; reading doesn't wait at all."""
    path = tmp_path / "fanwise.db"
    with open_sqlite(path, timeout_s=0.05) as store:
        run_no = store.create_run(a_run())
        with process(LOCK, path) as locker:
            assert locker.stdout.readline() == "locked\n"
            with pytest.raises(StoreError, match="locked") as caught:
                store.commit([an_item(run_no, 0)])
            assert str(path) in str(caught.value)
            assert list(store.run_ids()) == ["run-1"]
            with open_sqlite(path, timeout_s=0.05) as other:
                assert list(other.run_ids()) == ["run-1"]
        store.commit([an_item(run_no, 0)])
        assert list(store.items(run_no, 1)) == [an_item(run_no, 0)]
