"""The schema on PostgreSQL: text is compared by its bytes, and upgrades are all or nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from benchmarks.postgres_server import PostgresServer
from fanwise.errors import StoreError
from fanwise.stores import Upgrade, check, open_store, schema, upgrade, upgrades
from fanwise.stores.postgres_text import filled
from fanwise.stores.queue_statements import BEST, has_work
from fanwise.stores.slot_statements import DELETE_BOUND, NEXT_QUEUE, RELEASE
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import LONG_RESULT, a_run, a_task, an_item

GOLDEN = Path(__file__).parent / "golden" / "postgres-0005.sql"
NEW = """
import sqlalchemy as sa
from alembic import op

revision = "9998"
down_revision = {before!r}
branch_labels = None
depends_on = None

def upgrade():
    op.create_table("notes", sa.Column("text", sa.Text, nullable=False))
    op.add_column("runs", sa.Column("note", sa.Text))
    {last}
"""
Run = Callable[[str], list[tuple[object, ...]]]


def schema_of(url: str) -> str:
    return url.partition("search_path%3D")[2].partition("&")[0]


@pytest.fixture
def admin(postgres: PostgresServer) -> Run:
    def run(statement: str) -> list[tuple[object, ...]]:
        with postgres.connect() as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    return run


def described(admin: Run, url: str) -> list[tuple[object, ...]]:
    """The columns, constraints, indexes, settings and comments of a schema."""
    name = schema_of(url)
    here = f"relnamespace = '{name}'::regnamespace"
    queries = (
        "SELECT table_name, column_name, data_type, collation_name, is_nullable, is_identity,"
        f" column_default FROM information_schema.columns WHERE table_schema = '{name}'",
        "SELECT conname, pg_get_constraintdef(pg_constraint.oid) FROM pg_constraint"
        f" WHERE connamespace = '{name}'::regnamespace",
        f"SELECT replace(indexdef, '{name}.', '') FROM pg_indexes WHERE schemaname = '{name}'",
        "SELECT relname, relkind, reloptions, obj_description(oid, 'pg_class') FROM pg_class"
        f" WHERE {here}",
    )
    return [row for query in queries for row in sorted(admin(query), key=repr)]


def load(admin: Run, url: str, script: str) -> None:
    admin(f"SET search_path = {schema_of(url)};{script}")


@pytest.fixture
def revise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Adds a revision to those that this version has."""

    def add(last: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(upgrades.MIGRATIONS, folder)
        text = NEW.format(before=schema.REVISIONS[-1], last=last)
        (folder / "versions" / "9998_notes.py").write_text(text)
        monkeypatch.setattr(upgrades, "MIGRATIONS", folder)
        monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9998"))

    return add


def test_text_is_compared_by_its_bytes(postgres_url, admin):
    """Paths are found between two others by that order, whatever the locale of the database."""
    url = postgres_url()
    open_store(url).close()
    found = admin(
        "SELECT table_name, column_name, collation_name FROM information_schema.columns"
        f" WHERE table_schema = '{schema_of(url)}' AND data_type = 'text'"
    )
    assert found
    assert {collation for _, _, collation in found} == {"C"}


def test_a_look_at_a_queue_reads_nothing_of_the_others(postgres_url):
    """However many runs wait there: the plan takes the index, and not the whole table."""
    url = postgres_url()
    open_store(url).close()
    look = filled(has_work(1), {"queue_0": "mine"}, None)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO submissions"
            " (run_no, queue, priority, is_waiting, since, tries, why, tried_by, progress)"
            " SELECT i, CASE WHEN i % 50 = 0 THEN 'mine' ELSE 'other' END,"
            " 0, TRUE, 0, 0, '', '', '' FROM generate_series(1, 20000) AS i"
        )
        connection.execute("ANALYZE submissions")
        plan = [line for (line,) in connection.execute(f"EXPLAIN {look}".encode())]
    assert any("submissions_ready" in line for line in plan)


@pytest.mark.parametrize("statement", [BEST, DELETE_BOUND, NEXT_QUEUE, RELEASE])
def test_a_claim_costs_the_same_however_many_runs_a_limit_holds_back(postgres_url, statement):
    """The plans go by indexes, and read no table of runs as a whole."""
    url = postgres_url()
    open_store(url).close()
    values = {"queue": "mine", "most": 1, "scope": "mine", "key": "", "free": 1}
    names = re.findall(r":(\w+)", statement)
    look = filled(statement, {name: values[name] for name in names}, None)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO runs"
            " (run_no, id, workflow, file, status, created_at, parameters, definition, origin)"
            " OVERRIDING SYSTEM VALUE"
            " SELECT i, i, '', '', 'pending', 0, '', '', '{}' FROM generate_series(1, 20000) AS i"
        )
        connection.execute(
            "INSERT INTO submissions"
            " (run_no, queue, priority, is_waiting, since, tries, why, tried_by, progress,"
            " scope, key, is_held_back)"
            " SELECT run_no, 'mine', 0, TRUE, 0, 0, '', '', '',"
            " CASE WHEN run_no % 2 = 0 THEN 'mine' ELSE 'other' END, '', run_no > 100 FROM runs"
        )
        connection.execute("ANALYZE")
        plan = [line for (line,) in connection.execute(f"EXPLAIN {look}".encode())]
    assert any("Index" in line for line in plan)
    assert not [line for line in plan if re.search("Seq Scan on (runs|submissions)", line)]


