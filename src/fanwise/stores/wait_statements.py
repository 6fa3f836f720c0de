"""The statements of waits and signals, once for SQLite and PostgreSQL. This module runs nothing.

Transactions that change a wait lock its run first, then the run's place in its queue.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from fanwise.model import WAKE_PATH, Status, WaitKind, WaitState
from fanwise.stores.database import Insert, Statement
from fanwise.stores.schema import links, signals, waits

_COLUMNS: Final = ", ".join(f"waits.{name}" for name in waits.columns)
_FINAL: Final = ", ".join(f"'{each.value}'" for each in Status if each.is_final)
_OPEN: Final = f"waits.state = '{WaitState.OPEN.value}'"
# An open wait that is found by its key: in these words PostgreSQL doesn't know its index of open
# waits, through all of which it may walk otherwise.
_STILL_OPEN: Final = f"coalesce(waits.state, '') = '{WaitState.OPEN.value}'"
_DUE: Final = f"{_OPEN} AND waits.deadline IS NOT NULL AND waits.deadline <= fanwise_now()"
_AT: Final = "waits.run_no = :run_no AND waits.path = :path"

LOCK_RUN: Final = "SELECT id, status, workflow FROM runs WHERE run_no = :run_no FOR UPDATE"

MOST_AT_ONCE: Final = 100
"""The number of waits that one statement opens or settles at most."""

_GIVEN: Final = ("path", "turn", "waits_for", "names", "match_key", "takes_earlier", "form")


# A wait that was closed is opened again, since its task starts once more after a retry.
@lru_cache(maxsize=MOST_AT_ONCE)
def open_some(rows: int) -> Statement:
    """Open waits at `path_0`, `turn_0` and so on that aren't open or settled; the new ones."""
    values = ", ".join(
        f"(:run_no, '{WaitState.OPEN.value}', fanwise_now(), fanwise_now() + :timeout_s_{row},"
        f" {', '.join(f':{column}_{row}' for column in _GIVEN)})"
        for row in range(rows)
    )
    return (
        f"INSERT INTO waits (run_no, state, opened_at, deadline, {', '.join(_GIVEN)})"
        f" VALUES {values} ON CONFLICT (run_no, path, turn) DO UPDATE SET"
        " waits_for = excluded.waits_for, names = excluded.names, match_key = excluded.match_key,"
        " takes_earlier = excluded.takes_earlier, state = excluded.state,"
        " opened_at = excluded.opened_at, deadline = excluded.deadline, form = excluded.form"
        f" WHERE waits.state = '{WaitState.CLOSED.value}' RETURNING {_COLUMNS}"
    )


@lru_cache(maxsize=MOST_AT_ONCE)
def some(rows: int) -> Statement:
    """The waits at `path_0`, `turn_0` and so on."""
    places = ", ".join(f"(:path_{row}, :turn_{row})" for row in range(rows))
    return (
        f"SELECT {_COLUMNS} FROM waits WHERE run_no = :run_no AND (path, turn) IN (VALUES {places})"
    )


# A run sleeps until one time, over and over. The number that the wait was settled with before
# stays until the next one, so that numbers never go back.
DOZE: Final = (
    "INSERT INTO waits (run_no, path, turn, waits_for, names, takes_earlier, state, opened_at,"
    f" deadline, form) VALUES (:run_no, '{WAKE_PATH}', 0, '{WaitKind.TIME.value}', '[]', FALSE,"
    f" '{WaitState.OPEN.value}', fanwise_now(), fanwise_now() + :rest_s, '{{}}')"
    " ON CONFLICT (run_no, path, turn) DO UPDATE SET state = excluded.state,"
    " opened_at = excluded.opened_at, deadline = excluded.deadline"
)
WAKE_AT: Final = (
    "SELECT deadline FROM waits WHERE waits.run_no = :run_no"
    f" AND waits.path = '{WAKE_PATH}' AND {_OPEN}"
)
ONE: Final = f"SELECT {_COLUMNS} FROM waits WHERE {_AT} AND waits.turn = :turn"
AT: Final = f"SELECT {_COLUMNS} FROM waits WHERE {_AT} ORDER BY waits.turn"
SETTLED: Final = (
    f"SELECT {_COLUMNS} FROM waits WHERE waits.run_no = :run_no AND waits.settled_no > :after"
    " ORDER BY waits.settled_no"
)
LAST_SETTLED: Final = (
    "SELECT coalesce(max(settled_no), 0) FROM waits WHERE run_no = :run_no"
    " AND settled_no IS NOT NULL"
)
HAS_SETTLED: Final = (
    "SELECT 1 FROM waits WHERE waits.run_no = :run_no AND waits.settled_no > :after LIMIT 1"
)
HAS_DUE: Final = f"SELECT 1 FROM waits WHERE waits.run_no = :run_no AND {_DUE} LIMIT 1"
DUE: Final = (
    f"SELECT waits.path, waits.turn FROM waits WHERE waits.run_no = :run_no AND {_DUE}"
    " ORDER BY waits.deadline, waits.path"
)
# The few waits that are due first: `CROSS JOIN` has SQLite keep to that order.
RUNS_WITH_DUE: Final = (
    "SELECT DISTINCT waits.run_no FROM waits CROSS JOIN runs"
    f" WHERE {_DUE} AND runs.run_no = waits.run_no AND runs.status = '{Status.WAITING.value}'"
    " ORDER BY waits.run_no"
)
OPEN_ONES: Final = (
    f"SELECT runs.id, runs.workflow, {_COLUMNS} FROM waits JOIN runs ON runs.run_no = waits.run_no"
    f" WHERE {_OPEN} AND waits.waits_for != '{WaitKind.TIME.value}'"
    f" AND runs.status NOT IN ({_FINAL})"
)
_OLDEST: Final = " ORDER BY waits.opened_at, waits.run_no, waits.path LIMIT :limit"
ALL_OPEN: Final = OPEN_ONES + _OLDEST
OPEN_OF_RUN: Final = f"{OPEN_ONES} AND waits.run_no = :run_no{_OLDEST}"
OF_RUN: Final = f"SELECT {_COLUMNS} FROM waits WHERE run_no = :run_no ORDER BY path, turn"

