"""What keeps a store in order asks and deletes, once for SQLite and PostgreSQL.

Tables are those of the schema that hold rows of runs, whichever there are, so that a new one is
swept and checked as well. This module makes statements and runs none.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Delete,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    tuple_,
)

from fanwise.model import Status
from fanwise.stores.rows import OWN
from fanwise.stores.schema import items, leases, metadata, payloads, runs, tasks

_in_run = bindparam("run_no", type_=BigInteger)
_limit = bindparam("limit", type_=BigInteger)

TABLES = tuple(
    table for table in metadata.sorted_tables if "run_no" in table.columns and table is not runs
)
"""The tables with rows of runs, all but `runs` itself."""


def _is_any(column: Column[str], statuses: list[Status]) -> ColumnElement[bool]:
    return column.in_([literal_column(f"'{status}'") for status in statuses])


ENDED_RUNS = (
    select(
        runs.c.run_no,
        runs.c.id,
        runs.c.workflow,
        runs.c.status,
        func.coalesce(runs.c.ended_at, runs.c.started_at, runs.c.created_at),
    )
    .where(
        runs.c.run_no < bindparam("before", type_=BigInteger),
        ~_is_any(runs.c.status, [Status.PENDING, Status.RUNNING]),
    )
    .order_by(runs.c.run_no.desc())
    .limit(_limit)
)

DELETE_RUN = delete(runs).where(
    runs.c.run_no == _in_run,
    runs.c.id == bindparam("run_id"),
    runs.c.status == bindparam("status"),
)

DELETE_LEASE = delete(leases).where(leases.c.run_no == _in_run)

RUN_COUNTS = select(runs.c.status, func.count()).group_by(runs.c.status)


def left_runs(table: Table) -> Select[Any]:
    """The numbers in `table` of runs that are in `runs` no more.

    It seeks from number to number, so it takes as long as there are runs, not rows.
    """
    seek = select(func.min(table.c.run_no).label("number")).cte("seek", recursive=True)
    following = select(func.min(table.c.run_no)).where(table.c.run_no > seek.c.number)
    seek = seek.union_all(select(following.scalar_subquery()).where(seek.c.number.is_not(None)))
    return select(seek.c.number).where(seek.c.number.is_not(None), ~_is_recorded(seek.c.number))


def delete_some(table: Table) -> Delete:
    """Delete at most `limit` rows of a run from `table`, if the run is in `runs` no more."""
    key = tuple(table.primary_key.columns)
    some = select(*key).where(table.c.run_no == _in_run).limit(_limit)
    return delete(table).where(tuple_(*key).in_(some), ~_is_recorded(_in_run))


def _is_recorded(number: ColumnElement[int]) -> ColumnElement[bool]:
    return exists().where(runs.c.run_no == number).correlate_except(runs)


def lost_payloads(table: Table) -> Select[Any]:
    """How many rows of `items` or `tasks` say that they have a payload, and have none."""
    idx = items.c.idx if table is items else literal_column(str(OWN))
    key = and_(
        payloads.c.run_no == table.c.run_no,
        payloads.c.visit_no == table.c.visit_no,
        payloads.c.idx == idx,
    )
    return (
        select(func.count())
        .select_from(table.outerjoin(payloads, key))
        .where(table.c.has_payload, payloads.c.run_no.is_(None))
    )


def unknown_statuses(table: Table) -> Select[Any]:
    """How many rows of `table` have a status that isn't one."""
    return select(func.count()).select_from(table).where(~_is_any(table.c.status, [*Status]))


LOST_PAYLOADS = {table.name: lost_payloads(table) for table in (tasks, items)}
UNKNOWN_STATUSES = {table.name: unknown_statuses(table) for table in (runs, tasks, items)}
