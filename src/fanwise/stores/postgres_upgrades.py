"""Bring a store on PostgreSQL to this version's schema with Alembic; imported only for that.

All revisions are one transaction, under the lock that a new store is made with. No copy is kept:
`pg_dump` makes one.
"""

from __future__ import annotations

from contextlib import closing
from typing import Final

import psycopg
from sqlalchemy import Connection, Text, create_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import StaticPool

from fanwise.errors import StoreError
from fanwise.stores import postgres_schema, schema
from fanwise.stores.postgres_errors import explained
from fanwise.stores.postgres_session import Session, connect
from fanwise.stores.postgres_text import TEXT
from fanwise.stores.store import PostgresPlace, Upgrade
from fanwise.stores.upgrades import driver_errors, run_revisions

_BEATING_S: Final = 30
"""The silence of an engine after which it is no longer at work."""

_AT_WORK: Final = (
    "SELECT count(*) FROM engines"
    f" WHERE beat_at > extract(epoch FROM clock_timestamp()) - {_BEATING_S}"
)


@compiles(Text, "postgresql")
def _bytewise(*_: object, **__: object) -> str:
    """The type of text in all revisions."""
    return TEXT


def upgrade_postgres(place: PostgresPlace) -> Upgrade:
    """Upgrade the store in a database; see `fanwise.stores.upgrade`."""
    newest = schema.REVISIONS[-1]
    try:
        with closing(Session(place.conninfo, "upgrade")) as session:
            postgres_schema.require_known(session, place)
            if postgres_schema.revision(session) == newest:
                return Upgrade(newest, newest, None)
            postgres_schema.require_writable(session, place)
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: connect(place.conninfo, "upgrade"),
            poolclass=StaticPool,
        )
        try:
            with driver_errors(), engine.begin() as connection:
                return Upgrade(_migrate(connection, place), newest, None)
        finally:
            engine.dispose()
    except psycopg.Error as error:
        raise explained(place.shown, error) from error


def _migrate(connection: Connection, place: PostgresPlace) -> str:
    """Run the revisions, and return the one before them."""
    connection.exec_driver_sql(place.limits_locks)
    connection.exec_driver_sql(postgres_schema.LOCK)
    revision = connection.exec_driver_sql(postgres_schema.REVISION).scalar_one()
    at_work = connection.exec_driver_sql(_AT_WORK).scalar_one()
    if at_work:
        raise StoreError(
            f"{place.shown}: processes are at work in the store ({at_work} in the last"
            f" {_BEATING_S} s).",
            hint="Wait until they have finished, or pause their runs.",
        )
    run_revisions(connection)
    return str(revision)
