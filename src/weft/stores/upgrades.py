"""Bring an older store to this version's schema with Alembic; imported only for that."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from weft.stores import sqlite_files
from weft.stores.schema import REVISIONS
from weft.stores.sqlite_errors import explained

_TIMEOUT_S = 10.0
MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade_sqlite(path: str) -> bool:
    """Upgrade the store in the file at `path`; return whether it was an older one."""
    place = Path(path).expanduser().absolute()
    with (
        closing(
            sqlite_files.open_writer(place, durability="full", create=False, timeout_s=_TIMEOUT_S)
        ) as connection,
        explained(place),
    ):
        revision = sqlite_files.version(connection)
        sqlite_files.require_known(revision, place)
        if revision == REVISIONS[-1]:
            return False
        migrate(connection)
    return True


def migrate(connection: sqlite3.Connection) -> None:
    """Run the revisions that the database lacks, all of them in one transaction."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def begin(started: Connection) -> None:
        # The driver's connection begins transactions by statements only.
        started.exec_driver_sql("BEGIN IMMEDIATE")

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.begin() as started:
            config.attributes["connection"] = started
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise error.orig or error from error  # what the driver said, without the statement
