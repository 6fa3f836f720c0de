"""What tests of several folders share: rewritten assertions, and a PostgreSQL server."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from uuid import uuid4

import hypothesis
import psycopg
import pytest
import typer.main

from benchmarks.postgres_server import PostgresServer, postgres_server
from fanwise.stores import Store, schema
from fanwise.stores.postgres_database import open_postgres
from fanwise.stores.store import PostgresPlace
from fanwise.stores.urls import parse

# Under nohup a process ignores Ctrl-C, and so do those that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No property is a timed test.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

pytest.register_assert_rewrite(
    "fanwise.testing.answers_contract",
    "fanwise.testing.executor_contract",
    "fanwise.testing.logs_contract",
    "fanwise.testing.ownership_contract",
    "fanwise.testing.queue_contract",
    "fanwise.testing.resuming_contract",
    "fanwise.testing.store_contract",
    "fanwise.testing.tiles_contract",
    "fanwise.testing.maintenance_contract",
)


@pytest.fixture(autouse=True, scope="session")
def _one_command_line() -> Iterator[None]:
    """Have Typer derive all commands from their functions once, and not for each call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that is started by the first test that wants one."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[Callable[..., str]]:
    """Makes URLs of empty schemas, each its own; they are gone after the test."""
    made: list[str] = []

    def url(query: str = "") -> str:
        made.append(f"store_{len(made)}")
        with postgres.connect() as connection:
            connection.execute(f"CREATE SCHEMA {made[-1]}")
        return postgres.url(query=f"options=-csearch_path%3D{made[-1]}{query and '&' + query}")

    yield url
    with postgres.connect() as connection:
        # A session that a failed test has left in a transaction holds nothing up.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        for name in made:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(scope="session")
def _emptied_stores() -> list[PostgresPlace]:
    """The stores of earlier tests, whose rows are deleted: that takes a tenth of making one."""
    return []


@pytest.fixture
def postgres_store(
    postgres: PostgresServer, _emptied_stores: list[PostgresPlace]
) -> Iterator[Callable[..., Store]]:
    """Opens empty stores, whose clock is the one given, and closes them after the test."""
    used: list[PostgresPlace] = []
    with ExitStack() as stores:

        def opened(now: Callable[[], float] | None = None) -> Store:
            used.append(_emptied_stores.pop() if _emptied_stores else _place(postgres))
            return stores.enter_context(open_postgres(used[-1], now=now))

        yield opened
    for place in used:
        with psycopg.connect(place.conninfo, autocommit=True) as connection:
            connection.execute(_EMPTY)
    _emptied_stores += used


_EMPTY = "".join(f"DELETE FROM {table.name};" for table in reversed(schema.TABLES)) + (
    "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"
    " JOIN pg_class ON pg_class.oid = seqrelid"
    " WHERE relnamespace = to_regnamespace(current_schema())"
)


def _place(postgres: PostgresServer) -> PostgresPlace:
    """A new schema."""
    name = f"kept_{uuid4().hex}"
    with postgres.connect() as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    place = parse(postgres.url(query=f"options=-csearch_path%3D{name}"))
    assert isinstance(place, PostgresPlace)
    return place
