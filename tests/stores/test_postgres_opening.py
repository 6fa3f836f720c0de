"""Opening a store on PostgreSQL: what is wrong is told in one line, and nothing is changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.postgres_server import NOT_ADMITTED, WITH_PASSWORD, PostgresServer
from fanwise.errors import RecordRefusedError, StoreError, StoreUnusableError
from fanwise.stores import check, open_store, postgres_schema, schema, upgrade
from fanwise.testing.records import a_run, an_item

SECRET = "hunter2"


@contextmanager
def told(*words: str) -> Iterator[pytest.ExceptionInfo[StoreError]]:
    """The block raises one line with these words, a remedy, and no password."""
    with pytest.raises(StoreError) as caught:
        yield caught
    line = str(caught.value)
    assert all(word in line for word in words), line
    assert caught.value.hint
    assert "\n" not in line
    assert SECRET not in line
    assert not isinstance(caught.value, RecordRefusedError)


@pytest.fixture
def admin(postgres: PostgresServer) -> Iterator[Callable[[str], list[tuple[object, ...]]]]:
    """Runs a statement as the superuser; what `CREATE` makes is the test's to drop."""
    with postgres.connect() as connection:

        def run(statement: str) -> list[tuple[object, ...]]:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
def role(admin: Callable[[str], object]) -> Iterator[str]:
    """A role without any right."""
    admin("CREATE ROLE stranger LOGIN")
    yield "stranger"
    admin("DROP OWNED BY stranger; DROP ROLE stranger")


def schema_of(url: str) -> str:
    return url.partition("search_path%3D")[2].partition("&")[0]


def tables(admin: Callable[[str], list[tuple[object, ...]]], url: str) -> list[object]:
    found = admin(f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema_of(url)}'")
    return sorted(name for (name,) in found)


# who answers


def test_a_server_that_cannot_be_reached_is_named(tmp_path):
    """With its host and port, and without waiting."""
    with told("postgresql://ada@/runs?host=", "the server can't be reached", "No such file"):
        open_store(f"postgresql://ada:{SECRET}@/runs?host={tmp_path}&wait=1h")
    line = told("postgresql://ada@127.0.0.1:1/runs", "the server can't be reached", "refused")
    with line as caught:
        open_store(f"postgresql://ada:{SECRET}@127.0.0.1:1/runs")
    assert "?wait" not in str(caught.value)


def test_a_wrong_password_is_never_shown(postgres, admin):
    """Neither in the error nor in what the error was raised from."""
    admin(f"CREATE ROLE {WITH_PASSWORD} LOGIN PASSWORD 'right'")
    try:
        url = f"postgresql://{WITH_PASSWORD}:{SECRET}@/postgres?host={postgres.folder}"
        for each in (url, url.replace(f":{SECRET}", "") + f"&password={SECRET}"):
            with told(f"postgresql://{WITH_PASSWORD}@/postgres", "user or the password"):
                open_store(each)
    finally:
        admin(f"DROP ROLE {WITH_PASSWORD}")


def test_a_server_that_admits_no_such_connection_is_not_taken_for_a_wrong_password(postgres):
    """Its administrator has to admit it, or it has to be encrypted."""
    with told("admits no such connection", "pg_hba.conf", "sslmode=require"):
        open_store(postgres.url(user=NOT_ADMITTED))


def test_a_missing_role_and_a_missing_database_are_told_apart(postgres):
    """By what the server says."""
    with told("user or the password", 'role "nobody_there" does not exist'):
        open_store(postgres.url(user="nobody_there"))
    with told("no such database", "createdb"):
        open_store(postgres.url("not_made"))


def test_a_role_without_rights_makes_no_store_and_reads_none(postgres, postgres_url, admin, role):
    """Each time the missing right is told, and nothing is made."""
    url = postgres_url()
    theirs = url.replace("fanwise@", f"{role}@")
    with told("schema"):
        open_store(theirs)
    admin(f"GRANT USAGE ON SCHEMA {schema_of(url)} TO {role}")
    with told("lacks a right", "permission denied for schema"):
        open_store(theirs)
    assert tables(admin, url) == []
    open_store(url).close()
    for look in (open_store, check, lambda url: open_store(url, read_only=True)):
        with told("lacks a right", "permission denied for table alembic_version"):
            look(theirs)
    admin(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema_of(url)} TO {role}")
    with open_store(theirs, read_only=True) as store:
        assert list(store.run_ids()) == []
    with open_store(theirs) as store, told("lacks a right"):
        store.create_run(a_run())


