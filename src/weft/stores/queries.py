"""What is asked of a store, once for SQLite and PostgreSQL.

Queries give their columns in the order that `weft.stores.rows` reads, and take their values by the
names of the ports' arguments. Pages are sought by key, never by offset, so that the last page costs
as much as the first. This module makes statements and runs none.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    FromClause,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from weft.model import Request, Status
from weft.stores.rows import OWN
from weft.stores.schema import (
    alembic_version,
    events,
    items,
    leases,
    logs,
    not_succeeded,
    payloads,
    runs,
    tasks,
)


def _with_payloads(table: Table, idx: ColumnElement[int]) -> tuple[FromClause, ColumnElement[str]]:
    """`table` beside the payloads that its rows have, and the output wherever it stands."""
    key = and_(
        table.c.has_payload,
        payloads.c.run_no == table.c.run_no,
        payloads.c.task_no == table.c.task_no,
        payloads.c.idx == idx,
    )
    return table.outerjoin(payloads, key), func.coalesce(payloads.c.data, table.c.output)


_tasks, _task_output = _with_payloads(tasks, literal_column(str(OWN)))
_items, _item_output = _with_payloads(items, items.c.idx)


def _columns(table: Table, **instead: ColumnElement[str] | None) -> list[ColumnElement[Any]]:
    """The table's columns with other expressions for some of them; None leaves one out."""
    columns = (instead.get(column.name, column) for column in table.columns)
    return [column for column in columns if column is not None]


_in_run = bindparam("run_no", type_=BigInteger)
_limit = bindparam("limit", type_=BigInteger)
_of_task = and_(items.c.run_no == _in_run, items.c.task_no == bindparam("task_no"))

_between = and_(tasks.c.path >= bindparam("first"), tasks.c.path < bindparam("last"))

VERSION = select(alembic_version.c.version_num)

RUN = select(runs).where(runs.c.id == bindparam("run_id"))

RUN_IDS = select(runs.c.id).order_by(runs.c.run_no.desc()).limit(_limit)

RUNS = (
    select(*_columns(runs, definition=None, output=None, origin=None))
    .order_by(runs.c.run_no.desc())
    .limit(_limit)
)

UNFINISHED = (
    select(runs)
    .where(runs.c.status.in_([Status.PENDING.value, Status.RUNNING.value]))
    .order_by(runs.c.run_no)
)

TASKS = (
    select(*_columns(tasks, output=_task_output, has_payload=None))
    .select_from(_tasks)
    .where(tasks.c.run_no == _in_run, tasks.c.depth == literal_column("0"))
    .order_by(tasks.c.task_no)
)

TASKS_WITHIN = (
    select(*_columns(tasks, output=_task_output, has_payload=None))
    .select_from(_tasks)
    .where(tasks.c.run_no == _in_run, _between, tasks.c.depth == bindparam("depth"))
    .order_by(tasks.c.task_no)
)

LAST_TASK_NO = select(func.coalesce(func.max(tasks.c.task_no), 0)).where(tasks.c.run_no == _in_run)

BEGUN_ITEMS = select(tasks.c.path).where(tasks.c.run_no == _in_run, _between)

EVENTS = (
    select(events)
    .where(events.c.run_no == _in_run, events.c.seq > bindparam("after"))
    .order_by(events.c.seq)
    .limit(_limit)
)

# A whole run, for exports: `TASKS` and its like are pages for people.
RUN_TASKS = (
    select(*_columns(tasks, output=_task_output, has_payload=None))
    .select_from(_tasks)
    .where(tasks.c.run_no == _in_run)
    .order_by(tasks.c.task_no)
)
RUN_EVENTS = select(events).where(events.c.run_no == _in_run).order_by(events.c.seq)
RUN_ITEMS = (
    select(*_columns(items, output=_item_output, has_payload=None))
    .select_from(_items)
    .where(items.c.run_no == _in_run)
    .order_by(items.c.task_no, items.c.idx)
)

