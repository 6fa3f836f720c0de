"""A store of an older revision is upgraded on request: as a whole, alone, and with a copy."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest

import fanwise
from fanwise.errors import StoreError
from fanwise.model import Status, Wait
from fanwise.stores import Upgrade, check, open_store, schema, sqlite_files, upgrade, upgrades
from fanwise.stores.sqlite_files import APPLICATION_ID

GOLDEN = sorted(Path(__file__).parent.glob("golden/*.sqlite"))
FIRST_NAMED = [path for path in GOLDEN if path.stem <= "0004"]
WITH_OLD_LEASES = [path for path in FIRST_NAMED if path.stem >= "0003"]

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{before}"

def upgrade():
    op.add_column("runs", sa.Column("owner", sa.Text))
    {last}
"""

UPGRADE = """
import sys
from fanwise.stores import upgrade
print("ready", flush=True)
sys.stdin.readline()
done = upgrade(sys.argv[1])
print(done.before == done.after)
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of this version, with what the golden one of the first revision holds."""
    path = tmp_path / "fanwise.db"
    shutil.copy(GOLDEN[0], path)
    upgrade(str(path), keep_copy=False)
    return path


@pytest.fixture
def next_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Call it to have this version of fanwise need a newer revision than it does."""

    def add(last: str = "") -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(upgrades.MIGRATIONS, folder)
        script = NEXT.format(before=schema.REVISIONS[-1], last=last)
        (folder / "versions" / "next.py").write_text(script)
        monkeypatch.setattr(upgrades, "MIGRATIONS", folder)
        monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "next"))

    return add


UPGRADED = {"alembic_version", "sqlite_sequence"}
"""The tables that say how far others have come: the revision, and the last number given out."""


def untouched(path: Path) -> sqlite3.Connection:
    """A connection to a store that nobody has open; it leaves no file beside it."""
    return sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)


NEW_NAMES = {"task_no": "visit_no"}
"""The columns that an upgrade renames."""

MOVED = {"leases": {"owner", "beat_at", "request", "ran_s"}}
"""The columns that an upgrade makes others of."""


def contents(
    path: Path, like: Path | None = None, without: Mapping[str, set[str]] = MappingProxyType({})
) -> dict[str, list[tuple]]:
    """The rows of all tables, of those tables and columns only that the store `like` has."""
    with closing(untouched(path)) as connection, closing(untouched(like or path)) as other:
        tables = other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        rows = {}
        for (table,) in tables:
            had = [row[1] for row in other.execute(f"PRAGMA table_info({table})")]
            has = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            kept = [name for name in had if name not in without.get(table, ())]
            columns = [name if name in has else NEW_NAMES[name] for name in kept]
            found = connection.execute(f"SELECT {', '.join(columns)} FROM {table}")
            rows[table] = sorted(found.fetchall(), key=repr)
    return {table: found for table, found in rows.items() if table not in UPGRADED}


def copies(store: Path) -> list[Path]:
    """The files beside the store, apart from those that SQLite keeps while it is in use."""
    own = {store.name, f"{store.name}-wal", f"{store.name}-shm"}
    return [path for path in store.parent.glob(f"{store.name}*") if path.name not in own]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_what_an_older_version_has_recorded_stays_as_it_was(golden, tmp_path):
    """The upgrade keeps each row, and the store reads it."""
    path = tmp_path / "fanwise.db"
    shutil.copy(golden, path)
    upgrade(str(path))
    assert contents(path, like=golden, without=MOVED) == contents(golden, without=MOVED)
    with open_store(str(path), create=False) as opened:
        assert sorted(opened.run_ids()) == ["broken", "paused", "survey"]
        kinds = [type(record).__name__ for record in opened.export("survey")]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "RunRecord": 1,
        "VisitRecord": 9,
        "RecordedEvent": 5,
        "ItemOutcome": 15,
        "LogEntry": 17,
    }


@pytest.mark.parametrize("golden", FIRST_NAMED, ids=lambda path: path.stem)
@pytest.mark.parametrize("use", [open_store, check, partial(open_store, read_only=True)])
def test_a_store_of_the_first_name_is_only_upgraded(golden, use, tmp_path):
    """Anything else refuses it with the command that upgrades it, and leaves it as it is."""
    path = tmp_path / "old.db"
    shutil.copy(golden, path)
    with pytest.raises(
        StoreError, match="older version of fanwise, under its first name"
    ) as caught:
        use(str(path))
    assert caught.value.hint == f"Upgrade it: fanwise db upgrade --store {path}"
    assert path.read_bytes() == golden.read_bytes()
    assert list(tmp_path.iterdir()) == [path]
    done = upgrade(str(path))
    assert application_id(path) == APPLICATION_ID == int.from_bytes(b"fanw")
    assert application_id(done.copy) == application_id(golden)
    use(str(path))


def test_an_upgrade_that_fails_leaves_a_store_its_first_name(tmp_path):
    """The name is given in the transaction of the revisions."""
    path = tmp_path / "old.db"
    shutil.copy(GOLDEN[0], path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE leases (other)")
    with pytest.raises(StoreError, match="leases"):
        upgrade(str(path))
    assert application_id(path) == application_id(GOLDEN[0])


def test_a_store_is_known_by_its_new_name_also_right_after_a_crash(tmp_path):
    """The name may stand in the file beside the store, while the store itself has the first one."""
    path, crashed = tmp_path / "old.db", tmp_path / "crashed.db"
    shutil.copy(GOLDEN[0], path)
    upgrade(str(path), keep_copy=False)
    with closing(sqlite3.connect(path)) as connection:
        first = application_id(GOLDEN[0])
        connection.execute(f"PRAGMA application_id = {first}")
        connection.execute("PRAGMA wal_checkpoint(truncate)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        shutil.copy(path, crashed)
        shutil.copy(f"{path}-wal", f"{crashed}-wal")
    assert application_id(crashed) == first
    assert upgrade(str(crashed)).copy is None
    open_store(str(crashed), create=False).close()


def application_id(path: Path) -> int:
    with closing(untouched(path)) as connection:
        return sqlite_files.application_id(connection)


@pytest.mark.parametrize("golden", WITH_OLD_LEASES, ids=lambda path: path.stem)
def test_the_time_that_an_older_version_has_driven_a_run_is_kept(golden, tmp_path):
    """A lease that was given back says so: to its last beat."""
    path = tmp_path / "fanwise.db"
    shutil.copy(golden, path)
    upgrade(str(path))
    with closing(untouched(golden)) as connection:
        driven = connection.execute("SELECT run_no, ran_s + beat_at - taken_at FROM leases")
        expected = dict(driven.fetchall())
    with open_store(str(path), create=False) as opened:
        found = {run_no: opened.lease(run_no) for run_no in expected}
    assert {run_no: lease.ran_s for run_no, lease in found.items()} == expected
    assert all(lease.owner is None for lease in found.values())


def test_a_golden_store_is_kept_of_each_older_revision():
    """Its name is its revision, which the file has."""
    assert [path.stem for path in GOLDEN] == list(schema.REVISIONS[:-1])
    for path in GOLDEN:
        with closing(untouched(path)) as connection:
            assert sqlite_files.revision(connection) == path.stem


def test_an_older_store_is_refused_with_the_command_that_upgrades_it(store, next_revision):
    """Nothing is upgraded unasked, neither for reading nor for writing."""
    newest = schema.REVISIONS[-1]
    next_revision()
    before = store.read_bytes()
    for options in ({}, {"create": False}, {"read_only": True}):
        with pytest.raises(StoreError, match=f"older version.*{newest}.*next") as caught:
            open_store(str(store), **options)
        assert f"fanwise db upgrade --store {store}" in caught.value.hint
    assert store.read_bytes() == before


def test_an_upgrade_tells_from_what_to_what_and_keeps_a_copy(store, next_revision):
    """The copy is the store as it was, and its owner's alone; the next one has another name."""
    newest = schema.REVISIONS[-1]
    before = contents(store)
    next_revision()
    copy = store.with_name(f"fanwise.db.{newest}.bak")
    copy.write_text("an earlier copy")
    done = upgrade(str(store))
    assert done == Upgrade(newest, "next", store.with_name(f"fanwise.db.{newest}.bak1"))
    assert contents(done.copy) == before
    assert stat.S_IMODE(done.copy.stat().st_mode) == 0o600
    assert copy.read_text() == "an earlier copy"
    assert contents(store, like=done.copy) == before
    open_store(str(store), create=False).close()


