"""Schema versions: new stores are what the migrations make, and upgrades are all or nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from msgspec.structs import replace
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from fanwise.errors import StoreError
from fanwise.stores import Upgrade, open_store, schema, upgrade, upgrades
from fanwise.stores.sqlite_files import APPLICATION_ID
from fanwise.testing.store_contract import a_run


def described(path: Path) -> list[tuple[str, ...]]:
    """The schema of a SQLite file, without differences in white space."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
        return sorted(
            (kind, name, table, "".join((sql or "").split())) for kind, name, table, sql in rows
        )


def before_the_first_revision(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("VACUUM")


def test_a_new_schema_equals_a_migrated_one(tmp_path):
    """A store made today and the oldest store brought up to date have the same schema."""
    new, migrated = tmp_path / "new.db", tmp_path / "migrated.db"
    open_store(str(new)).close()
    before_the_first_revision(migrated)
    assert upgrade(str(migrated))
    assert described(migrated) == described(new)


def test_the_revisions_are_those_of_the_migrations():
    """`schema.REVISIONS` lists what is in `migrations/versions`, from the oldest to the newest."""
    scripts = ScriptDirectory(str(upgrades.MIGRATIONS))
    newest_first = [script.revision for script in scripts.walk_revisions()]
    assert list(schema.REVISIONS) == newest_first[::-1]


def test_an_upgraded_store_is_of_this_version(tmp_path):
    """It opens, and upgrading it again changes nothing."""
    path = tmp_path / "fanwise.db"
    before_the_first_revision(path)
    newest = schema.REVISIONS[-1]
    done = upgrade(f"sqlite:///{path}")
    assert (done.before, done.after) == ("", newest)
    assert upgrade(f"sqlite:///{path}") == Upgrade(newest, newest, copy=None)
    with open_store(str(path), create=False) as store:
        store.create_run(a_run())


def at_revision(path: Path, revision: str) -> None:
    """Make a store as the version of fanwise did whose newest revision that was."""
    before_the_first_revision(path)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(upgrades.MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_a_store_without_tags_is_upgraded_with_all_that_it_holds(tmp_path):
    """Its runs have no tags then, and can be given some."""
    path = tmp_path / "fanwise.db"
    at_revision(path, "0001")
    old = a_run(run_no=1, definition="")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO runs (id, workflow, file, status, created_at, parameters, definition)"
            " VALUES (?, ?, ?, ?, ?, '{}', '')",
            (old.id, old.workflow, old.file, old.status, old.created_at),
        )
    assert upgrade(str(path))
    with open_store(str(path), create=False) as store:
        assert list(store.runs()) == [old]
        store.commit([replace(old, tags=("kept",))])
        assert [run.id for run in store.runs(tags=["kept"])] == ["run-1"]


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(tmp_path):
    """The revisions are one transaction: a table in their way keeps all of them out."""
    path = tmp_path / "fanwise.db"
    before_the_first_revision(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE items (idx)")
    before = described(path)
    with pytest.raises(StoreError, match="items"):
        upgrade(str(path))
    assert described(path) == before


def test_a_newer_store_is_not_touched(tmp_path):
    """A store from a later version of fanwise is refused."""
    path = tmp_path / "fanwise.db"
    open_store(str(path)).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version"):
        upgrade(str(path))


def test_a_missing_store_is_not_made_by_upgrading_it(tmp_path):
    """There is nothing to upgrade."""
    with pytest.raises(StoreError, match="there is no store"):
        upgrade(str(tmp_path / "fanwise.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_recorded_without_sqlalchemy_and_alembic(tmp_path):
    """Only an upgrade imports them, so that starting a program stays quick."""
    script = f"""
import sys
import fanwise
import fanwise.stores
store = {str(tmp_path / "fanwise.db")!r}
flow = {str(tmp_path / "noop.yaml")!r}
for name in ("first", "second"):
    fanwise.run(flow, run_id=name, store=store)
with fanwise.stores.open_store(store) as opened:
    assert list(opened.run_ids()) == ["second", "first"]
    assert [type(record).__name__ for record in opened.export("first")][0] == "RunRecord"
fanwise.stores.check(store)
assert not {{"sqlalchemy", "alembic"}} & sys.modules.keys()
"""
    (tmp_path / "noop.yaml").write_text("tasks:\n  - {name: only, action: core.noop}\n")
    subprocess.run([sys.executable, "-c", script], check=True)


def test_numbers_of_deleted_runs_stay_taken_in_an_upgraded_store(tmp_path):
    """Rows that a deleted run has left are never those of a new one."""
    for number, (deleted, expected) in enumerate([(7, 8), (1, 3), (0, 3)]):
        path = tmp_path / f"{number}.db"
        at_revision(path, "0004")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany(
                "INSERT INTO runs (id, workflow, file, status, created_at, parameters, definition)"
                " VALUES (?, 'one', 'one.yaml', 'failed', 1.0, '{}', '')",
                [("first",), ("second",)],
            )
            connection.execute(f"PRAGMA user_version = {deleted}")
        upgrade(str(path), keep_copy=False)
        with open_store(str(path), create=False) as store:
            assert store.create_run(a_run("third")) == expected


def test_a_store_whose_runs_were_all_deleted_goes_on_counting_after_an_upgrade(tmp_path):
    """The highest number is that of a run that isn't there any more."""
    path = tmp_path / "fanwise.db"
    at_revision(path, "0004")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 41")
    upgrade(str(path), keep_copy=False)
    with open_store(str(path), create=False) as store:
        assert store.create_run(a_run()) == 42
        assert store.create_run(a_run("run-2")) == 43
