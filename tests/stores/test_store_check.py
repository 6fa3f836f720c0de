"""Checking a store finds what is damaged, in the file and in its records, and changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fanwise.errors import StoreError
from fanwise.model import Status
from fanwise.stores import check, open_store, schema
from fanwise.stores.sqlite_files import APPLICATION_ID
from fanwise.testing.store_contract import LONG_RESULT, a_run, a_task, an_item


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a store with two runs, one of them with items, and long results."""
    path = tmp_path / "fanwise.db"
    with open_store(str(path)) as store:
        store.create_run(a_run("first", status=Status.FAILED))
        run_no = store.create_run(a_run("second", status=Status.SUCCEEDED))
        items = [an_item(run_no, index, label=f"no {index}") for index in range(3_000)]
        long = [an_item(run_no, 3_000, output=LONG_RESULT), a_task(run_no, output=LONG_RESULT)]
        store.commit([*items, *long])
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount


def test_a_store_that_is_all_right_has_no_problems(path):
    """The report has what a store is: its place, revision, size and runs."""
    before = path.read_bytes()
    report = check(f"sqlite:///{path}")
    assert report.problems == ()
    assert report.place == str(path)
    assert report.revision == report.newest == schema.REVISIONS[-1]
    assert report.size.total_bytes == len(before)
    assert report.runs == {Status.FAILED: 1, Status.SUCCEEDED: 1}
    assert report.leftovers == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "DELETE FROM payloads WHERE idx = 3000",
            "items without the result that they had in payloads: 1",
        ),
        (
            "DELETE FROM payloads WHERE idx = -1",
            "tasks without the result that they had in payloads: 1",
        ),
        ("UPDATE items SET status = 'lost' WHERE idx < 2", "items with a status that isn't one: 2"),
        ("UPDATE tasks SET status = 'lost'", "tasks with a status that isn't one: 1"),
        (
            "UPDATE runs SET status = 'lost' WHERE id = 'first'",
            "runs with a status that isn't one: 1",
        ),
    ],
)
def test_records_that_do_not_fit_together_are_a_problem(path, statement, problem):
    """A line says how many rows of which table, and what is wrong with them."""
    change(path, statement)
    (told,) = check(str(path)).problems
    assert told == problem


def test_rows_of_deleted_runs_are_leftovers_and_no_damage(path):
    """It is how many runs they are of, as long as nothing has swept them up."""
    with open_store(str(path)) as store:
        assert store.delete_run(next(store.ended_runs()))
        report = check(str(path))
        assert (report.leftovers, report.problems) == (1, ())
        list(store.delete_orphans())
        assert check(str(path)).leftovers == 0


def test_a_damaged_index_is_a_problem_and_no_value_is_told(path):
    """SQLite's own check goes through all of the file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = on")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'label', 'label2') WHERE name = 'items'"
        )
        connection.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master"
            " WHERE name = 'tasks_of_runs') WHERE name = 'items_not_succeeded'"
        )
    report = check(str(path))
    assert report.problems
    assert not any("no 1" in problem or "\n" in problem for problem in report.problems)
    assert report.runs == {}


def test_a_file_with_overwritten_pages_is_damaged(path):
    """Whether SQLite can still go through it or not."""
    data = path.read_bytes()
    page_bytes = int.from_bytes(data[16:18])  # of SQLite's header; a page begins with its own
    middle = len(data) // 2 // page_bytes * page_bytes
    path.write_bytes(data[:middle] + b"\xa5" * 8_192 + data[middle + 8_192 :])
    try:
        problems = check(str(path)).problems
    except StoreError as error:
        problems = (str(error),)
    assert problems


def test_of_an_older_store_only_the_file_is_checked(tmp_path):
    """Its records have another shape, and the report says which revision they have."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA application_id = {APPLICATION_ID}; VACUUM;")
    report = check(str(path))
    assert (report.revision, report.newest) == ("", schema.REVISIONS[-1])
    assert report.problems == ()


def test_a_newer_store_is_refused(path):
    """Its revision is one that this version doesn't know."""
    change(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version"):
        check(str(path))


def test_what_is_no_store_is_refused(tmp_path):
    """And nothing is made by looking for it."""
    with pytest.raises(StoreError, match="there is no store"):
        check(str(tmp_path / "fanwise.db"))
    assert list(tmp_path.iterdir()) == []
