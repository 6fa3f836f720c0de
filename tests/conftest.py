"""What tests of several folders share: rewritten assertions, and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from benchmarks.postgres_server import PostgresServer, postgres_server

pytest.register_assert_rewrite(
    "fanwise.testing.executor_contract",
    "fanwise.testing.ownership_contract",
    "fanwise.testing.resuming_contract",
    "fanwise.testing.store_contract",
    "fanwise.testing.maintenance_contract",
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that is started by the first test that wants one."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[Callable[..., str]]:
    """Makes URLs of empty schemas, each its own; they are gone after the test."""
    numbers = count()

    def url(query: str = "", user: str = "fanwise") -> str:
        name = f"store_{next(numbers)}"
        with postgres.connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return postgres.url(
            query=f"options=-csearch_path%3D{name}{query and '&' + query}", user=user
        )

    yield url
    made = [f"store_{number}" for number in range(next(numbers))]
    if made:
        with postgres.connect() as connection:
            # One that a failed test has left in a transaction holds nothing up.
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            connection.execute(f"DROP SCHEMA {', '.join(made)} CASCADE")