# what is there


def test_a_database_with_another_encoding_is_refused(postgres, admin):
    """It could hold no text but its own."""
    admin("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with told("encoding is LATIN1", "createdb --encoding UTF8"):
            open_store(postgres.url("latin"))
    finally:
        admin("DROP DATABASE latin")


def test_a_database_of_another_program_is_left_as_it_is(postgres_url, admin):
    """Also one that has the same names, and a table of Alembic."""
    url = postgres_url()
    name = schema_of(url)
    admin(f"CREATE TABLE {name}.runs (id int)")
    admin(f"CREATE TABLE {name}.alembic_version (version_num text)")
    admin(f"INSERT INTO {name}.alembic_version VALUES ('{schema.REVISIONS[-1]}')")
    for look in (open_store, check, upgrade, lambda url: open_store(url, read_only=True)):
        with told("holds tables, but isn't a store"):
            look(url)
    assert tables(admin, url) == ["alembic_version", "runs"]


def test_no_store_is_made_unless_wanted(postgres_url, admin):
    """An empty schema stays empty."""
    url = postgres_url()
    for look in (
        check,
        upgrade,
        lambda url: open_store(url, create=False),
        lambda url: open_store(url, read_only=True),
    ):
        with told("there is no store"):
            look(url)
    assert tables(admin, url) == []
    with told("search path names no schema"):
        open_store(url.replace(schema_of(url), "not_made"))


@pytest.mark.parametrize(
    ("revision", "words"),
    [("9999", ["newer version", "Upgrade fanwise"]), ("0001", ["older version", "db upgrade"])],
)
def test_a_store_of_another_version_is_refused(postgres_url, admin, revision, words):
    """It says which of both is to be upgraded."""
    url = postgres_url()
    open_store(url).close()
    admin(f"UPDATE {schema_of(url)}.alembic_version SET version_num = '{revision}'")
    for look in (open_store, lambda url: open_store(url, read_only=True)):
        with told(*words):
            look(url)


def test_a_server_that_is_too_old_is_refused(postgres_url, monkeypatch):
    """It lacks statements that a store needs."""
    monkeypatch.setattr(postgres_schema, "_OLDEST_SERVER", 990_000)
    with told("the server is PostgreSQL 1", "Use PostgreSQL 99 or later"):
        open_store(postgres_url())


def test_a_process_that_slept_through_an_upgrade_writes_nothing_more(postgres, postgres_url, admin):
    """Nor does it read: it notices as it connects anew."""
    url = postgres_url()
    with open_store(url) as store:
        store.create_run(a_run())
        admin(f"UPDATE {schema_of(url)}.alembic_version SET version_num = '9999'")
        postgres.end_sessions()
        for use in (store.run_ids, lambda: store.create_run(a_run("other"))):
            with told("upgraded to revision 9999", "Start it again") as caught:
                use()
            assert isinstance(caught.value, StoreUnusableError)
    with postgres.connect() as connection:
        (left,) = connection.execute(f"SELECT count(*) FROM {schema_of(url)}.runs").fetchall()
    assert left == (1,)


def test_a_store_on_a_server_that_takes_no_changes_is_only_read(postgres_url):
    """Such as a replica; what it was asked to change isn't tried again and again."""
    url = postgres_url()
    with open_store(url) as store:
        store.create_run(a_run())
    frozen = url.replace("options=", "options=-cdefault_transaction_read_only%3Don%20")
    with told("takes no changes", "Name the primary"):
        open_store(frozen)
    with open_store(frozen, read_only=True) as store:
        assert list(store.run_ids()) == ["run-1"]
        with pytest.raises(StoreError, match="for reading only"):
            store.create_run(a_run("other"))


# what happens later


def test_a_full_disk_is_told_and_a_statement_that_takes_too_long(postgres_url, admin):
    """Neither is a matter of a record, and both leave nothing of the commit."""
    url = postgres_url()
    name = schema_of(url)
    with open_store(url) as store:
        run_no = store.create_run(a_run())
        admin(
            f"CREATE FUNCTION {name}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'could not extend file: No space left on device'"
            " USING ERRCODE = '53100'; END $$"
        )
        admin(
            f"CREATE TRIGGER full_disk BEFORE INSERT ON {name}.items FOR EACH ROW"
            f" WHEN (NEW.idx = 99) EXECUTE FUNCTION {name}.fail()"
        )
        for few_or_many in ([an_item(run_no, 99)], [an_item(run_no, n) for n in range(100)]):
            with told("the disk of the server is full", "Free some space"):
                store.commit(few_or_many)
        assert list(store.items(run_no, 1)) == []
    slow = url.replace("options=", "options=-cstatement_timeout%3D100%20") + "&timeout=1m"
    with open_store(slow) as store, admin_lock(admin, f"{name}.items"):
        with told("cut a statement off", "statement_timeout"):
            store.items(run_no, 1)
        with told("cut a statement off", "statement_timeout"):
            store.commit([an_item(run_no, 1)])


def test_a_table_that_stays_locked_is_waited_for_as_long_as_the_url_says(postgres_url, admin):
    """The URL's `timeout` is that of SQLite."""
    url = postgres_url("timeout=100ms")
    with open_store(url) as store:
        run_no = store.create_run(a_run())
        with admin_lock(admin, f"{schema_of(url)}.items"), told("another session keeps it locked"):
            store.commit([an_item(run_no, 0)])
        store.commit([an_item(run_no, 0)])


def test_a_timeout_of_zero_waits_for_no_lock(postgres_url, admin):
    """To PostgreSQL itself a limit of 0 is none, and the caller would wait for ever."""
    url = postgres_url("timeout=0s").replace("options=", "options=-cstatement_timeout%3D5000%20")
    with open_store(url) as store:
        run_no = store.create_run(a_run())
        with admin_lock(admin, f"{schema_of(url)}.items"), told("another session keeps it locked"):
            store.commit([an_item(run_no, 0)])


@contextmanager
def admin_lock(admin: Callable[[str], object], table: str) -> Iterator[None]:
    admin("BEGIN")
    admin(f"LOCK TABLE {table}")
    yield
    admin("ROLLBACK")


def test_backslashes_that_mean_something_are_refused(postgres_url):
    """A server with strings of old could read other statements than are meant."""
    url = postgres_url().replace("options=", "options=-cstandard_conforming_strings%3Doff%20")
    with told("backslashes", "standard_conforming_strings"):
        open_store(url)


# what is said


def test_sessions_have_names(postgres_url, admin):
    """An administrator sees which of them is whose."""
    query = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE '%{}%'"
    with open_store(postgres_url()) as store:
        run_no = store.create_run(a_run())
        store.beat(1)
        store.commit([an_item(run_no, 0)])
        list(store.items(run_no, 1))
        names = {name for (name,) in admin(query.format("fanwise"))}
        assert names == {"fanwise journal", "fanwise control", "fanwise reader"}
    with open_store(postgres_url("application_name=night")) as store:
        store.create_run(a_run())
        names = {name for (name,) in admin(query.format("night"))}
        assert names == {"night journal", "night reader"}


def test_without_its_driver_the_command_to_install_it_is_told(monkeypatch):
    """Whatever is done with such a URL."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in [name for name in sys.modules if name.startswith("fanwise.stores.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    for use in (open_store, check, upgrade):
        with told("pip install 'fanwise[postgres]'"):
            use("postgresql://host/runs")


def test_a_command_ends_with_one_line_and_status_2(tmp_path):
    """No traceback, and no password."""
    url = f"postgresql://ada:{SECRET}@/runs?host={tmp_path}"
    done = subprocess.run(
        [sys.executable, "-m", "fanwise", "runs", "--store", url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "the server can't be reached" in done.stderr
    assert SECRET not in done.stderr


def test_the_driver_is_imported_for_such_a_url_only(tmp_path):
    """A store in a file costs nobody its import."""
    script = "import sys, fanwise.stores as s; s.open_store('a.db').close()\n"
    script += "assert not {'psycopg', 'sqlalchemy'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
