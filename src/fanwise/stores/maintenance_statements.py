"""The statements that keep a store in order, once for SQLite and PostgreSQL.

They hold for each table whose rows belong to a run, so that a new one is swept and checked as well.
This module runs nothing.
"""

from __future__ import annotations

from fanwise.model import Status
from fanwise.stores.rows import OWN
from fanwise.stores.schema import TABLES_OF_RUNS, Table

_OPEN = f"'{Status.PENDING.value}', '{Status.RUNNING.value}', '{Status.WAITING.value}'"
_STATUSES = ", ".join(f"'{status.value}'" for status in Status)

ENDED_RUNS = (
    "SELECT run_no, id, workflow, status, coalesce(ended_at, started_at, created_at) FROM runs"
    f" WHERE run_no < :before AND status NOT IN ({_OPEN}) ORDER BY run_no DESC LIMIT :limit"
)

DELETE_RUN = "DELETE FROM runs WHERE run_no = :run_no AND id = :run_id AND status = :status"

RUN_COUNTS = "SELECT status, count(*) FROM runs GROUP BY status"


def _left_runs(table: Table) -> str:
    """The numbers in `table` of runs that are in `runs` no more.

    It seeks from number to number, so it takes as long as there are runs, not rows.
    """
    return (
        f"WITH RECURSIVE seek(number) AS (SELECT min(run_no) FROM {table.name} UNION ALL"
        f" SELECT (SELECT min(run_no) FROM {table.name} WHERE run_no > seek.number)"
        " FROM seek WHERE seek.number IS NOT NULL)"
        " SELECT number FROM seek WHERE number IS NOT NULL"
        " AND NOT EXISTS (SELECT * FROM runs WHERE runs.run_no = seek.number)"
    )


def _delete_some(table: Table) -> str:
    """Delete at most `limit` rows of a run from `table`, if the run is in `runs` no more."""
    key = ", ".join(table.key)
    return (
        f"DELETE FROM {table.name} WHERE ({key}) IN"
        f" (SELECT {key} FROM {table.name} WHERE run_no = :run_no LIMIT :limit)"
        " AND NOT EXISTS (SELECT * FROM runs WHERE runs.run_no = :run_no)"
    )


ORPHANS = tuple((_left_runs(table), _delete_some(table)) for table in TABLES_OF_RUNS)
"""For each table: a query for the runs whose rows it still has, and a statement to delete some."""


def _lost_payloads(table: str, idx: str) -> str:
    """The number of rows of `table` with a payload that isn't there."""
    return (
        f"SELECT count(*) FROM {table} LEFT JOIN payloads ON payloads.run_no = {table}.run_no"
        f" AND payloads.visit_no = {table}.visit_no AND payloads.idx = {idx}"
        f" WHERE {table}.has_payload AND payloads.run_no IS NULL"
    )


PROBLEMS = {
    "tasks without the result that they had in payloads": _lost_payloads("tasks", str(OWN)),
    "items without the result that they had in payloads": _lost_payloads("items", "items.idx"),
} | {
    f"{table} with a status that isn't one": (
        f"SELECT count(*) FROM {table} WHERE status NOT IN ({_STATUSES})"
    )
    for table in ("runs", "tasks", "items")
}
"""Queries for the number of records that don't fit, by what is wrong with them."""
