"""Opening a SQLite store: new ones are private, and what isn't a store is named and left alone."""

from __future__ import annotations

import os
import sqlite3
import stat
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fanwise.errors import StoreError, StoreUnusableError
from fanwise.stores import check, open_store
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.store_contract import a_run, an_item

FOREIGN_SCHEMA = "CREATE TABLE runs (id); INSERT INTO runs VALUES (1);"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def sqlite_file(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def test_a_new_store_and_its_folder_belong_to_their_owner_alone(tmp_path):
    """The file has mode 0600, the folder that was made for it 0700, and so have its companions."""
    path = tmp_path / "data" / "fanwise.db"
    with open_store(f"sqlite:///{path}") as store:
        store.create_run(a_run())
        assert mode(path.parent) == 0o700
        assert {mode(file) for file in path.parent.iterdir()} == {0o600}


def test_a_store_keeps_what_it_recorded(tmp_path):
    """A store that is closed and opened again reads the same, with nothing left beside its file."""
    path = tmp_path / "fanwise.db"
    with open_sqlite(path) as store:
        run_no = store.create_run(a_run())
        store.commit([an_item(run_no, 0)])
    assert list(contents(tmp_path)) == ["fanwise.db"]
    with open_sqlite(path) as store:
        assert store.run("run-1") == a_run(run_no=run_no)
        assert list(store.items(run_no, 1)) == [an_item(run_no, 0)]


def test_a_new_store_has_large_pages(tmp_path):
    """Several results of 1 KB share one."""
    path = tmp_path / "fanwise.db"
    open_sqlite(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (16_384,)


def test_the_size_of_pages_is_changed_with_the_sqlite3_shell(tmp_path):
    """As the documentation says; a store keeps its size of pages otherwise."""
    path = tmp_path / "fanwise.db"
    with open_sqlite(path) as store:
        store.create_run(a_run())
    for size in (4_096, 16_384):
        script = f"PRAGMA journal_mode = delete; PRAGMA page_size = {size}; VACUUM;"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.executescript(script)
        with open_sqlite(path) as store:
            assert list(store.run_ids()) == ["run-1"]
            store.vacuum(rewrite=True)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA page_size").fetchone() == (size,)
            assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_an_empty_file_becomes_a_store(tmp_path):
    """A file of zero bytes holds nothing that could be lost."""
    path = tmp_path / "fanwise.db"
    path.touch()
    with open_sqlite(path) as store:
        store.create_run(a_run())


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
@pytest.mark.parametrize("exists", [False, True])
def test_no_store_is_made_unless_wanted(tmp_path, options, exists):
    """Looking for a store that isn't there says so, and makes neither files nor folders."""
    path = tmp_path / "fanwise.db" if exists else tmp_path / "nowhere" / "fanwise.db"
    if exists:
        path.touch()
    before = contents(tmp_path)
    with pytest.raises(StoreError, match=r"there is no store|the file is empty") as caught:
        open_sqlite(path, **options)
    assert str(path) in str(caught.value)
    assert contents(tmp_path) == before
    assert path.exists() == exists


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda path: path.write_bytes(b"tasks: []\n"), "isn't a SQLite database"),
        (lambda path: path.write_bytes(b"\0" * 10_000), "isn't a SQLite database"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5_000), "SQLite"),
        (lambda path: sqlite_file(path, FOREIGN_SCHEMA), "not a store of fanwise"),
        (
            lambda path: sqlite_file(path, f"PRAGMA journal_mode = wal; {FOREIGN_SCHEMA}"),
            "not a store of fanwise",
        ),
        (lambda path: path.mkdir(), "is a folder"),
        (os.mkfifo, "isn't a regular file"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"read_only": True}])
def test_what_is_not_a_store_is_named_and_left_alone(tmp_path, make, cause, options):
    """The message says in one line which file, why, and what to do; no byte changes on the disk."""
    path = tmp_path / "fanwise.db"
    make(path)
    before = contents(tmp_path)
    with pytest.raises(StoreError, match=cause) as caught:
        open_sqlite(path, **options)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("version", "cause"),
    [("9999_from_tomorrow", "newer version of fanwise"), ("", "older version of fanwise")],
)
def test_a_store_of_another_version_says_which_program_is_to_be_upgraded(tmp_path, version, cause):
    """A newer store asks for a newer fanwise, an older one for the fanwise that made it."""
    path = tmp_path / "fanwise.db"
    open_sqlite(path).close()
    sqlite_file(
        path,
        f"DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('{version}');",
    )
    with pytest.raises(StoreError, match=cause) as caught:
        open_sqlite(path)
    assert caught.value.hint


