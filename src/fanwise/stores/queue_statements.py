"""The statements of the queues, once for SQLite and PostgreSQL. This module runs nothing.

Transactions that change both lock a run's place in its queue before its lease, so that no two of
them wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fanwise.model import Status
from fanwise.stores.arrival_statements import ANY_NEW
from fanwise.stores.database import Statement
from fanwise.stores.slot_statements import TURN
from fanwise.stores.wait_statements import RUNS_WITH_DUE

_OPEN: Final = "({})".format(", ".join(f"'{each.value}'" for each in Status if not each.is_final))
_REENTRY_S: Final = 1e12
_NO_PROGRESS: Final = "('RunStarted', 'RunResumed', 'PauseRequested', 'RunParked', 'TaskPaused')"
"""Kinds of events that each try of a run may record, however little it does."""

# Each part is read at the end of an index. Items come to an end about in the order of their
# indexes, so the last one of the last visit moves while a fan-out does.
_PROGRESS: Final = (
    "(SELECT count(*) FROM events WHERE events.run_no = submissions.run_no"
    f" AND events.kind NOT IN {_NO_PROGRESS})"
    " || '/' || coalesce((SELECT tasks.visit_no FROM tasks"
    " WHERE tasks.run_no = submissions.run_no AND tasks.ended_at IS NOT NULL"
    " ORDER BY tasks.visit_no DESC LIMIT 1), 0)"
    " || '/' || coalesce((SELECT items.idx FROM items WHERE items.run_no = submissions.run_no"
    " ORDER BY items.visit_no DESC, items.idx DESC LIMIT 1), -1)"
)

LOCK_SUBMISSION: Final = "SELECT run_no FROM submissions WHERE run_no = :run_no FOR UPDATE"
TAKE_SUBMISSION: Final = (
    f"UPDATE submissions SET is_waiting = FALSE, progress = {_PROGRESS} WHERE run_no = :run_no"
)
TAKE_BY_HAND: Final = (
    f"UPDATE submissions SET is_waiting = FALSE, progress = {_PROGRESS}, tries = 0, tried_by = '',"
    " ordered = NULL"
    " WHERE run_no = :run_no"
)
WAITS_UNSTARTED: Final = (
    "SELECT submissions.run_no FROM submissions JOIN runs ON runs.run_no = submissions.run_no"
    " WHERE submissions.run_no = :run_no AND is_waiting AND runs.started_at IS NULL"
)
DELETE_SUBMISSION: Final = "DELETE FROM submissions WHERE run_no = :run_no"

# No row comes back if the key is known.
ADD: Final = (
    "INSERT INTO submissions"
    " (run_no, queue, priority, once, is_waiting, since, tries, why, tried_by, progress, turn,"
    " scope, key, most, is_held_back)"
    " VALUES (:run_no, :queue, :priority, :once, TRUE, fanwise_now(), 0, '', '', '',"
    f" {TURN}, :scope, :key, :most, :is_held_back)"
    " ON CONFLICT (once) DO NOTHING RETURNING run_no"
)
HAS_KEY: Final = (
    "SELECT runs.id FROM submissions JOIN runs ON runs.run_no = submissions.run_no"
    " WHERE submissions.once = :once"
)

_IS_ORDERED: Final = (
    "(ordered IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events"
    " WHERE events.run_no = submissions.run_no AND events.seq > submissions.ordered_after))"
)
"""The condition of an order that holds: no event has been recorded since it was given."""

_COLUMNS: Final = (
    "submissions.run_no, queue, priority, once, is_waiting, since, tries, why, tried_by,"
    f" is_held_back, CASE WHEN {_IS_ORDERED} THEN ordered END"
)
_READY: Final = "is_waiting AND NOT is_held_back"

# PostgreSQL may answer an EXISTS for very many rows at once, by reading the whole table, although
# a LIMIT ends the query after the first ones. It looks up a value for each row that it meets.
_RUN_STATUS: Final = "(SELECT status FROM runs WHERE runs.run_no = submissions.run_no)"
_ENGINE: Final = "(SELECT engine_no FROM leases WHERE leases.run_no = submissions.run_no)"


def submissions_of(run_nos: Sequence[int]) -> Statement:
    """The places of runs."""
    return f"SELECT {_COLUMNS} FROM submissions WHERE run_no IN ({', '.join(map(str, run_nos))})"


def has_work(queues: int) -> Statement:
    """A row if a run waits for an engine in one of the queues `queue_0`, `queue_1` and so on.

    Or if an event has come, or a wait of a waiting run is due.
    """
    names = ", ".join([f":queue_{number}" for number in range(queues)])
    # Without an index's order PostgreSQL hopes to meet such a row soon, and reads other queues.
    looks = (
        f"SELECT 1 FROM submissions WHERE {_READY} AND queue IN ({names})"
        " ORDER BY queue, turn, run_no",
        ANY_NEW,
        RUNS_WITH_DUE,
    )
    found = " OR ".join([f"({look} LIMIT 1) IS NOT NULL" for look in looks])
    return f"SELECT 1 WHERE {found}"


# Along the index; its order keeps PostgreSQL from reading the whole table.
COUNT_READY: Final = (
    f"SELECT count(*) FROM (SELECT 1 FROM submissions WHERE {_READY}"
    " ORDER BY queue, turn, run_no LIMIT :most) AS found"
)

BEST: Final = (
    f"SELECT {_COLUMNS}, scope, key, most, turn FROM submissions WHERE {_READY} AND queue = :queue"
    f" AND {_ENGINE} IS NULL AND ({_RUN_STATUS} = '{Status.PENDING.value}' OR {_IS_ORDERED})"
    " ORDER BY turn, run_no LIMIT :most FOR UPDATE SKIP LOCKED"
)
TAKE_LEASE: Final = (
    "INSERT INTO leases (run_no, token, engine_no, taken_at, ran_s)"
    " VALUES (:run_no, 1, :engine_no, fanwise_now(), 0.0) ON CONFLICT (run_no) DO UPDATE"
    " SET token = leases.token + 1, engine_no = excluded.engine_no, taken_at = excluded.taken_at"
    " WHERE leases.engine_no IS NULL"
)

# A run that an engine has begun comes before all others.
_WAIT: Final = (
    "UPDATE submissions SET is_waiting = TRUE, since = fanwise_now(), why = :why,"
    f" turn = turn - {_REENTRY_S}, is_held_back = scope IS NOT NULL"
)
_MAY_WAIT: Final = f"({_RUN_STATUS} IN {_OPEN} OR {_IS_ORDERED})"
WAIT_AGAIN: Final = f"{_WAIT} WHERE run_no = :run_no AND {_MAY_WAIT}"
WAIT_AFTER_A_TRY: Final = (
    f"{_WAIT}, tries = CASE WHEN progress = {_PROGRESS} THEN tries + 1 ELSE 0 END,"
    f" tried_by = CASE WHEN progress = {_PROGRESS} THEN tried_by || :engine ELSE '' END"
    f" WHERE run_no = :run_no AND {_MAY_WAIT}"
)
IS_PENDING: Final = (
    f"UPDATE runs SET status = '{Status.PENDING.value}', ended_at = NULL"
    f" WHERE run_no = :run_no AND status IN {_OPEN}"
)

# Orders for runs that nobody drives

ORDER: Final = (
    "UPDATE submissions SET is_waiting = TRUE, since = fanwise_now(), why = '', tries = 0,"
    f" tried_by = '', turn = turn - {_REENTRY_S}, is_held_back = scope IS NOT NULL,"
    " ordered = :ordered, ordered_after = coalesce((SELECT max(seq) FROM events"
    " WHERE events.run_no = submissions.run_no), 0) WHERE run_no = :run_no"
)
DECLINE: Final = (
    "UPDATE submissions SET ordered = NULL, is_waiting = FALSE, why = :why WHERE run_no = :run_no"
)

# An engine that is gone, and its submitted runs

STANDING_STILL: Final = (
    "SELECT owner FROM engines WHERE engine_no = :engine_no AND beats = :beats FOR UPDATE"
)
SUBMITTED_TO: Final = (
    "SELECT run_no FROM submissions WHERE run_no IN"
    " (SELECT run_no FROM leases WHERE engine_no = :engine_no) ORDER BY run_no FOR UPDATE"
)
STATE: Final = (
    "SELECT runs.id, runs.status, EXISTS (SELECT 1 FROM requests"
    " WHERE requests.run_no = runs.run_no AND requests.kind = 'pause')"
    " FROM runs WHERE runs.run_no = :run_no"
)

# A row for each run that an engine holds, or one without a run.
ENGINES: Final = (
    "SELECT engines.engine_no, owner, beats, beat_at, enrolled_at, fanwise_now(),"
    " runs.id, submissions.run_no IS NOT NULL FROM engines"
    " LEFT JOIN leases ON leases.engine_no = engines.engine_no"
    " LEFT JOIN runs ON runs.run_no = leases.run_no"
    " LEFT JOIN submissions ON submissions.run_no = leases.run_no"
    " ORDER BY engines.engine_no, leases.run_no"
)
HOLDER: Final = (
    "SELECT owner FROM engines JOIN leases ON leases.engine_no = engines.engine_no"
    " WHERE leases.run_no = :run_no"
)
