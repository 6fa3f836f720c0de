"""Bring an older store to this version's schema with Alembic; imported only for that.

A store is upgraded by command only: an older version of fanwise that still uses it, on a schedule
perhaps, couldn't open it any more. The command has the store alone meanwhile, so that no process of
that version is at work on it, and keeps a copy to go back to.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from fanwise.stores import schema, sqlite_files
from fanwise.stores.sqlite_errors import explained
from fanwise.stores.store import TIMEOUT_S, Upgrade

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade_sqlite(path: str, *, keep_copy: bool = True, timeout_s: float = TIMEOUT_S) -> Upgrade:
    """Upgrade the store in the file at `path`; see `fanwise.stores.upgrade`."""
    place = Path(path).expanduser().absolute()
    newest = schema.REVISIONS[-1]
    if _is_newest(place, timeout_s):
        return Upgrade(newest, newest, None)  # also while others use the store
    writer = sqlite_files.open_writer(
        place, durability="full", create=False, timeout_s=timeout_s, to_upgrade=True
    )
    with closing(writer) as connection, explained(place):
        if _needs_nothing(connection):  # by now: another process has been faster
            return Upgrade(newest, newest, None)
        revision = sqlite_files.revision(connection)
        copy = _copy(connection, place, revision) if keep_copy else None
        try:
            migrate(connection)
        except BaseException:
            if copy is not None:
                copy.unlink()  # the store still is what this is a copy of
            raise
    return Upgrade(revision, newest, copy)


def _is_newest(place: Path, timeout_s: float) -> bool:
    mode = sqlite_files.reading_mode(place, timeout_s, to_upgrade=True)
    with explained(place), closing(sqlite_files.connect(place, mode, timeout_s)) as connection:
        sqlite_files.require_known(sqlite_files.revision(connection), place)
        return _needs_nothing(connection)


def _needs_nothing(connection: sqlite3.Connection) -> bool:
    return (
        sqlite_files.revision(connection) == schema.REVISIONS[-1]
        and sqlite_files.application_id(connection) == sqlite_files.APPLICATION_ID
    )


def _copy(connection: sqlite3.Connection, place: Path, revision: str) -> Path:
    """Copy the store into a new file beside it, which has its name only once it is whole."""
    names = (f"{place.name}.{revision or 'old'}.bak{number or ''}" for number in count())
    copy = next(path for name in names if not (path := place.with_name(name)).exists())
    part = place.with_name(f"{place.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with closing(sqlite3.connect(part)) as target:
            connection.backup(target)
        return part.rename(copy)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def migrate(connection: sqlite3.Connection) -> None:
    """Run the revisions that the database lacks, and name it, all in one transaction."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def begin(started: Connection) -> None:
        # The driver's connection begins transactions by statements only.
        started.exec_driver_sql("BEGIN IMMEDIATE")

    with driver_errors(), engine.begin() as started:
        run_revisions(started)
        started.exec_driver_sql(f"PRAGMA application_id = {sqlite_files.APPLICATION_ID}")


def run_revisions(connection: Connection) -> None:
    """Run the revisions that a database lacks, within the transaction of the connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def driver_errors() -> Iterator[None]:
    """Raise what the driver said, without the statement."""
    try:
        yield
    except DBAPIError as error:
        raise error.orig or error from error
