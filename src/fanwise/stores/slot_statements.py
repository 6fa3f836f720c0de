"""The statements of limits across runs, once for SQLite and PostgreSQL. This module runs nothing.

A transaction that gives, frees or counts slots of a key locks the places in queues that it changes,
then the key's row in `bounds`, then leases, so that no two of them wait for each other. One that
changes the row of an engine, as it takes runs from it or for it, locks that before all of these.
Who holds a key's row takes further places only if they are free.
"""

from __future__ import annotations

from typing import Final

from fanwise.model import AGEING_S, Status

_SEEN_S: Final = 3.0
"""Seconds after its last look for which a process that waits for a slot has its turn."""

_FORGOTTEN_S: Final = 60.0

_OF_KEY: Final = "scope = :scope AND key = :key"
TURN: Final = f"fanwise_now() - {AGEING_S} * :priority"
"""The turn of a run that begins to wait, with which a ten minutes older one is equal to one more in
priority."""

_LOCK: Final = (
    "INSERT INTO bounds (scope, key, most) VALUES (:scope, :key, :most)"
    " ON CONFLICT (scope, key) DO UPDATE SET most = {most} RETURNING most"
)
LOCK_AS_BEFORE: Final = _LOCK.format(most="bounds.most")
LOCK_AND_SET: Final = _LOCK.format(most="excluded.most")
# The least of the queues is at the start of the index. For an EXISTS PostgreSQL may read the table
# until it meets such a row, and very many of other keys before it.
DELETE_BOUND: Final = (
    f"DELETE FROM bounds WHERE {_OF_KEY}"
    f" AND NOT EXISTS (SELECT 1 FROM slots WHERE {_OF_KEY})"
    f" AND NOT EXISTS (SELECT 1 FROM child_slots WHERE {_OF_KEY})"
    f" AND (SELECT min(queue) FROM submissions WHERE is_waiting AND {_OF_KEY}) IS NULL"
)

# The path of a run's own slot is empty.
_HELD: Final = (
    "SELECT run_no, '' AS path, scope, key FROM slots{of}"
    " UNION ALL SELECT run_no, path, scope, key FROM child_slots{of}"
)
HOLDERS: Final = (
    "SELECT held.run_no, runs.id, held.path"
    f" FROM ({_HELD.format(of=f' WHERE {_OF_KEY}')}) AS held"
    " JOIN runs ON runs.run_no = held.run_no ORDER BY held.run_no, held.path"
)
TAKE: Final = (
    "INSERT INTO slots (scope, key, run_no) VALUES (:scope, :key, :run_no)"
    " ON CONFLICT (scope, key, run_no) DO NOTHING"
)
FREE: Final = "DELETE FROM slots WHERE run_no = :run_no"
TAKE_CHILD: Final = (
    "INSERT INTO child_slots (run_no, path, scope, key, token)"
    " SELECT run_no, :path, :scope, :key, token FROM leases"
    " WHERE run_no = :run_no AND token = :token FOR SHARE"
)
FREE_CHILD: Final = (
    "DELETE FROM child_slots WHERE run_no = :run_no AND path = :path AND token = :token"
)
FREE_CHILDREN: Final = "DELETE FROM child_slots WHERE run_no = :run_no RETURNING scope, key"
_KEYS_OF_CHILDREN: Final = (
    "SELECT DISTINCT bounds.scope, bounds.key, bounds.most FROM child_slots JOIN bounds"
    " ON bounds.scope = child_slots.scope AND bounds.key = child_slots.key WHERE {of}"
)
_KEYS: Final = (
    "SELECT scope, key, most FROM submissions WHERE scope IS NOT NULL AND {of}"
    f" UNION {_KEYS_OF_CHILDREN}"
)
KEYS_OF_CHILDREN: Final = _KEYS_OF_CHILDREN.format(of="run_no = :run_no")
KEYS_OF_RUN: Final = _KEYS.format(of="run_no = :run_no")
KEYS_OF_ENGINE: Final = _KEYS.format(
    of="run_no IN (SELECT run_no FROM leases WHERE engine_no = :engine_no)"
)

# Runs that wait in queues

