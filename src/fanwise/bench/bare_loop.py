"""The baseline of the fan-out benchmark: what a good engineer writes by hand for one job.

Workers pull items from one iterator, await the action, and insert the same rows as fanwise into the
same table in groups. It has no retries, no limits, no resumption and no progress.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from fanwise.bench.pack.actions import noop

_GROUP = 1_000
COLUMNS = (
    "run_no",
    "visit_no",
    "idx",
    "status",
    "attempts",
    "started_at",
    "duration_s",
    "output",
    "error",
    "has_payload",
)


def bare_loop(
    items: Iterable[object],
    path: Path,
    *,
    action: Callable[[object], Awaitable[object]] = noop,
    concurrency: int = 50,
    label: Callable[[int], str] | None = None,
) -> None:
    """Call the action for each item and record the results in a new SQLite file at `path`.

    `label` gives the label of the item with an index, which is recorded as well.
    """
    connection = _new_store(path)
    columns = COLUMNS if label is None else (*COLUMNS, "label")
    places = ", ".join("?" * len(columns))
    insert = f"INSERT INTO items ({', '.join(columns)}) VALUES ({places})"

    def record(rows: Sequence[tuple[object, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, rows)
        connection.execute("COMMIT")

    try:
        asyncio.run(work(enumerate(items), record, action, concurrency, label))
    finally:
        connection.close()


def _new_store(path: Path) -> sqlite3.Connection:
    from fanwise.stores.schema import items
    from fanwise.stores.sqlite_files import PAGE_BYTES
    from fanwise.stores.sqlite_text import definition

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("PRAGMA synchronous=normal")
    for statement in definition(items):
        connection.execute(statement)
    return connection


async def work(
    items: Iterable[tuple[int, object]],
    record: Callable[[Sequence[tuple[object, ...]]], None],
    action: Callable[[object], Awaitable[object]] = noop,
    concurrency: int = 50,
    label: Callable[[int], str] | None = None,
) -> None:
    """Call the action for each item, and have the rows recorded, each with `COLUMNS`, in groups.

    With a `label` it follows them.
    """
    encode = msgspec.json.Encoder().encode
    source = iter(items)
    rows: list[tuple[object, ...]] = []

    async def worker() -> None:
        for index, item in source:
            started_at = time.time()
            started = time.perf_counter()
            status, output, error = "succeeded", None, None
            try:
                output = encode(await action(item)).decode()
            except Exception as failure:
                status, error = "failed", encode({"type": type(failure).__name__}).decode()
            duration_s = time.perf_counter() - started
            row = (1, 1, index, status, 1, started_at, duration_s, output, error, False)
            rows.append(row if label is None else (*row, label(index)))
            if len(rows) >= _GROUP:
                record(rows)
                rows.clear()

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    record(rows)
