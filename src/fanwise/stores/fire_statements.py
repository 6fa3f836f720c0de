"""The statements of triggers and fires, once for SQLite and PostgreSQL. This module runs nothing.

A transaction that changes a trigger locks its row first.
"""

from __future__ import annotations

from typing import Final

from fanwise.model import Status
from fanwise.stores.database import Insert, Statement
from fanwise.stores.schema import seen_files

KEPT_FIRES: Final = 1_000
"""The latest fires of a trigger, which are kept; older ones go, if nothing of them is open."""

_TRIGGER: Final = "workflow = :workflow AND name = :name"
_FIRES_OF: Final = f"trigger_no = (SELECT trigger_no FROM triggers WHERE {_TRIGGER})"
_OVER: Final = ", ".join(f"'{each.value}'" for each in Status if each.is_final)

TRIGGERS: Final = (
    "SELECT workflow, name, turn, fingerprint, decided_to, next_at, paused_at, note, last_at,"
    " last_status, EXISTS (SELECT 1 FROM fires WHERE fires.trigger_no = triggers.trigger_no"
    " AND fires.status = 'held'), coalesce(watches.taken_to, 0), coalesce(watches.trouble, ''),"
    " batches, EXISTS (SELECT 1 FROM deliveries"
    " WHERE deliveries.trigger_no = triggers.trigger_no AND deliveries.batch_no IS NULL)"
    " FROM triggers LEFT JOIN watches ON watches.trigger_no = triggers.trigger_no"
    " ORDER BY workflow, name"
)
NOW: Final = "SELECT fanwise_now()"
NEWEST: Final = (
    "SELECT max(at) FROM (SELECT max(created_at) AS at FROM runs"
    " UNION ALL SELECT max(beat_at) FROM engines"
    " UNION ALL SELECT max(decided_to) FROM triggers) AS times"
)
ADD: Final = (
    "INSERT INTO triggers (workflow, name, turn, fingerprint, decided_to, note)"
    " VALUES (:workflow, :name, 0, '', fanwise_now(), '') ON CONFLICT (workflow, name) DO NOTHING"
)
NEXT_TURN: Final = (
    f"UPDATE triggers SET turn = turn + 1 WHERE {_TRIGGER} AND turn = coalesce(:turn, turn)"
    " RETURNING trigger_no, turn, listens"
)
MOVE: Final = (
    "UPDATE triggers SET fingerprint = :fingerprint, decided_to = :decided_to, next_at = :next_at"
    " WHERE trigger_no = :trigger_no"
)
LISTEN: Final = "UPDATE triggers SET listens = :listens WHERE trigger_no = :trigger_no"
KEEP_BATCHES: Final = "UPDATE triggers SET batches = :batches WHERE trigger_no = :trigger_no"
LAST: Final = (
    "UPDATE triggers SET last_at = :last_at, last_status = :last_status"
    " WHERE trigger_no = :trigger_no AND coalesce(last_at, :last_at) <= :last_at"
)
PAUSE: Final = (
    "UPDATE triggers SET turn = turn + 1, paused_at = coalesce(paused_at, fanwise_now()),"
    f" note = :note WHERE {_TRIGGER}"
)
# Without a fingerprint it counts from the moment at which it is seen next.
RESUME: Final = (
    "UPDATE triggers SET turn = turn + 1, paused_at = NULL, note = '', next_at = decided_to,"
    " fingerprint = CASE WHEN CAST(:catches_up AS BOOLEAN) THEN fingerprint ELSE '' END"
    f" WHERE {_TRIGGER} AND paused_at IS NOT NULL"
)

# What has come in a pause is as unwanted as times in it.
FORGET_PAUSE: Final = (
    f"DELETE FROM deliveries WHERE {_FIRES_OF} AND batch_no IS NULL AND EXISTS"
    f" (SELECT 1 FROM triggers WHERE {_TRIGGER} AND paused_at IS NOT NULL)"
)

