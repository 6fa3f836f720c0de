"""Stores for tests of engines: one in memory, and wrappers that make any store misbehave.

All of them keep the promises of the ports `Journal`, `Records`, `Control` and `Maintenance`, except
for the one that a wrapper is there to break. None of them sleeps: the test says what happens when.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self

from fanwise.bitmap import Bitmap
from fanwise.errors import RecordRefusedError, StoreError
from fanwise.model import (
    EndedRun,
    ItemOutcome,
    ItemTimes,
    Lease,
    LogEntry,
    Owner,
    Record,
    RecordedEvent,
    RecordedItems,
    RunRecord,
    RunRequest,
    Sleep,
    StoreSize,
    VisitRecord,
)
from fanwise.ports import PAGE_BYTES
from fanwise.stores import Store
from fanwise.testing.memory_store import MemoryStore

__all__ = ["FailingStore", "GatedStore", "MemoryStore", "RefusingStore", "StoreWrapper"]

_PATIENCE_S = 60.0  # A test that waits longer than that hangs; an error says where.


class StoreWrapper:
    """A store that passes everything on to another one; what a subclass overrides differs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the wrapped store."""
        self._store.close()

    def create_run(self, run: RunRecord) -> int:
        """See `Journal`."""
        return self._store.create_run(run)

    def commit(self, records: Sequence[Record], tokens: Mapping[int, int] = {}) -> None:
        """See `Journal`."""
        self._store.commit(records, tokens)

    def run(self, run_id: str) -> RunRecord | None:
        """See `Records`."""
        return self._store.run(run_id)

    def run_ids(self) -> Sequence[str]:
        """See `Records`."""
        return self._store.run_ids()

    def runs(self, **filters: Any) -> Sequence[RunRecord]:
        """See `Records`."""
        return self._store.runs(**filters)

    def unfinished(self) -> Sequence[RunRecord]:
        """See `Records`."""
        return self._store.unfinished()

    def last_visit_no(self, run_no: int) -> int:
        """See `Records`."""
        return self._store.last_visit_no(run_no)

    def recorded_items(self, run_no: int, visit_no: int) -> RecordedItems:
        """See `Records`."""
        return self._store.recorded_items(run_no, visit_no)

    def begun_items(self, run_no: int, path: str) -> Bitmap:
        """See `Records`."""
        return self._store.begun_items(run_no, path)

    def sleep(self, run_no: int, path: str) -> Sleep | None:
        """See `Records`."""
        return self._store.sleep(run_no, path)

    def lease(self, run_no: int) -> Lease | None:
        """See `Control`."""
        return self._store.lease(run_no)

    def acquire(self, run_no: int, owner: Owner, now: float, *, after: int = 0) -> Lease | None:
        """See `Control`."""
        return self._store.acquire(run_no, owner, now, after=after)

    def renew(self, run_no: int, token: int, now: float) -> Lease | None:
        """See `Control`."""
        return self._store.renew(run_no, token, now)

    def release(self, run_no: int, token: int, now: float) -> None:
        """See `Control`."""
        self._store.release(run_no, token, now)

    def request(self, run_no: int, request: RunRequest) -> None:
        """See `Control`."""
        self._store.request(run_no, request)

    def tasks(self, run_no: int, *, within: str = "") -> Sequence[VisitRecord]:
        """See `Records`."""
        return self._store.tasks(run_no, within=within)

    def events(self, run_no: int) -> Iterator[RecordedEvent]:
        """See `Records`."""
        return self._store.events(run_no)

    def items(self, run_no: int, visit_no: int, **filters: Any) -> Sequence[ItemOutcome]:
        """See `Records`."""
        return self._store.items(run_no, visit_no, **filters)

    def item_times(self, run_no: int, visit_no: int, *, slowest: int = 3) -> ItemTimes:
        """See `Records`."""
        return self._store.item_times(run_no, visit_no, slowest=slowest)

    def logs(
        self,
        run_no: int,
        *,
        under: str | None = None,
        after: LogEntry | None = None,
        limit: int = 100,
    ) -> Sequence[LogEntry]:
        """See `Records`."""
        return self._store.logs(run_no, under=under, after=after, limit=limit)

    def outputs(
        self, run_no: int, visit_no: int, start: int, stop: int, *, limit_bytes: int = PAGE_BYTES
    ) -> Sequence[tuple[int, bytes]]:
        """See `Pages`."""
        return self._store.outputs(run_no, visit_no, start, stop, limit_bytes=limit_bytes)

    @property
    def place(self) -> str:
        """See `Maintenance`."""
        return self._store.place

    def size(self) -> StoreSize:
        """See `Maintenance`."""
        return self._store.size()

    def export(self, run_id: str) -> Iterator[Record]:
        """See `Maintenance`."""
        return self._store.export(run_id)

    def ended_runs(self) -> Iterator[EndedRun]:
        """See `Maintenance`."""
        return self._store.ended_runs()

    def delete_run(self, run: EndedRun) -> bool:
        """See `Maintenance`."""
        return self._store.delete_run(run)

    def delete_orphans(self) -> Iterator[int]:
        """See `Maintenance`."""
        return self._store.delete_orphans()

    def vacuum(self, *, rewrite: bool = False) -> None:
        """See `Maintenance`."""
        self._store.vacuum(rewrite=rewrite)


class RefusingStore(StoreWrapper):
    """Refuses each commit that holds a record of which `refuses` is true."""

    def __init__(self, store: Store, refuses: Callable[[Record], bool]) -> None:
        super().__init__(store)
        self._refuses = refuses

    def commit(self, records: Sequence[Record], tokens: Mapping[int, int] = {}) -> None:
        """Commit, or raise `RecordRefusedError`."""
        if any(self._refuses(record) for record in records):
            raise RecordRefusedError("the store refuses a record.")
        super().commit(records, tokens)


class FailingStore(StoreWrapper):
    """Fails at the commit number `at` and writes nothing more from then on, as after a crash.

    Commits count from 1; `when` says whether that one fails before or after it is written.
    `commits` counts all that were tried, so a test can try every `at` that a run reaches. Leases
    aren't written any more either; reading still works.
    """

    def __init__(self, store: Store, at: int, when: Literal["before", "after"] = "before") -> None:
        super().__init__(store)
        self._at = at
        self._when = when
        self.commits = 0

    def create_run(self, run: RunRecord) -> int:
        """Create the run, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().create_run(run)

    def commit(self, records: Sequence[Record], tokens: Mapping[int, int] = {}) -> None:
        """Commit, or raise `StoreError` at the failure and after it."""
        self.commits += 1
        if self.commits == self._at and self._when == "after":
            super().commit(records, tokens)
        if self.commits >= self._at:
            raise self._failure()
        super().commit(records, tokens)

    def acquire(self, run_no: int, owner: Owner, now: float, *, after: int = 0) -> Lease | None:
        """Take the run, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().acquire(run_no, owner, now, after=after)

    def renew(self, run_no: int, token: int, now: float) -> Lease | None:
        """Renew the lease, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().renew(run_no, token, now)

    def release(self, run_no: int, token: int, now: float) -> None:
        """Give the run back, or raise `StoreError` after the failure."""
        self._require_alive()
        super().release(run_no, token, now)

    def _require_alive(self) -> None:
        if self.commits >= self._at:
            raise self._failure()

    def _failure(self) -> StoreError:
        return StoreError(f"the store failed at commit {self._at}, as the test wants.")


