"""Queries that may take a span only, and are broken off after it, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from fanwise.errors import StoreError
from fanwise.stores import Store, sqlite_database, statements
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.records import a_run, an_event

ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT * FROM n WHERE i < 0 AND :run_id = :run_id"
)
SPAN_S = 0.02


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with ExitStack() as stores:
        if request.param == "sqlite":
            yield stores.enter_context(open_sqlite(tmp_path / "fanwise.db"))
        else:
            open_postgres: Callable[..., Store] = request.getfixturevalue("postgres_store")
            yield open_postgres()


def test_a_query_that_takes_longer_than_it_may_is_broken_off(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line with the place; later queries and changes find the store as it was."""
    with monkeypatch.context() as patched:
        patched.setattr(statements, "RUN", ENDLESS)
        with store.within(SPAN_S), pytest.raises(StoreError) as caught:
            store.run("a")
    assert caught.value.message.startswith(f"{store.place}: a query took longer than it may (")
    assert "\n" not in str(caught.value)
    assert "Ask for less" in caught.value.hint
    store.create_run(a_run("a"))
    assert store.run("a") is not None


def test_the_limit_holds_in_transactions_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as those of an export, of which each query has the whole span."""
    monkeypatch.setattr(statements, "RUN", ENDLESS)
    with store.within(SPAN_S), pytest.raises(StoreError, match="a query took longer"):
        list(store.export("a"))


def test_the_reader_of_an_export_may_take_longer_than_a_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row that it takes has the whole span."""
    clock = SimpleNamespace(monotonic=lambda: taken * 4.0)
    monkeypatch.setattr(sqlite_database, "_STEPS", 1)
    monkeypatch.setattr(sqlite_database, "time", clock)
    taken = 0
    with open_sqlite(tmp_path / "fanwise.db") as store:
        run_no = store.create_run(a_run("a"))
        store.commit([an_event(run_no, seq) for seq in range(1, 10)])
        with store.within(5):
            for _ in store.export("a"):
                taken += 1
    assert taken == 10


def test_a_limit_ends_with_its_block(store: Store) -> None:
    """On the same connection, which the next reader gets."""
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        " SELECT max(i) FROM n"
    )
    database = store._database  # type: ignore[attr-defined]
    with store.within(3_600):
        assert database.read(query) == [(300_000,)]
    with store.within(0), pytest.raises(StoreError, match="a query took longer"):
        database.read(query)
    assert database.read(query) == [(300_000,)]
