"""What is asked of a store, once for SQLite and PostgreSQL.

Queries give their columns in the order that `fanwise.stores.rows` reads, and take their values by
the names of the ports' arguments. Filters are conditions by the same names, of which a query has
those that are given. Pages are sought by key, never by offset, so that the last page costs as much
as the first. This module makes statements and runs none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    tuple_,
    update,
)

from fanwise.model import RunRequest, Status
from fanwise.stores.rows import OWN, TAG_GAP
from fanwise.stores.schema import (
    alembic_version,
    events,
    items,
    leases,
    logs,
    not_succeeded,
    payloads,
    runs,
    sleeps,
    tags,
    tasks,
)


def _with_payloads(table: Table, idx: ColumnElement[int]) -> tuple[FromClause, ColumnElement[str]]:
    """`table` beside the payloads that its rows have, and the output wherever it stands."""
    key = and_(
        table.c.has_payload,
        payloads.c.run_no == table.c.run_no,
        payloads.c.visit_no == table.c.visit_no,
        payloads.c.idx == idx,
    )
    return table.outerjoin(payloads, key), func.coalesce(payloads.c.data, table.c.output)


_tasks, _task_output = _with_payloads(tasks, literal_column(str(OWN)))
_items, _item_output = _with_payloads(items, items.c.idx)


def _columns(table: Table, **instead: ColumnElement[Any] | None) -> list[ColumnElement[Any]]:
    """The table's columns with other expressions for some of them; None leaves one out."""
    columns = (instead.get(column.name, column) for column in table.columns)
    return [column for column in columns if column is not None]


_in_run = bindparam("run_no", type_=BigInteger)
_limit = bindparam("limit", type_=BigInteger)
_of_task = and_(items.c.run_no == _in_run, items.c.visit_no == bindparam("visit_no"))

_between = and_(tasks.c.path >= bindparam("first"), tasks.c.path < bindparam("last"))

VERSION = select(alembic_version.c.version_num)

_tags = (
    # As a bound value the gap would be known only when the query is run.
    select(func.aggregate_strings(tags.c.tag, literal_column(f"'{TAG_GAP}'")))  # type: ignore[arg-type]
    .where(tags.c.run_no == runs.c.run_no)
    .correlate(runs)
    .scalar_subquery()
)

RUN = select(_tags, *runs.columns).where(runs.c.id == bindparam("run_id"))

RUN_IDS = select(runs.c.id).order_by(runs.c.run_no.desc()).limit(_limit)

_newest_runs = (
    select(_tags, *_columns(runs, definition=None, output=None, origin=None))
    .order_by(runs.c.run_no.desc())
    .limit(_limit)
)
_since = select(runs.c.run_no).where(runs.c.created_at >= bindparam("since", type_=Double))
_run_filters: dict[str, ColumnElement[bool]] = {
    "status": runs.c.status == bindparam("status", type_=Text),
    "workflow": runs.c.workflow == bindparam("workflow", type_=Text),
    "since": runs.c.run_no.in_(_since.correlate(None)),
    "before": runs.c.run_no < bindparam("before", type_=BigInteger),
}


def runs_where(filters: Iterable[str], tag_count: int) -> Select[Any]:
    """The newest runs that the named filters let pass, and that have `tag_0`, `tag_1` and so on."""
    tagged = (
        select(tags.c.run_no).where(tags.c.tag == bindparam(f"tag_{number}", type_=Text))
        for number in range(tag_count)
    )
    return _newest_runs.where(
        *(_run_filters[name] for name in filters), *(runs.c.run_no.in_(each) for each in tagged)
    )


# As bound values the statuses would be expanded only when the query is run.
_open: list[ColumnElement[str]] = [
    literal_column(f"'{each}'") for each in (Status.PENDING, Status.RUNNING)
]
UNFINISHED = select(_tags, *runs.columns).where(runs.c.status.in_(_open)).order_by(runs.c.run_no)

TASKS = (
    select(*_columns(tasks, output=_task_output, has_payload=None))
    .select_from(_tasks)
    .where(tasks.c.run_no == _in_run, tasks.c.depth == literal_column("0"))
    .order_by(tasks.c.visit_no)
)

TASKS_WITHIN = (
    select(*_columns(tasks, output=_task_output, has_payload=None))
    .select_from(_tasks)
    .where(tasks.c.run_no == _in_run, _between, tasks.c.depth == bindparam("depth"))
    .order_by(tasks.c.visit_no)
)