NEXT_QUEUE: Final = (
    f"SELECT min(queue) FROM submissions WHERE is_waiting AND {_OF_KEY} AND queue > :queue"
)
RELEASE: Final = (
    "UPDATE submissions SET is_held_back = FALSE WHERE run_no IN"
    " (SELECT run_no FROM submissions WHERE is_held_back AND run_no IN"
    f" (SELECT run_no FROM submissions WHERE is_waiting AND {_OF_KEY} AND queue = :queue"
    " AND NOT EXISTS (SELECT 1 FROM slots WHERE slots.run_no = submissions.run_no)"
    " ORDER BY turn, run_no LIMIT :free) FOR UPDATE SKIP LOCKED)"
)
HAS_SLOT: Final = "SELECT 1 FROM slots WHERE run_no = :run_no"
HOLD_BACK: Final = "UPDATE submissions SET is_held_back = TRUE WHERE run_no = :run_no"
BE_READY: Final = "UPDATE submissions SET is_held_back = FALSE WHERE run_no = :run_no"
_STARTED: Final = (
    "EXISTS (SELECT 1 FROM runs WHERE runs.run_no = submissions.run_no"
    " AND runs.started_at IS {is_null})"
)
REENTERING: Final = (
    f"SELECT run_no FROM submissions WHERE is_waiting AND {_OF_KEY}"
    f" AND {_STARTED.format(is_null='NOT NULL')} ORDER BY run_no LIMIT :most"
)
WAITING: Final = (
    f"SELECT run_no FROM submissions WHERE is_waiting AND {_OF_KEY} AND run_no != :run_no"
    f" AND {_STARTED.format(is_null='NULL')} ORDER BY run_no LIMIT :most FOR UPDATE SKIP LOCKED"
)
LEAVE_QUEUE: Final = "UPDATE submissions SET is_waiting = FALSE WHERE run_no = :run_no"
END_UNSTARTED: Final = (
    f"UPDATE runs SET status = '{Status.CANCELLED.value}', ended_at = fanwise_now(),"
    " error = :error WHERE run_no = :run_no"
)
ASK_TO_END: Final = (
    "INSERT INTO requests (run_no, kind, data) SELECT run_no, :kind, :data FROM leases"
    " WHERE run_no = :run_no AND engine_no IS NOT NULL FOR SHARE"
)

# Processes that wait for a slot

LINE_UP: Final = (
    "INSERT INTO waiters (scope, key, run_id, is_new, turn, seen_at)"
    f" VALUES (:scope, :key, :run_id, :is_new, {TURN}, fanwise_now()) RETURNING waiter_no"
)
SEE_WAITER: Final = "UPDATE waiters SET seen_at = fanwise_now() WHERE waiter_no = :waiter_no"
STEP_OUT: Final = "DELETE FROM waiters WHERE waiter_no = :waiter_no"
STEP_OUT_NEW: Final = f"DELETE FROM waiters WHERE {_OF_KEY} AND is_new"
FORGET_WAITERS: Final = f"DELETE FROM waiters WHERE seen_at < fanwise_now() - {_FORGOTTEN_S}"
_AHEAD: Final = (
    f"SELECT count(*) FROM waiters WHERE {_OF_KEY}"
    f" AND turn < {{turn}} AND seen_at > fanwise_now() - {_SEEN_S}"
)
AHEAD_OF_RUN: Final = _AHEAD.format(turn=":turn")
AHEAD_OF_WAITER: Final = _AHEAD.format(
    turn=f"coalesce((SELECT turn FROM waiters WHERE waiter_no = :waiter_no), {TURN})"
)
HAS_ROOM: Final = (
    f"SELECT (SELECT count(*) FROM ({_HELD.format(of=f' WHERE {_OF_KEY}')}) AS held) <"
    f" coalesce((SELECT most FROM bounds WHERE {_OF_KEY}), 1)"
)

# One more than `most` runs of a workflow that wait for an engine or, in a process, for a slot. It
# walks through an index of just the former.
FULL: Final = (
    "SELECT 1 FROM (SELECT run_no FROM (SELECT run_no FROM runs WHERE workflow = :workflow"
    f" AND status = '{Status.PENDING.value}' ORDER BY run_no LIMIT :most + 1) AS pending"
    " UNION ALL SELECT waiter_no FROM waiters WHERE scope = :workflow"
    f" AND seen_at > fanwise_now() - {_SEEN_S}) AS found LIMIT 1 OFFSET :most"
)

# Looking

BOUNDS: Final = "SELECT scope, key, most FROM bounds ORDER BY scope, key"
ALL_HOLDERS: Final = (
    f"SELECT held.scope, held.key, runs.id FROM ({_HELD.format(of='')}) AS held"
    " JOIN runs ON runs.run_no = held.run_no ORDER BY held.run_no, held.path"
)
COUNTS: Final = (
    "SELECT scope, key, count(*) FROM submissions WHERE is_waiting AND scope IS NOT NULL"
    " GROUP BY scope, key UNION ALL SELECT scope, key, count(*) FROM waiters"
    f" WHERE seen_at > fanwise_now() - {_SEEN_S} GROUP BY scope, key"
)

# Repeats

REPEAT: Final = (
    "INSERT INTO repeats (scope, key, run_no, until)"
    " VALUES (:scope, :key, :run_no, fanwise_now() + :for_s)"
    " ON CONFLICT (scope, key) DO UPDATE SET run_no = excluded.run_no, until = excluded.until"
    " WHERE repeats.until <= fanwise_now()"
    " OR NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_no = repeats.run_no) RETURNING run_no"
)
REPEATED: Final = (
    "SELECT runs.id FROM repeats JOIN runs ON runs.run_no = repeats.run_no"
    " WHERE repeats.scope = :scope AND repeats.key = :key"
)
STILL_REPEATED: Final = f"{REPEATED} AND repeats.until > fanwise_now()"
DELETE_REPEAT: Final = "DELETE FROM repeats WHERE run_no = :run_no"