WATCH: Final = (
    "INSERT INTO watches (trigger_no, taken_to, trouble)"
    " VALUES (:trigger_no, coalesce(:taken_to, 0), coalesce(:trouble, ''))"
    " ON CONFLICT (trigger_no) DO UPDATE SET taken_to = coalesce(:taken_to, watches.taken_to),"
    " trouble = coalesce(:trouble, watches.trouble)"
)
SEEN: Final = (
    "SELECT path, size, mtime_ns, inode, since, is_taken, gone_at, ready_at, batch FROM seen_files"
    f" WHERE {_FIRES_OF}"
)
INSERT_SEEN: Final = Insert(seen_files, replaces=seen_files.key)
FORGET_FILE: Final = "DELETE FROM seen_files WHERE trigger_no = :trigger_no AND path = :path"
FORGET_FILES: Final = "DELETE FROM seen_files WHERE trigger_no = :trigger_no"

# A row comes back if the fire is new, or was held or refused.
FIRE: Final = (
    "INSERT INTO fires"
    " (trigger_no, key, at, first_at, n, status, reason, run_id, is_open, fired_at, facts)"
    " VALUES (:trigger_no, :key, :at, :first_at, :n, :status, :reason, NULL, :is_open,"
    " fanwise_now(), :facts)"
    " ON CONFLICT (trigger_no, key) DO UPDATE SET status = excluded.status,"
    " reason = excluded.reason, is_open = excluded.is_open, facts = excluded.facts,"
    " fired_at = excluded.fired_at WHERE fires.status IN ('held', 'refused') RETURNING fire_no"
)
HAS_RUN: Final = "UPDATE fires SET run_id = :run_id WHERE fire_no = :fire_no"
CLOSE: Final = (
    "UPDATE fires SET is_open = FALSE WHERE trigger_no = :trigger_no AND is_open"
    " AND status != 'held' AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = fires.run_id"
    f" AND runs.status NOT IN ({_OVER}))"
)
FORGET: Final = (
    "DELETE FROM fires WHERE trigger_no = :trigger_no AND NOT is_open AND fire_no <"
    " (SELECT fire_no FROM fires WHERE trigger_no = :trigger_no"
    f" ORDER BY fire_no DESC LIMIT 1 OFFSET {KEPT_FIRES - 1})"
)
TWINS: Final = "SELECT count(*) FROM runs WHERE id > :first AND id < :last"
_FIRES: Final = (
    "SELECT fire_no, key, at, first_at, n, status, reason, run_id, fired_at FROM fires"
    f" WHERE {_FIRES_OF}"
)
FIRE_OF: Final = f"{_FIRES} AND key = :key"
RUN_IDS: Final = (
    f"SELECT key, run_id FROM fires WHERE {_FIRES_OF} AND run_id IS NOT NULL"
    " AND key >= :first AND key <= :last"
)

OPEN: Final = (
    "SELECT fires.key, fires.at, fires.run_id, runs.status, fires.facts FROM fires"
    f" LEFT JOIN runs ON runs.id = fires.run_id WHERE fires.is_open AND fires.{_FIRES_OF}"
    f" AND (fires.status = 'held' OR runs.status NOT IN ({_OVER})) ORDER BY fires.fire_no"
)

# Runs that are to be cancelled: asked for once if an engine drives them, ended if none has begun.
RUN_NO: Final = "SELECT run_no FROM runs WHERE id = :run_id"
ASK_ONCE: Final = (
    "INSERT INTO requests (run_no, kind, data) SELECT run_no, :kind, :data FROM leases"
    " WHERE run_no = :run_no AND engine_no IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM requests WHERE requests.run_no = :run_no AND requests.kind = :kind)"
)


def fires_of(statuses: int) -> Statement:
    """The latest fires of a trigger, of any status or of `status_0`, `status_1` and so on."""
    names = ", ".join([f":status_{number}" for number in range(statuses)])
    of_these = f" AND status IN ({names})" if statuses else ""
    return f"{_FIRES} AND fire_no < :before{of_these} ORDER BY fire_no DESC LIMIT :most"