OUTPUTS = (
    select(items.c.idx, _item_output)
    .select_from(_items)
    .where(
        _of_task,
        items.c.idx >= bindparam("start"),
        items.c.idx < bindparam("stop"),
        or_(items.c.output.is_not(None), items.c.has_payload),
    )
    .order_by(items.c.idx)
)

RECORDED_ITEMS = select(items.c.idx, items.c.status, items.c.attempts).where(_of_task)

_page_of_items = (
    select(*_columns(items, output=_item_output, has_payload=None))
    .select_from(_items)
    .where(_of_task)
    .order_by(items.c.idx)
    .limit(_limit)
)
_is_after = items.c.idx > bindparam("after")
_has_status = items.c.status == bindparam("status")

# A planner goes through all items by their primary key unless the small index is all it needs.
_not_succeeded_indexes = (
    select(items.c.idx)
    .where(_of_task, _is_after, _has_status, not_succeeded)
    .order_by(items.c.idx)
    .limit(_limit)
    .correlate(None)
)

ITEMS = _page_of_items.where(_is_after)
SUCCEEDED_ITEMS = ITEMS.where(_has_status)
OTHER_ITEMS = _page_of_items.where(items.c.idx.in_(_not_succeeded_indexes))

_log_key = (logs.c.task_no, logs.c.idx, logs.c.at, logs.c.attempt)
_item_of_log = and_(
    items.c.run_no == logs.c.run_no,
    items.c.task_no == logs.c.task_no,
    items.c.idx == logs.c.idx,
)
_under = bindparam("under", type_=Text)
# Not LIKE: names may hold its `_`, and it takes upper and lower case for the same.
_beginning = func.substr(logs.c.path, 1, func.length(_under) + 1)

RUN_LOGS = (
    select(logs, items.c.label)
    .select_from(logs.outerjoin(items, _item_of_log))
    .where(logs.c.run_no == _in_run)
    .order_by(*_log_key)
)
LOGS = RUN_LOGS.where(
    tuple_(*_log_key) > tuple_(*[bindparam(column.name) for column in _log_key])
).limit(_limit)
LOGS_UNDER = LOGS.where(
    or_(logs.c.path == _under, _beginning.in_([_under.concat("."), _under.concat("[")]))
)

# What a commit takes back

DISCARD_ITEMS = delete(items).where(_of_task, not_succeeded)

_steps = select(tasks.c.task_no).where(tasks.c.run_no == _in_run, _between).scalar_subquery()

# In this order: the tasks go last, since they say which rows of the others are meant.
DISCARD_STEPS = (
    delete(items).where(items.c.run_no == _in_run, items.c.task_no.in_(_steps)),
    delete(payloads).where(payloads.c.run_no == _in_run, payloads.c.task_no.in_(_steps)),
    delete(tasks).where(tasks.c.run_no == _in_run, _between),
)

# Leases

_leased = leases.c.run_no == _in_run
_token = bindparam("token", type_=BigInteger)
_now = bindparam("now", type_=Double)
_is_held = and_(_leased, leases.c.token == _token, leases.c.owner.is_not(None))

LEASE = select(leases).where(_leased)

UNLEASED = select(runs.c.run_no).where(
    runs.c.run_no == _in_run, runs.c.run_no.not_in(select(leases.c.run_no))
)

TAKE_LEASE = (
    update(leases)
    .where(_leased, leases.c.token == _token)
    .values(
        token=leases.c.token + 1,
        owner=bindparam("owner"),
        ran_s=leases.c.ran_s + leases.c.beat_at - leases.c.taken_at,
        taken_at=_now,
        beat_at=_now,
        request=None,
    )
)

RENEW_LEASE = update(leases).where(_is_held).values(beat_at=_now)

RELEASE_LEASE = update(leases).where(_is_held).values(beat_at=_now, owner=None)

REQUEST = (
    update(leases)
    .where(_leased, func.coalesce(leases.c.request, "") != Request.CANCEL.value)
    .values(request=bindparam("asked"))
)