def test_a_run_that_waits_is_answered_after_an_upgrade(tmp_path, next_revision):
    """With its question, its deadline and an answer that came before another one."""
    store = str(tmp_path / "runs.db")
    asks = [
        {"name": name, "action": "core.ask", "timeout": "3d", "input": {"prompt": name}}
        for name in ("first", "second")
    ]
    run = fanwise.run({"name": "asks", "tasks": asks}, run_id="r", store=store)
    assert run.status is Status.WAITING
    assert not fanwise.answer("r", "second", "reject", store=store)
    next_revision()
    upgrade(store, keep_copy=False)
    assert fanwise.answer("r", "first", "approve", store=store)
    run = fanwise.resume("r", store=store)
    assert run.status is Status.SUCCEEDED
    with open_store(store, read_only=True) as opened:
        waits = [each for each in opened.export("r") if isinstance(each, Wait)]
    assert {each.path: json.loads(each.answer)["choice"] for each in waits} == {
        "first": "approve",
        "second": "reject",
    }
    assert all(each.deadline is not None for each in waits)


def test_a_copy_is_made_only_if_it_is_wanted(store, next_revision):
    """No other file with records stands beside the store afterwards."""
    next_revision()
    assert upgrade(str(store), keep_copy=False).copy is None
    assert copies(store) == []