class GatedStore(StoreWrapper):
    """Each commit waits at a gate until the test lets it pass; reading and `create_run` don't.

    Methods may be called from any thread. One that waits in vain for a minute raises
    `TimeoutError`, so that a test ends.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._change = threading.Condition()
        self._waiting = 0
        self._passes = 0
        self._is_open = False

    def commit(self, records: Sequence[Record], tokens: Mapping[int, int] = {}) -> None:
        """Wait for the gate, then commit."""
        with self._change:
            self._waiting += 1
            self._change.notify_all()
            self._wait_until(lambda: self._is_open or self._passes > 0)
            self._waiting -= 1
            self._passes = max(0, self._passes - 1)
        super().commit(records, tokens)

    def wait_for_commit(self) -> None:
        """Return as soon as a commit waits at the gate, or once the gate is open for all."""
        with self._change:
            self._wait_until(lambda: self._is_open or self._waiting > self._passes)

    def let_pass(self, commits: int = 1) -> None:
        """Let so many commits pass, those that wait and those to come."""
        with self._change:
            self._passes += commits
            self._change.notify_all()

    def open(self) -> None:
        """Let all commits pass from now on."""
        with self._change:
            self._is_open = True
            self._change.notify_all()

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        if not self._change.wait_for(condition, _PATIENCE_S):
            raise TimeoutError("the gated store waited in vain; does the test open the gate?")