def test_a_damaged_store_is_named(tmp_path):
    """A store whose pages are overwritten gives a `StoreError` when they are read."""
    path = tmp_path / "fanwise.db"
    with open_sqlite(path) as store:
        run_no = store.create_run(a_run())
        store.commit([an_item(run_no, index) for index in range(5_000)])
    data = path.read_bytes()
    path.write_bytes(data[:4_096] + b"\xa5" * (len(data) - 4_096))
    with pytest.raises(StoreError, match="damaged") as caught:
        open_sqlite(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("happens", "cause", "left"),
    [
        (lambda path: path.unlink(), "the file was removed while it was in use", []),
        (lambda path: path.with_name("copy").replace(path), "another file was put in", ["kept"]),
        (lambda path: path.with_name("runs.db-wal").unlink(), "runs.db-wal, a part", ["lost"]),
    ],
    ids=["removed", "replaced", "without its log"],
)
def test_a_store_whose_file_has_left_its_place_is_neither_read_nor_written(
    tmp_path, happens, cause, left
):
    """Whoever uses it hears why, and the file that is there now stays whole."""
    path, copy = tmp_path / "runs.db", tmp_path / "copy"
    with open_sqlite(copy) as store:
        store.create_run(a_run("kept"))
    store = open_sqlite(path)
    run_no = store.create_run(a_run("lost"))
    store.commit([an_item(run_no, index) for index in range(2_000)])
    happens(path)
    uses = (
        lambda: store.run("lost"),
        lambda: store.inbox(1),
        lambda: store.beat(1),
        lambda: store.commit([an_item(run_no, 2_000)]),
        lambda: store.create_run(a_run("new")),
    )
    for use in uses:
        with pytest.raises(StoreUnusableError, match=cause):
            use()
    store.close()
    with open_sqlite(path) as store:
        assert list(store.run_ids()) == left
    assert not check(str(path)).problems


def test_a_store_that_is_moved_takes_its_records_along(tmp_path):
    """What was committed is in the file that was opened, wherever that is by then."""
    path, moved = tmp_path / "runs.db", tmp_path / "moved.db"
    with open_sqlite(path) as store:
        store.create_run(a_run())
        path.rename(moved)
    with open_sqlite(moved, create=False) as store:
        assert list(store.run_ids()) == ["run-1"]


def test_a_store_opened_for_reading_refuses_to_write(tmp_path):
    """`read_only` reads everything and writes nothing."""
    path = tmp_path / "fanwise.db"
    with open_sqlite(path) as store:
        store.create_run(a_run())
        with open_sqlite(path, read_only=True) as reader:
            assert list(reader.run_ids()) == ["run-1"]
            with pytest.raises(StoreError, match="reading only"):
                reader.commit([])


def test_a_closed_store_says_so(tmp_path):
    """Neither reading nor writing works after `close`, which may be called again."""
    store = open_sqlite(tmp_path / "fanwise.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.run_ids()
    with pytest.raises(StoreError, match="closed"):
        store.commit([])


def test_what_may_not_be_written_can_still_be_read():
    """Without rights to write, opening says so at once, and a finished store can be read."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "fanwise.db"
        with open_sqlite(path) as store:
            store.create_run(a_run())
        path.chmod(0o444)
        folder.chmod(0o555)

        def check():
            with pytest.raises(StoreError, match="can't be written") as caught:
                open_sqlite(path)
            assert str(path) in str(caught.value)
            with open_sqlite(path, read_only=True) as store:
                assert list(store.run_ids()) == ["run-1"]

        try:
            without_privileges(check)
        finally:
            folder.chmod(0o755)


def without_privileges(check: Callable[[], None]) -> None:
    """Call `check` where the rights of files count, which they don't for the superuser."""
    if os.geteuid() != 0:
        check()
        return
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setuid(65_534)
            check()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
