"""The statements of arrivals, once for SQLite and PostgreSQL. This module runs nothing."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from fanwise.model import DROPPED, EVENT, KEPT_ARRIVALS_S, WaitKind, WaitState
from fanwise.stores.database import Insert, Statement
from fanwise.stores.schema import deliveries, waits

MOST_ADDED: Final = 64
"""Arrivals that one statement adds."""

FORGET_EACH: Final = 100
_FORGOTTEN: Final = 1_000

GIVEN: Final = (
    *("source", "name", "id", "match_key", "sent_by"),
    *("depth", "refused", "is_new", "data"),
)
"""The columns of an arrival that a statement is given."""

_RECORD: Final = ("source", "name", "id", "at", "match_key", "sent_by", "depth", "data")
COLUMNS: Final = ", ".join(f"arrivals.{name}" for name in ("arrival_no", "refused", *_RECORD))
_TRIGGER: Final = "(SELECT trigger_no FROM triggers WHERE workflow = :workflow AND name = :name)"


@lru_cache(maxsize=MOST_ADDED)
def add(rows: int) -> Statement:
    """Add arrivals `source_0`, `name_0` and so on; the numbers and names of the new ones."""
    values = ", ".join(
        f"({', '.join(f':{column}_{row}' for column in GIVEN)}, fanwise_now())"
        for row in range(rows)
    )
    return (
        f"INSERT INTO arrivals ({', '.join(GIVEN)}, at) VALUES {values}"
        " ON CONFLICT (source, name, id) DO NOTHING RETURNING arrival_no, name, id"
    )


LISTENERS: Final = "SELECT trigger_no, listens FROM triggers WHERE listens IS NOT NULL"
TRIGGER_NO: Final = "SELECT trigger_no FROM triggers WHERE workflow = :workflow AND name = :name"
DELIVER: Final = Insert(deliveries)
SORT: Final = Insert(deliveries, replaces=deliveries.key)
DROP: Final = f"DELETE FROM deliveries WHERE trigger_no = :trigger_no AND batch_no = {DROPPED}"
TAKE_BATCH: Final = "DELETE FROM deliveries WHERE trigger_no = :trigger_no AND batch_no = :batch_no"
KEEP_EVENTS: Final = (
    f"INSERT INTO batch_events (run_no, idx, {', '.join(_RECORD)})"
    " SELECT CAST(:run_no AS BIGINT), row_number() OVER (ORDER BY arrivals.arrival_no) - 1,"
    f" {', '.join(f'arrivals.{name}' for name in _RECORD)} FROM deliveries"
    " JOIN arrivals ON arrivals.arrival_no = deliveries.arrival_no"
    " WHERE deliveries.trigger_no = :trigger_no AND deliveries.batch_no = :batch_no"
)

ONE: Final = f"SELECT {COLUMNS} FROM arrivals WHERE source = :source AND name = :name AND id = :id"
LATEST: Final = (
    f"SELECT name, max(at) FROM arrivals WHERE at > :after AND source = '{EVENT}'"
    " AND refused IS NULL GROUP BY name"
)
DELIVERED: Final = (
    f"SELECT {COLUMNS} FROM deliveries JOIN arrivals"
    " ON arrivals.arrival_no = deliveries.arrival_no"
    f" WHERE deliveries.trigger_no = {_TRIGGER} AND deliveries.batch_no IS NULL"
    " ORDER BY deliveries.arrival_no LIMIT :most"
)
GATHERED: Final = (
    f"SELECT {COLUMNS} FROM deliveries JOIN arrivals"
    " ON arrivals.arrival_no = deliveries.arrival_no"
    f" WHERE deliveries.trigger_no = {_TRIGGER} AND deliveries.batch_no = :batch_no"
    " ORDER BY deliveries.arrival_no LIMIT :most OFFSET :start"
)
_EVENT: Final = f"run_no, idx, {', '.join(_RECORD)}"
BATCH_EVENTS: Final = (
    f"SELECT {_EVENT} FROM batch_events"
    " WHERE run_no = :run_no AND idx >= :start AND idx < :stop ORDER BY idx"
)
EVENTS_OF_RUN: Final = f"SELECT {_EVENT} FROM batch_events WHERE run_no = :run_no ORDER BY idx"

# The oldest are forgotten, a few with every hundredth. One that gathers in a batch stays.
_OLD: Final = (
    f"SELECT arrival_no FROM arrivals WHERE at < fanwise_now() - {KEPT_ARRIVALS_S}"
    f" ORDER BY at LIMIT {_FORGOTTEN}"
)
FORGET: Final = (
    f"DELETE FROM deliveries WHERE batch_no IS NULL AND arrival_no IN ({_OLD})",
    f"DELETE FROM arrivals WHERE arrival_no IN ({_OLD}) AND NOT EXISTS"
    " (SELECT 1 FROM deliveries WHERE deliveries.arrival_no = arrivals.arrival_no)",
)

# Waits. The list of names is JSON text.

_NEW: Final = "FROM arrivals WHERE is_new ORDER BY arrival_no"
NEW: Final = f"SELECT {COLUMNS} {_NEW} LIMIT :most"
ANY_NEW: Final = f"SELECT 1 {_NEW}"
OFFERED: Final = "UPDATE arrivals SET is_new = FALSE WHERE arrival_no = :arrival_no"
_OPEN: Final = (
    f"waits.state = '{WaitState.OPEN.value}' AND waits.waits_for = '{WaitKind.SIGNAL.value}'"
)
WAITED_FOR: Final = f"SELECT DISTINCT run_no, names FROM waits WHERE {_OPEN} ORDER BY run_no"
_NOT_TAKEN: Final = (
    "NOT EXISTS (SELECT 1 FROM signals WHERE signals.run_no = :run_no"
    " AND signals.arrival_no = {arrival_no})"
)
WAIT_FOR: Final = (
    f"SELECT {', '.join(f'waits.{name}' for name in waits.columns)} FROM waits"
    f" WHERE waits.run_no = :run_no AND {_OPEN}"
    " AND (waits.match_key IS NULL OR waits.match_key = :match_key)"
    " AND replace(waits.names, :quoted, '') != waits.names"
    " AND :at >= CASE WHEN waits.takes_earlier THEN"
    " (SELECT created_at FROM runs WHERE runs.run_no = waits.run_no) ELSE waits.opened_at END"
    f" AND {_NOT_TAKEN.format(arrival_no=':arrival_no')}"
    " ORDER BY waits.opened_at, waits.path LIMIT 1"
)
TAKEN: Final = (
    "INSERT INTO signals (run_no, name, match_key, sent_at, sent_by, is_taken, payload, arrival_no)"
    " SELECT CAST(:run_no AS BIGINT), name, match_key, at, sent_by, TRUE, data, arrival_no"
    " FROM arrivals WHERE arrival_no = :arrival_no"
)


def earliest(names: int, *, has_key: bool) -> Statement:
    """The first event since a run began that has one of the names, and that it hasn't taken."""
    listed = ", ".join([f":name_{number}" for number in range(names)])
    key = " AND match_key = :match_key" if has_key else ""
    return (
        f"SELECT {COLUMNS} FROM arrivals WHERE source = '{EVENT}' AND name IN ({listed}){key}"
        " AND at >= (SELECT created_at FROM runs WHERE run_no = :run_no)"
        f" AND {_NOT_TAKEN.format(arrival_no='arrivals.arrival_no')} ORDER BY arrival_no LIMIT 1"
    )
