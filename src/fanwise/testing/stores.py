"""Stores for tests of engines: one that goes with the test, and wrappers that make any misbehave.

All of them keep the promises of the ports `Journal`, `Records`, `Ownership`, `Mailbox`, `Queue`,
`Waits` and `Maintenance`, except for the one that a wrapper is there to break. None of them sleeps:
the test says what happens when.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from fanwise.errors import RecordRefusedError, StoreError
from fanwise.model import (
    ChildSlot,
    Claim,
    Lease,
    Owner,
    Record,
    RunLimit,
    RunRecord,
    SlotWish,
    Submission,
    Wait,
    WaitToOpen,
)
from fanwise.ports import CheckAnswer
from fanwise.stores import Store
from fanwise.stores.sql_store import SqlStore
from fanwise.stores.sqlite_database import open_database

__all__ = ["FailingStore", "GatedStore", "MemoryStore", "RefusingStore", "StoreWrapper"]

_Changed = TypeVar("_Changed")
_PATIENCE_S = 60.0  # A test that waits longer than that hangs; an error says where.


class MemoryStore(SqlStore):
    """A store for tests: SQLite's, in a temporary file that goes with the object.

    It lives as long as the object does, also after `close`, so that a test can end one engine,
    start another one on the same store and look into it at the end. Any thread may use it.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        folder = tempfile.mkdtemp(prefix="fanwise-")
        database = open_database(Path(folder) / "fanwise.db", durability="off", now=now)
        super().__init__(database)
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        weakref.finalize(self, database.close)

    def close(self) -> None:
        """Do nothing: the file is closed and deleted when the object goes."""


if TYPE_CHECKING:
    _AnyStore = SqlStore
else:
    _AnyStore = object


class StoreWrapper(_AnyStore):
    """A store that passes everything on to another one; what a subclass overrides differs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _PassedOn:
    """An attribute of the wrapped store, which an instance may still replace by its own."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, wrapper: StoreWrapper, _: type[StoreWrapper]) -> object:
        return getattr(vars(wrapper)["_store"], self._name)


# Attributes of the class, unlike `__getattr__`, are found by `super()` in subclasses as well.
for _name in dir(Store):
    if not _name.startswith("_"):
        setattr(StoreWrapper, _name, _PassedOn(_name))


class RefusingStore(StoreWrapper):
    """Refuses each commit that holds a record of which `refuses` is true."""

    def __init__(self, store: Store, refuses: Callable[[Record], bool]) -> None:
        super().__init__(store)
        self._refuses = refuses

    def commit(
        self,
        records: Sequence[Record],
        tokens: Mapping[int, int] = {},
        *,
        at_once_bytes: int | None = None,
    ) -> bool:
        """Commit, or raise `RecordRefusedError`."""
        if any(self._refuses(record) for record in records):
            raise RecordRefusedError("the store refuses a record.")
        return super().commit(records, tokens, at_once_bytes=at_once_bytes)


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

    def create_run(
        self, run: RunRecord, engine_no: int | None = None, waiter_no: int | None = None
    ) -> int:
        """Create the run, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().create_run(run, engine_no, waiter_no)

    def commit(
        self,
        records: Sequence[Record],
        tokens: Mapping[int, int] = {},
        *,
        at_once_bytes: int | None = None,
    ) -> bool:
        """Commit, or raise `StoreError` at the failure and after it.

        One that is to be made at once may wait here, so that the count is the same every time.
        """
        return self._change(lambda: super(FailingStore, self).commit(records, tokens))

    def open_waits(
        self,
        run_no: int,
        token: int,
        waits: Sequence[WaitToOpen],
        check: CheckAnswer | None = None,
    ) -> Sequence[Wait]:
        """Open the waits, which counts as a commit."""
        return self._change(
            lambda: super(FailingStore, self).open_waits(run_no, token, waits, check)
        )

    def doze(self, run_no: int, token: int, rest_s: float) -> int:
        """Have the run sleep, which counts as a commit."""
        return self._change(lambda: super(FailingStore, self).doze(run_no, token, rest_s))

    def wake_settled(self, run_no: int, *, after: int) -> None:
        """Wake the run, or raise `StoreError` after the failure."""
        self._require_alive()
        super().wake_settled(run_no, after=after)

    def take_child(self, child: ChildSlot, wish: SlotWish) -> None:
        """Take a slot for a child, or raise `StoreError` after the failure."""
        self._require_alive()
        super().take_child(child, wish)

    def free_child(self, child: ChildSlot, limit: RunLimit) -> None:
        """Free the slot of a child, or raise `StoreError` after the failure."""
        self._require_alive()
        super().free_child(child, limit)

    def _change(self, change: Callable[[], _Changed]) -> _Changed:
        """Count a change, and make it, or raise `StoreError` at the failure and after it."""
        self.commits += 1
        if self.commits == self._at and self._when == "after":
            change()
        if self.commits >= self._at:
            raise self._failure()
        return change()

    def enroll(self, owner: Owner) -> int:
        """Record the engine, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().enroll(owner)

    def beat(self, engine_no: int) -> bool:
        """Record a sign of life, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().beat(engine_no)

    def leave(self, engine_no: int) -> None:
        """Forget the engine, or raise `StoreError` after the failure."""
        self._require_alive()
        super().leave(engine_no)

    def acquire(
        self, run_no: int, engine_no: int, *, after: int = 0, wish: SlotWish | None = None
    ) -> Lease | None:
        """Take the run, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().acquire(run_no, engine_no, after=after, wish=wish)

    def release(self, run_no: int, token: int) -> None:
        """Give the run back, or raise `StoreError` after the failure."""
        self._require_alive()
        super().release(run_no, token)

    def submit(self, run: RunRecord, submission: Submission) -> tuple[str, bool]:
        """Record the run, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().submit(run, submission)

    def claim(self, engine_no: int, queues: Sequence[str], most: int) -> Sequence[Claim]:
        """Take runs, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().claim(engine_no, queues, most)

    def put_back(self, run_no: int, token: int, why: str, *, counts: bool) -> None:
        """Put the run back, or raise `StoreError` after the failure."""
        self._require_alive()
        super().put_back(run_no, token, why, counts=counts)

    def reap(self, engine_no: int, beats: int) -> Sequence[str]:
        """Put back the engine's runs, or raise `StoreError` after the failure."""
        self._require_alive()
        return super().reap(engine_no, beats)

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

    def commit(
        self,
        records: Sequence[Record],
        tokens: Mapping[int, int] = {},
        *,
        at_once_bytes: int | None = None,
    ) -> bool:
        """Wait for the gate, then commit."""
        if at_once_bytes is not None:
            return False
        with self._change:
            self._waiting += 1
            self._change.notify_all()
            self._wait_until(lambda: self._is_open or self._passes > 0)
            self._waiting -= 1
            self._passes = max(0, self._passes - 1)
        return super().commit(records, tokens)

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