LAST_TASK_NO = select(func.coalesce(func.max(tasks.c.visit_no), 0)).where(tasks.c.run_no == _in_run)

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
    .order_by(tasks.c.visit_no)
)
RUN_EVENTS = select(events).where(events.c.run_no == _in_run).order_by(events.c.seq)
RUN_ITEMS = (
    select(*_columns(items, output=_item_output, has_payload=None))
    .select_from(_items)
    .where(items.c.run_no == _in_run)
    .order_by(items.c.visit_no, items.c.idx)
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

RECORDED_INDEXES = select(items.c.idx).where(_of_task).order_by(items.c.idx)
RECORDED_ATTEMPTS = select(func.coalesce(func.sum(items.c.attempts), 0)).where(_of_task)
RECORDED_FAILURES = (
    select(items.c.status, func.count()).where(_of_task, not_succeeded).group_by(items.c.status)
)

_item_columns = _columns(items, output=_item_output, has_payload=None)
_page_of_items = (
    select(*_item_columns).select_from(_items).where(_of_task).order_by(items.c.idx).limit(_limit)
)
_is_after = items.c.idx > bindparam("after")
_has_status = items.c.status == bindparam("status", type_=Text)
_error, _label = bindparam("error", type_=Text), bindparam("label", type_=Text)
_item_filters: dict[str, ColumnElement[bool]] = {
    "error": func.substr(items.c.error, 1, func.length(_error)) == _error,
    # Not LIKE, for which `_` is any character, and an upper-case letter the same as a lower-case.
    "label": func.replace(items.c.label, _label, "") != items.c.label,
    "slower_s": items.c.duration_s > bindparam("slower_s", type_=Double),
    "until": items.c.idx <= bindparam("until", type_=BigInteger),
}

# A planner goes through all items by their primary key unless the small index is all it needs.
_not_succeeded = select(items.c.idx).where(_of_task, _is_after, _has_status, not_succeeded)


def items_where(status: Status | None, filters: Iterable[str]) -> Select[Any]:
    """A page of the items that have a status, if it is given, and that the filters let pass."""
    wanted = [_item_filters[name] for name in filters]
    if status is None:
        return _page_of_items.where(_is_after, *wanted)
    if status is Status.SUCCEEDED:
        return _page_of_items.where(_is_after, _has_status, *wanted)
    found = _not_succeeded.subquery("found")
    return (
        select(*_item_columns)
        .select_from(_items.join(found, found.c.idx == items.c.idx))
        .where(_of_task, *wanted)
        .order_by(found.c.idx)
        .limit(_limit)
    )


_totals: list[ColumnElement[Any]] = [func.count(), func.sum(items.c.duration_s)]
ITEM_TOTALS = select(*_totals).where(_of_task)

# Steps of the golden ratio are even, and no period in the items keeps in step with them.
_STEP, _ROUND = 2_654_435_769, 2**32
DURATIONS = select(items.c.duration_s).where(
    _of_task, (items.c.idx * _STEP) % _ROUND < bindparam("part", type_=Double) * _ROUND
)

SLOWEST_ITEMS = (
    select(*_columns(items, output=null(), error=null(), has_payload=None))
    .where(_of_task)
    .order_by(items.c.duration_s.desc(), items.c.idx)
    .limit(_limit)
)

_log_key = (logs.c.visit_no, logs.c.idx, logs.c.at, logs.c.attempt)
_item_of_log = and_(
    items.c.run_no == logs.c.run_no,
    items.c.visit_no == logs.c.visit_no,
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

RUN_SLEEPS = select(sleeps).where(sleeps.c.run_no == _in_run).order_by(sleeps.c.path)
SLEEP = RUN_SLEEPS.where(sleeps.c.path == bindparam("path"))

# What a commit takes back

DISCARD_ITEMS = delete(items).where(_of_task, not_succeeded)

_steps = select(tasks.c.visit_no).where(tasks.c.run_no == _in_run, _between).scalar_subquery()

# In this order: the tasks go last, since they say which rows of the others are meant.
DISCARD_STEPS = (
    delete(items).where(items.c.run_no == _in_run, items.c.visit_no.in_(_steps)),
    delete(payloads).where(payloads.c.run_no == _in_run, payloads.c.visit_no.in_(_steps)),
    delete(tasks).where(tasks.c.run_no == _in_run, _between),
)

_sleeps_between = and_(sleeps.c.path >= bindparam("first"), sleeps.c.path < bindparam("last"))

DISCARD_SLEEP = delete(sleeps).where(sleeps.c.run_no == _in_run, sleeps.c.path == bindparam("path"))
DISCARD_SLEEPS_WITHIN = delete(sleeps).where(sleeps.c.run_no == _in_run, _sleeps_between)

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
    .where(_leased, func.coalesce(leases.c.request, "") != RunRequest.CANCEL.value)
    .values(request=bindparam("asked"))
)