def test_an_upgrade_that_fails_leaves_the_store_and_no_copy(store, next_revision):
    """All of it is one transaction, so the store still is what a copy would hold."""
    before = contents(store)
    next_revision(last='op.execute("INSERT INTO nowhere VALUES (1)")')
    with pytest.raises(StoreError, match="nowhere"):
        upgrade(str(store))
    assert contents(store) == before
    assert copies(store) == []


@pytest.mark.parametrize("read_only", [False, True])
def test_a_store_that_someone_has_open_is_not_upgraded(store, next_revision, read_only):
    """A process of the older version would go on with a store that it doesn't know."""
    with open_store(str(store), read_only=read_only) as opened:
        next_revision()
        with pytest.raises(StoreError, match="another process keeps it locked"):
            upgrades.upgrade_sqlite(str(store), timeout_s=0.05)
        assert sorted(opened.run_ids()) == ["broken", "paused", "survey"]
    assert upgrade(str(store)).after == "next"


def test_a_store_of_the_newest_revision_needs_nobody_to_leave_it(store):
    """There is nothing to do, also while others use it."""
    newest = schema.REVISIONS[-1]
    with open_store(str(store)):
        assert upgrade(str(store)) == Upgrade(newest, newest, copy=None)


def test_of_processes_that_upgrade_at_once_one_does_it(tmp_path):
    """The others find it done."""
    path = tmp_path / "fanwise.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA application_id = {APPLICATION_ID}; VACUUM;")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [each.stdout.readline() for each in started] == ["ready\n"] * 3
    told = [each.communicate("go\n")[0].strip() for each in started]
    assert sorted(told) == ["False", "True", "True"]
    assert [each.name for each in tmp_path.glob("*.bak*")] == ["fanwise.db.old.bak"]
