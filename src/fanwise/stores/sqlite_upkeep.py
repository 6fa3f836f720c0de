"""Keeps a SQLite store in order: deletes runs, gives space back, reads whole runs.

A run is deleted by its row in `runs`, in one transaction; its other rows mean nothing from then on
and go bit by bit. The highest number of a deleted run stands in the file's `user_version`, so that
no later run gets the number of rows that are still to go. Functions take a connection that nobody
else uses meanwhile, and raise what the driver raises. Times are seconds.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial

from fanwise.model import EndedRun, Record, StoreSize
from fanwise.stores import rows, upkeep_queries
from fanwise.stores import sqlite_statements as statements
from fanwise.stores.sqlite_files import transaction

# Other processes that want to write look again after 1 to 100 ms. A transaction is to be shorter
# than most of these, and the pause after it as long, so that they find the store free.
_TURN_S = 0.01
_FIRST_TURN = 16
_LONGEST_TURN = 8_192

ENDED_RUNS = statements.Query(upkeep_queries.ENDED_RUNS)
_delete_lease = statements.Query(upkeep_queries.DELETE_LEASE)
_delete_run = statements.Query(upkeep_queries.DELETE_RUN)
_tables = [
    (
        statements.Query(upkeep_queries.left_runs(table)),
        statements.Query(upkeep_queries.delete_some(table)),
    )
    for table in upkeep_queries.TABLES
]
_size = """
SELECT page_count * page_size, freelist_count * page_size
FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""


def size(connection: sqlite3.Connection) -> StoreSize:
    """The store's size, without the files that SQLite keeps beside it while it is in use."""
    return StoreSize(*connection.execute(_size).fetchone())


def export(connection: sqlite3.Connection, run_id: str) -> Iterator[Record]:
    """See `Maintenance.export`. The transaction lasts to the end, and holds up no writer."""
    connection.execute("BEGIN")
    try:
        found = statements.RUN.all(connection, run_id=run_id)
        if not found:
            return
        run = rows.to_run(found[0])
        yield run
        for query, to_record in _parts:
            with query.each(connection, run_no=run.run_no) as each:
                yield from map(to_record, each)
    finally:
        connection.execute("COMMIT")


_parts: list[tuple[statements.Query, Callable[[rows.Row], Record]]] = [
    (statements.RUN_TASKS, rows.to_task),
    (statements.RUN_EVENTS, rows.to_event),
    (statements.RUN_ITEMS, rows.to_item),
    (statements.RUN_LOGS, rows.to_log),
    (statements.RUN_SLEEPS, rows.to_sleep),
]


def delete_run(connection: sqlite3.Connection, run: EndedRun) -> bool:
    """See `Maintenance.delete_run`."""
    with transaction(connection):
        key = {"run_no": run.run_no, "run_id": run.id, "status": run.status.value}
        if not _delete_run.changes(connection, **key):
            return False
        # With it goes the right to write: whoever has taken the run up meanwhile finds it gone.
        _delete_lease.changes(connection, run_no=run.run_no)
        if run.run_no > statements.highest_deleted(connection):
            connection.execute(f"PRAGMA user_version = {run.run_no}")
        return True


def delete_orphans(connection: sqlite3.Connection) -> Iterator[int]:
    """See `Maintenance.delete_orphans`."""
    for left_runs, delete_some in _tables:
        for (run_no,) in left_runs.all(connection):
            yield from _in_turns(partial(_delete, connection, delete_some, run_no))


def _delete(
    connection: sqlite3.Connection, delete_some: statements.Query, run_no: int, most: int
) -> int:
    with transaction(connection):
        return delete_some.changes(connection, run_no=run_no, limit=most)


def vacuum(connection: sqlite3.Connection, *, rewrite: bool) -> None:
    """See `Maintenance.vacuum`.

    A file that was made without room for its pages' whereabouts gives nothing back until it has
    been rewritten once.
    """
    if rewrite:
        connection.execute("PRAGMA auto_vacuum = incremental")
        connection.execute("VACUUM")
    else:
        for _ in _in_turns(partial(_free, connection)):
            pass


def _free(connection: sqlite3.Connection, most: int) -> int:
    before = _free_pages(connection)
    # The pragma frees a page a step, and `execute` takes only one where there are no columns.
    connection.executescript(f"PRAGMA incremental_vacuum({most})")
    return before - _free_pages(connection)


def _free_pages(connection: sqlite3.Connection) -> int:
    number: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return number


def _in_turns(work: Callable[[int], int]) -> Iterator[int]:
    """Call `work` with the most that it may do, until it does less; give what it has done.

    How much that is follows from how long it takes: rows hold anything from a few bytes to
    megabytes.
    """
    most = _FIRST_TURN
    while True:
        started_at = time.monotonic()
        done = work(most)
        took_s = time.monotonic() - started_at
        if done:
            yield done
        if done < most:
            return
        most = min(most * 2, _LONGEST_TURN) if took_s < _TURN_S else max(most // 2, 1)
        time.sleep(took_s)
