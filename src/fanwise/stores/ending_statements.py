"""The statements of ends of runs, once for SQLite and PostgreSQL. This module runs nothing.

An end is added without a number, by the transaction that ends its run. Numbers are given out later,
under a lock: so their order is that in which they can be read, and nobody who asks for those above
the last that he knows overlooks one.
"""

from __future__ import annotations

from typing import Final

from fanwise.model import INTERRUPTED, Status
from fanwise.stores.statements import LEASES

_KEPT_S: Final = 7 * 86_400.0
_OPEN: Final = f"('{Status.PENDING.value}', '{Status.RUNNING.value}')"
_TOKEN: Final = "coalesce((SELECT token FROM leases WHERE leases.run_no = :run_no), 0)"

# A run ends once under each of its leases, whatever is recorded of it afterwards.
RUN_ENDED: Final = (
    "INSERT INTO endings (run_no, token, status, ended_at)"
    f" VALUES (:run_no, {_TOKEN}, :status, coalesce(:ended_at, fanwise_now()))"
    " ON CONFLICT (run_no, token) DO NOTHING"
)
FIRE_FAILED: Final = (
    "INSERT INTO endings (fire_no, status, ended_at)"
    f" VALUES (:fire_no, '{Status.FAILED.value}', fanwise_now())"
)
INTERRUPT: Final = (
    "INSERT INTO endings (run_no, token, status, ended_at)"
    f" SELECT leases.run_no, leases.token, '{INTERRUPTED}', fanwise_now()"
    " FROM leases JOIN runs ON runs.run_no = leases.run_no"
    " WHERE leases.run_no = :run_no AND leases.token = :token AND leases.engine_no IS NOT NULL"
    f" AND runs.status IN {_OPEN} ON CONFLICT (run_no, token) DO NOTHING"
)
HELD: Final = (
    f"{LEASES} WHERE leases.engine_no IS NOT NULL AND EXISTS (SELECT 1 FROM runs"
    f" WHERE runs.run_no = leases.run_no AND runs.status IN {_OPEN})"
)

ANY_NEW: Final = "SELECT 1 FROM endings WHERE seen_no IS NULL LIMIT 1"
LAST: Final = "SELECT last_no FROM sequences WHERE name = 'endings'"
LOCK: Final = (
    "INSERT INTO sequences (name, last_no) VALUES ('endings', 0)"
    " ON CONFLICT (name) DO UPDATE SET last_no = sequences.last_no RETURNING last_no"
)
NUMBER: Final = (
    "UPDATE endings SET seen_no = :last_no + ranked.place FROM"
    " (SELECT ending_no, row_number() OVER (ORDER BY ending_no) AS place FROM endings"
    " WHERE seen_no IS NULL) AS ranked WHERE ranked.ending_no = endings.ending_no"
)
MOVE: Final = "UPDATE sequences SET last_no = :last_no WHERE name = 'endings'"
# An interruption is remembered as long as its run, or it would be told again.
FORGET: Final = (
    f"DELETE FROM endings WHERE seen_no IS NOT NULL AND ended_at < fanwise_now() - {_KEPT_S}"
    f" AND status != '{INTERRUPTED}'"
)

ENDINGS: Final = (
    "SELECT endings.seen_no, endings.run_no, endings.token, endings.fire_no,"
    " coalesce(runs.workflow, triggers.workflow), endings.status, endings.ended_at, runs.id,"
    " triggers.name, coalesce(fires.reason, ''), fires.facts FROM endings"
    " LEFT JOIN runs ON runs.run_no = endings.run_no"
    " LEFT JOIN fires ON fires.fire_no = endings.fire_no"
    " LEFT JOIN triggers ON triggers.trigger_no = fires.trigger_no"
    " WHERE endings.seen_no > :after"
    " AND (runs.run_no IS NOT NULL OR triggers.trigger_no IS NOT NULL)"
    " ORDER BY endings.seen_no LIMIT :most"
)
