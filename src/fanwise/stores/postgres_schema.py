"""The schema of a store in a PostgreSQL database: looked at, made, checked, and never guessed.

A store is known by the comment on Alembic's table, which any other program may have too. Nothing is
made in a schema that holds tables already, and nothing is changed but by `require` with `create`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fanwise.errors import NoStoreError, StoreError, StoreUnusableError
from fanwise.stores import schema
from fanwise.stores.postgres_errors import READ_ONLY
from fanwise.stores.postgres_session import Session
from fanwise.stores.postgres_text import definition, literal
from fanwise.stores.store import PostgresPlace

MARK: Final = "A store of fanwise: its revision"

_OLDEST_SERVER: Final = 150_000
LOCK: Final = f"SELECT pg_advisory_xact_lock({int.from_bytes(b'fanwise')})"
"""A statement that keeps others from making or upgrading a store until the transaction ends."""

REVISION: Final = "SELECT version_num FROM alembic_version"

_LOOK: Final = f"""
SELECT current_schema(), current_setting('server_encoding'),
    current_setting('server_version_num')::int, current_setting('transaction_read_only') = 'on',
    (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
        AND relnamespace = to_regnamespace(quote_ident(current_schema()))),
    obj_description(to_regclass(quote_ident(current_schema()) || '.alembic_version'), 'pg_class')
        = {literal(MARK)}
"""
_OURS: Final = ", ".join(literal(table.name) for table in schema.TABLES)
_SIZE: Final = f"""
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
WHERE relkind = 'r' AND relname IN ({_OURS})
    AND relnamespace = to_regnamespace(quote_ident(current_schema()))
"""
_INVALID: Final = """
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND NOT indisvalid
ORDER BY relname LIMIT 20
"""
_TABLES: Final = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = to_regnamespace(quote_ident(current_schema()))
"""


class _Found(NamedTuple):
    """The state of a database: its schema, and whether that is a store, or holds nothing."""

    name: str | None
    encoding: str
    server: int
    is_read_only: bool
    relations: int
    is_store: bool | None


def require(session: Session, place: PostgresPlace, *, create: bool) -> None:
    """Raise `StoreError` unless there is a store of this version; with `create`, make one."""
    found = _look(session, place)
    if found.is_store:
        _require_newest(revision(session), place)
        return
    _require_room(found, place)
    if not create:
        raise NoStoreError(
            f"{place.shown}: there is no store.", hint="Check the URL; the first run makes a store."
        )
    require_writable(session, place)
    _make(session, place)


def require_same(session: Session, place: PostgresPlace) -> None:
    """Raise `StoreUnusableError` unless the store, once of this version, still is."""
    if (found := revision(session)) != schema.REVISIONS[-1]:
        raise StoreUnusableError(
            f"{place.shown}: the store was upgraded to revision {found} while this process was"
            f" without a connection, and this version of fanwise uses {schema.REVISIONS[-1]}.",
            hint="Start it again, with the fanwise that has upgraded the store.",
        )


def require_known(session: Session, place: PostgresPlace) -> None:
    """Raise `StoreError` unless there is a store, of this version or an older one."""
    found = _look(session, place)
    if not found.is_store:
        _require_room(found, place)
        raise NoStoreError(f"{place.shown}: there is no store.", hint="Check the URL.")
    _require_not_newer(revision(session), place)


def require_writable(session: Session, place: PostgresPlace) -> None:
    """Raise `StoreError` if the server is a replica, or its sessions only read."""
    if _look(session, place).is_read_only:
        raise StoreError(
            f"{place.shown}: {READ_ONLY.cause}.",
            hint=READ_ONLY.remedy,
        )


def revision(session: Session) -> str:
    """The revision of the store's schema, or empty text before the first one."""
    rows, _ = session.run(REVISION)
    return str(rows[0][0]) if rows else ""


def damage(session: Session) -> tuple[str, ...]:
    """The tables that are missing, and the indexes that aren't valid."""
    found = []
    if revision(session) == schema.REVISIONS[-1]:  # an older store may have fewer tables
        rows, _ = session.run(_TABLES)
        tables = {name for (name,) in rows}
        found = [f"the table {t.name} is missing" for t in schema.TABLES if t.name not in tables]
    rows, _ = session.run(_INVALID)
    return (*found, *(f"the index {name} isn't valid: REINDEX it" for (name,) in rows))


def size_bytes(session: Session) -> int:
    """The size of the tables with all that belongs to them."""
    rows, _ = session.run(_SIZE)
    return int(rows[0][0])


def vacuum(session: Session, *, rewrite: bool) -> None:
    """Vacuum each table; with `rewrite`, write it again."""
    for table in schema.TABLES:
        # Not in a transaction, so each is a message of its own.
        session.run(f"VACUUM {'(FULL)' if rewrite else ''} {table.name}")


def _look(session: Session, place: PostgresPlace) -> _Found:
    rows, _ = session.run(_LOOK)
    found = _Found(*rows[0])
    if found.encoding != "UTF8":
        raise StoreError(
            f"{place.shown}: the database's encoding is {found.encoding}, and texts need UTF8.",
            hint="Make another one: createdb --encoding UTF8 --template template0 NAME",
        )
    if found.server < _OLDEST_SERVER:
        raise StoreError(
            f"{place.shown}: the server is PostgreSQL {found.server // 10_000}.",
            hint=f"Use PostgreSQL {_OLDEST_SERVER // 10_000} or later.",
        )
    if found.name is None:
        raise StoreError(
            f"{place.shown}: the search path names no schema that exists.",
            hint="Make the schema, or set search_path of the role or the database.",
        )
    return found


def _require_room(found: _Found, place: PostgresPlace) -> None:
    if found.relations:
        raise StoreError(
            f'{place.shown}: the schema "{found.name}" holds tables, but isn\'t a store.',
            hint="Name another database, or set search_path to a schema of its own.",
        )


def _require_not_newer(revision: str, place: PostgresPlace) -> None:
    if revision not in schema.REVISIONS:
        raise StoreError(
            f"{place.shown}: the store was made by a newer version of fanwise "
            f"(revision {revision}).",
            hint="Upgrade fanwise, or use another store with --store.",
        )


def _require_newest(revision: str, place: PostgresPlace) -> None:
    _require_not_newer(revision, place)
    if revision != schema.REVISIONS[-1]:
        raise StoreError(
            f"{place.shown}: the store was made by an older version of fanwise "
            f"(revision {revision}, this one uses {schema.REVISIONS[-1]}).",
            hint="Upgrade it: fanwise db upgrade",
        )


def _make(session: Session, place: PostgresPlace) -> None:
    session.run(f"BEGIN;{place.limits_locks};{LOCK}")
    if not _look(session, place).is_store:  # still: another process may have been faster
        statements = [text for table in schema.TABLES for text in definition(table)]
        statements += [
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
            f"COMMENT ON TABLE alembic_version IS {literal(MARK)}",
            f"INSERT INTO alembic_version VALUES ({literal(schema.REVISIONS[-1])})",
        ]
        session.send(statements, ())
    session.run("COMMIT")