def test_a_new_schema_equals_a_migrated_one(postgres_url, admin):
    """The first revision that stores on PostgreSQL have, brought up to date, and a new store."""
    new, migrated = postgres_url(), postgres_url()
    open_store(new).close()
    load(admin, migrated, GOLDEN.read_text())
    assert upgrade(migrated).after == schema.REVISIONS[-1]
    assert described(admin, migrated) == described(admin, new)
    with open_store(migrated) as store:
        assert list(store.run_ids()) == ["run-1"]
        assert store.create_run(a_run("run-2")) == 2


def test_an_upgrade_keeps_what_the_store_holds(postgres_url, admin, revise):
    """Until then the store is refused; afterwards there is nothing to do."""
    url = postgres_url()
    with open_store(url) as store:
        store.create_run(a_run())
    before = schema.REVISIONS[-1]
    revise("")
    with pytest.raises(StoreError, match="db upgrade"):
        open_store(url)
    assert check(url).problems == ()
    assert upgrade(url) == Upgrade(before, "9998", None)
    assert upgrade(url) == Upgrade("9998", "9998", None)
    with open_store(url) as store:
        assert list(store.run_ids()) == ["run-1"]
    collations = admin(
        "SELECT collation_name FROM information_schema.columns WHERE column_name IN"
        f" ('note', 'text') AND table_schema = '{schema_of(url)}'"
        " AND table_name NOT IN ('logs', 'triggers')"
    )
    assert collations == [("C",), ("C",)]


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(postgres_url, admin, revise):
    """It is one transaction, and the error is one line without the statement."""
    url = postgres_url()
    open_store(url).close()
    before = described(admin, url)
    revise('op.execute("SELECT 1 FROM not_made")')
    with pytest.raises(StoreError, match="not_made") as caught:
        upgrade(url)
    assert "\n" not in str(caught.value)
    assert described(admin, url) == before


def test_no_store_is_upgraded_while_processes_are_at_work_in_it(postgres_url, admin, revise):
    """They would meet another schema; an engine that has died is at work no more after a while."""
    url = postgres_url()
    with open_store(url) as store:
        store.enroll(an_owner())
    revise("")
    with pytest.raises(StoreError, match="at work"):
        upgrade(url)
    admin(f"UPDATE {schema_of(url)}.engines SET beat_at = beat_at - 60")
    assert upgrade(url).after == "9998"


def test_of_threads_that_make_or_upgrade_a_store_at_once_one_does_it(postgres_url, revise):
    """All others find it made."""
    url = postgres_url()

    def make(number: int) -> None:
        with open_store(url) as store:
            store.create_run(a_run(f"run-{number}"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(make, range(8)))
    with open_store(url) as store:
        assert len(store.run_ids()) == 8
    revise("")
    with ThreadPoolExecutor(4) as threads:
        done = [*threads.map(lambda _: upgrade(url), range(4))]
    assert {each.after for each in done} == {"9998"}


def test_a_check_finds_what_does_not_fit(postgres_url, admin):
    """A store that is all right has no problems, and its runs are counted."""
    url = postgres_url()
    with open_store(url) as store:
        run_no = store.create_run(a_run())
        store.commit([a_task(run_no, output=LONG_RESULT), an_item(run_no, 0, output=LONG_RESULT)])
    report = check(url)
    assert report.problems == ()
    assert sum(report.runs.values()) == 1
    assert report.size.total_bytes > 0
    name = schema_of(url)
    admin(f"DELETE FROM {name}.payloads WHERE idx = 0")
    assert check(url).problems == ("items without the result that they had in payloads: 1",)
    admin(
        "UPDATE pg_index SET indisvalid = false"
        f" WHERE indexrelid = '{name}.items_not_succeeded'::regclass"
    )
    assert check(url).problems == ("the index items_not_succeeded isn't valid: REINDEX it",)
    admin(f"DROP TABLE {name}.sleeps")
    assert check(url).problems[0] == "the table sleeps is missing"


def test_a_check_changes_nothing(postgres_url):
    """Nor does it need the right to."""
    url = postgres_url()
    with open_store(url) as store:
        store.create_run(a_run())
    frozen = url.replace("options=", "options=-cdefault_transaction_read_only%3Don%20")
    assert check(frozen).problems == ()
