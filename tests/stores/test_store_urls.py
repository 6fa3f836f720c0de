"""Stores are named by URLs or paths; what isn't one is refused without repeating it."""

from __future__ import annotations

import pytest

from fanwise.errors import StoreError
from fanwise.stores import open_store
from fanwise.stores.store import PostgresPlace
from fanwise.stores.urls import StorePlace, parse


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("fanwise.db", StorePlace("fanwise.db", "normal")),
        ("/var/lib/fanwise.db", StorePlace("/var/lib/fanwise.db", "normal")),
        ("sqlite:///fanwise.db", StorePlace("fanwise.db", "normal")),
        ("sqlite:////var/lib/fanwise.db", StorePlace("/var/lib/fanwise.db", "normal")),
        ("sqlite:///a b.db?durability=full", StorePlace("a b.db", "full")),
        ("fanwise.db?durability=full", StorePlace("fanwise.db", "full")),
        ("fanwise.db?durability=normal", StorePlace("fanwise.db", "normal")),
        ("fanwise.db?timeout=1m30s", StorePlace("fanwise.db", "normal", 90.0)),
        ("fanwise.db?durability=full&timeout=0s", StorePlace("fanwise.db", "full", 0.0)),
    ],
)
def test_a_store_is_a_path_or_an_sqlite_url(url, place):
    """`sqlite:///` stands before a path, which is absolute if it begins with one more slash."""
    assert parse(url) == place


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (
            "postgresql://ada:hunter2@db.example.org:5433/runs",
            PostgresPlace(
                "postgresql://ada:hunter2@db.example.org:5433/runs",
                "postgresql://ada@db.example.org:5433/runs",
            ),
        ),
        (
            "postgres:///runs?host=/run/pg&wait=5m&password=hunter2&timeout=1m",
            PostgresPlace(
                "postgresql:///runs?host=/run/pg&password=hunter2",
                "postgresql:///runs?host=/run/pg",
                wait_s=300.0,
                timeout_s=60.0,
            ),
        ),
        (
            "postgresql://ada@[::1]:1,other/runs?sslmode=require",
            PostgresPlace(
                "postgresql://ada@[::1]:1,other/runs?sslmode=require",
                "postgresql://ada@[::1]:1,other/runs",
            ),
        ),
    ],
)
def test_a_database_is_a_url_of_libpq_with_settings_of_ours(url, place):
    """What is shown of it has no password and no setting."""
    assert parse(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        ":memory:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/fanwise.db",
        "mysql://me:hunter2@host/db",
        "postgresql://me:hunter2/x@host/db",
        "postgresql://me:x@hunter2@host/db",
        "postgresql://me:hunter2@host/db?wait=hunter2",
        "postgresql://me:hunter2@host/db?timeout=2d",
        "postgresql://me:hunter2@host/db?patience=hunter2",
        "postgresql://me:hunter2%zz@host/db",
        "postgresql://me:hunter2@host:port/db",
        "postgresql://me:hunter2@host/db?sslmode=hunter2",
        "fanwise.db?durability=some",
        "fanwise.db?timeout=hunter2",
        "fanwise.db?timeout=2d",
        "fanwise.db?patience=hunter2",
    ],
)
def test_other_urls_are_refused_with_a_hint(url):
    """The message says what would do, and repeats no password."""
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_a_relative_path_starts_at_the_current_folder(tmp_path, monkeypatch):
    """The store stays where it was opened, wherever the process goes afterwards."""
    monkeypatch.chdir(tmp_path)
    with open_store("fanwise.db") as store:
        monkeypatch.chdir("/")
        assert list(store.run_ids()) == []
    assert (tmp_path / "fanwise.db").exists()


def test_a_path_may_hold_any_characters(tmp_path):
    """What means something in a URL means nothing in a folder's name."""
    folder = tmp_path / "50% #1 ü &b=c"
    with open_store(f"{folder}/fanwise.db") as store:
        assert list(store.run_ids()) == []
    assert (folder / "fanwise.db").exists()