# A wait is settled if it is open, and is returned with its run's status.
_NEXT_NO: Final = (
    "1 + (SELECT coalesce(max(others.settled_no), 0)"
    " FROM waits AS others WHERE others.run_no = :run_no AND others.settled_no IS NOT NULL)"
)
_SETTLED: Final = (
    f" RETURNING {_COLUMNS}, (SELECT status FROM runs WHERE runs.run_no = waits.run_no)"
)
SETTLE: Final = (
    "UPDATE waits SET state = :state, answer = :answer, answered_by = :answered_by, via = :via,"
    f" settled_at = fanwise_now(), settled_no = {_NEXT_NO}"
    f" WHERE run_no = :run_no AND path = :path AND turn = :turn AND {_STILL_OPEN}{_SETTLED}"
)


@lru_cache(maxsize=MOST_AT_ONCE)
def answer_some(rows: int) -> Statement:
    """Answer the questions at `path_0`, `turn_0` and so on whose deadline hasn't come."""
    names = ("path", "turn", "answer", "answered_by", "via")
    given = ", ".join(
        f"({', '.join(f':{name}_{row}' for name in names)}, {row})" for row in range(rows)
    )
    return (
        f"UPDATE waits SET state = '{WaitState.ANSWERED.value}', answer = given.column3,"
        " answered_by = given.column4, via = given.column5, settled_at = fanwise_now(),"
        f" settled_no = given.column6 + {_NEXT_NO} FROM (VALUES {given}) AS given"
        " WHERE waits.run_no = :run_no AND waits.path = given.column1"
        f" AND waits.turn = given.column2 AND {_STILL_OPEN}"
        f" AND (waits.deadline IS NULL OR waits.deadline > fanwise_now()){_SETTLED}"
    )


_CLOSE: Final = (
    f"UPDATE waits SET state = '{WaitState.CLOSED.value}' WHERE run_no = :run_no AND {_STILL_OPEN}"
)
CLOSE: Final = f"{_CLOSE} AND path = :path"
CLOSE_WITHIN: Final = f"{_CLOSE} AND path >= :first AND path < :last"
DISCARD: Final = "DELETE FROM waits WHERE run_no = :run_no AND path = :path"
DISCARD_WITHIN: Final = (
    "DELETE FROM waits WHERE run_no = :run_no AND path >= :first AND path < :last"
)

ADD_LINKS: Final = Insert(links, replaces=links.key)
LINK: Final = (
    "SELECT links.token_hash, links.run_no, links.path, links.turn, links.who, runs.id"
    " FROM links JOIN runs ON runs.run_no = links.run_no WHERE links.token_hash = :token_hash"
)

# Signals

SEND: Final = (
    "INSERT INTO signals (run_no, name, match_key, sent_at, sent_by, is_taken, payload)"
    " VALUES (:run_no, :name, :match_key, fanwise_now(), :sent_by, FALSE, :payload)"
    " RETURNING signal_no"
)
SENT: Final = "SELECT 1 FROM signals WHERE signal_no = :signal_no"
TAKE: Final = "UPDATE signals SET is_taken = TRUE WHERE signal_no = :signal_no"
# The list of names is JSON text, which has each of them in quotes.
WAITS_FOR: Final = (
    f"SELECT {_COLUMNS} FROM waits WHERE waits.run_no = :run_no AND {_OPEN}"
    f" AND waits.waits_for = '{WaitKind.SIGNAL.value}'"
    " AND (waits.match_key IS NULL OR waits.match_key = :match_key)"
    " AND replace(waits.names, :quoted, '') != waits.names"
    " ORDER BY waits.opened_at, waits.path LIMIT 1"
)
_SIGNAL_COLUMNS: Final = ", ".join(f"signals.{name}" for name in signals.columns)


def earliest_signal(names: int, *, has_key: bool) -> Statement:
    """The first signal left that has one of the names `name_0`, `name_1` and so on."""
    listed = ", ".join([f":name_{number}" for number in range(names)])
    key = " AND match_key = :match_key" if has_key else ""
    return (
        f"SELECT {_SIGNAL_COLUMNS} FROM signals WHERE run_no = :run_no AND NOT is_taken"
        f" AND name IN ({listed}){key} ORDER BY signal_no LIMIT 1"
    )


# An answer that comes before its question is a signal without a name, which no other one is. Its
# key is the path of the question.

NO_NAME: Final = ""
KEPT_ANSWERS: Final = (
    f"SELECT {_SIGNAL_COLUMNS} FROM signals WHERE run_no = :run_no AND NOT is_taken"
    f" AND name = '{NO_NAME}' ORDER BY signal_no"
)
OPEN_LATER_VISITS: Final = (
    f"SELECT waits.path FROM waits WHERE waits.run_no = :run_no AND {_OPEN}"
    " AND waits.path LIKE '%#%'"
)

# A submitted run that waits goes back into its queue; its engine may be about to let go of it.

IS_WAITING_SUBMITTED: Final = (
    "SELECT 1 FROM submissions JOIN runs ON runs.run_no = submissions.run_no"
    f" WHERE submissions.run_no = :run_no AND runs.status = '{Status.WAITING.value}'"
)
