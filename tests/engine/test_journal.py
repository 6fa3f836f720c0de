"""The journal writes for several runs at once, and for each only while it is this process's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from fanwise.engine.journal import JournalWriter
from fanwise.errors import FanwiseError, LeaseLostError, RecordRefusedError
from fanwise.model import ItemOutcome, Limits, Record, Status
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_log, a_run, a_task, an_event, an_item, as_written
from fanwise.testing.stores import GatedStore, MemoryStore, StoreWrapper


class Writing:
    """A journal over a gate, with two runs that it holds: `kept`, and `lost`, which is taken."""

    def __init__(self) -> None:
        self.store = GatedStore(MemoryStore())
        self.journal = JournalWriter(self.store, Limits())
        self.kept, self.lost = (self.hold(run_id) for run_id in ("kept", "lost"))
        self.told: dict[int, list[FanwiseError]] = {self.kept: [], self.lost: []}
        self.confirmed: list[ItemOutcome] = []
        self.lane = self.journal.lane(self.confirmed.extend)

    def hold(self, run_id: str) -> int:
        run_no = self.store.create_run(a_run(run_id))
        lease = self.store.acquire(run_no, self.store.enroll(an_owner("this")))
        assert lease is not None
        self.journal.hold(run_no, lease.token, lambda error: self.told[run_no].append(error))
        return run_no

    def take_away(self) -> None:
        """Another process takes the run `lost` over."""
        assert (
            self.store.acquire(self.lost, self.store.enroll(an_owner("other")), after=1) is not None
        )

    def recorded(self, run_no: int) -> list[Any]:
        run_id = "kept" if run_no == self.kept else "lost"
        return as_written(self.store.export(run_id))[1:]

    async def commit_at_gate(self, *records: Any) -> Sequence[BaseException | None]:
        """Commit each record by itself, all in one group, and return what each raised."""
        commits = [asyncio.create_task(self.journal.commit(record)) for record in records]
        await asyncio.to_thread(self.store.wait_for_commit)
        self.store.open()
        return await asyncio.gather(*commits, return_exceptions=True)


def writing(test: Callable[[Writing], Awaitable[None]]) -> None:
    """Run a test on an event loop, and close the journal at its end."""

    async def run() -> None:
        journal = Writing()
        await test(journal)
        journal.store.open()
        await journal.journal.close()

    asyncio.run(run())


def test_a_lost_run_is_told_and_the_others_of_its_group_are_written() -> None:
    """Those that wait for its events, and those whose items were to be recorded."""

    async def test(at: Writing) -> None:
        at.take_away()
        at.lane.append(an_item(at.kept, 0))
        at.lane.append(an_item(at.lost, 0))
        at.journal.add_log(a_log(at.kept))
        at.journal.add_log(a_log(at.lost))
        told = await at.commit_at_gate(
            an_event(at.lost, 1), an_event(at.kept, 1), a_task(at.lost), a_task(at.kept)
        )
        await at.journal.flush()
        assert [type(error) for error in told] == [
            LeaseLostError,
            type(None),
            LeaseLostError,
            type(None),
        ]
        assert at.recorded(at.lost) == []
        assert at.recorded(at.kept) == [
            a_task(at.kept),
            an_event(at.kept, 1),
            an_item(at.kept, 0),
            a_log(at.kept),
        ]
        assert at.confirmed == [an_item(at.kept, 0)]
        (error,) = at.told[at.lost]
        assert isinstance(error, LeaseLostError)
        assert error.run_no == at.lost
        assert at.told[at.kept] == []

    writing(test)


def test_what_queues_up_while_a_run_is_being_lost_is_not_written_either() -> None:
    """Neither events nor items that came while the group was written that found it out."""

    async def test(at: Writing) -> None:
        at.take_away()
        first = asyncio.create_task(at.journal.commit(an_event(at.lost, 1)))
        await asyncio.to_thread(at.store.wait_for_commit)
        at.lane.append(an_item(at.lost, 0))
        at.lane.append(an_item(at.kept, 0))
        late = [
            asyncio.create_task(at.journal.commit(an_event(run_no, 2)))
            for run_no in (at.lost, at.kept)
        ]
        await asyncio.sleep(0)  # they are queued
        at.store.open()
        told = await asyncio.gather(first, *late, return_exceptions=True)
        await at.journal.flush()
        assert [type(error) for error in told] == [LeaseLostError, LeaseLostError, type(None)]
        assert at.recorded(at.lost) == []
        assert at.recorded(at.kept) == [an_event(at.kept, 2), an_item(at.kept, 0)]

    writing(test)


def test_a_lost_run_stays_lost_until_it_is_held_anew() -> None:
    """Later records of it are refused at once; with a new token they are written."""

    async def test(at: Writing) -> None:
        at.take_away()
        at.store.open()
        for _ in range(2):
            with pytest.raises(LeaseLostError):
                await at.journal.commit(an_event(at.lost, 1))
        at.journal.let_go(at.lost)
        with pytest.raises(LeaseLostError):
            await at.journal.commit(an_event(at.lost, 1))
        lease = at.store.acquire(at.lost, at.store.enroll(an_owner("this")), after=2)
        assert lease is not None
        at.journal.hold(at.lost, lease.token, at.told[at.lost].append)
        await at.journal.commit(an_event(at.lost, 1))
        assert at.recorded(at.lost) == [an_event(at.lost, 1)]

    writing(test)


def test_nothing_is_written_of_a_run_that_was_let_go() -> None:
    """Whoever drove it may have something left to say; it is too late for that."""

    async def test(at: Writing) -> None:
        at.store.open()
        at.journal.let_go(at.lost)
        with pytest.raises(LeaseLostError):
            await at.journal.commit(an_event(at.lost, 1))
        assert at.recorded(at.lost) == []

    writing(test)


def test_refused_records_and_lost_runs_of_one_group_are_told_apart() -> None:
    """A record that can't be stored fails alone, beside a run that was taken."""

    async def test(at: Writing) -> None:
        at.take_away()
        for run_no in (at.kept, at.lost):
            for index, label in ((0, "good"), (1, "\ud800")):
                at.lane.append(an_item(run_no, index, label=label))
        told = await at.commit_at_gate(
            an_event(at.kept, 1), an_event(at.kept, 1), an_event(at.lost, 1)
        )
        await at.journal.flush()
        assert [type(error) for error in told] == [
            type(None),
            RecordRefusedError,
            LeaseLostError,
        ]
        assert at.recorded(at.lost) == []
        statuses = [(item.index, item.status) for item in at.store.items(at.kept, 1)]
        assert statuses == [(0, Status.SUCCEEDED), (1, Status.FAILED)]

    writing(test)


def test_whoever_drives_a_run_can_be_made_to_end_it() -> None:
    """Only the one that drives it hears of it; what is recorded stays."""

    async def test(at: Writing) -> None:
        at.store.open()
        await at.journal.commit(an_event(at.lost, 1))
        error = FanwiseError("enough")
        at.journal.abandon(at.lost, error)
        at.journal.let_go(at.lost)
        at.journal.abandon(at.lost, error)
        assert at.told == {at.lost: [error], at.kept: []}
        assert at.recorded(at.lost) == [an_event(at.lost, 1)]

    writing(test)


class _Watched(StoreWrapper):
    """Remembers in which threads commits were made; `refuses` lets none be made at once."""

    def __init__(self, *, refuses: bool = False) -> None:
        super().__init__(MemoryStore())
        self.threads: list[threading.Thread] = []
        self.refuses = refuses

    def commit(
        self,
        records: Sequence[Record],
        tokens: Mapping[int, int] = {},
        *,
        at_once_bytes: int | None = None,
    ) -> bool:
        if at_once_bytes is not None and self.refuses:
            return False
        self.threads.append(threading.current_thread())
        return super().commit(records, tokens, at_once_bytes=at_once_bytes)


@pytest.mark.parametrize("refuses", [False, True])
def test_a_lone_step_is_committed_by_the_loop_unless_the_store_would_wait(refuses: bool) -> None:
    """So are a few items; many of them, several units and a long unit go to the thread."""

    async def test() -> None:
        store = _Watched(refuses=refuses)
        run_no = store.create_run(a_run())
        lease = store.acquire(run_no, store.enroll(an_owner("this")))
        assert lease is not None
        journal = JournalWriter(store, Limits())
        journal.hold(run_no, lease.token, lambda error: None)
        own = threading.current_thread()
        confirmed: list[ItemOutcome] = []
        lane = journal.lane(confirmed.extend)
        await journal.commit(an_event(run_no, 1))
        lane.append(an_item(run_no, 0))
        await journal.flush()
        assert [thread is own for thread in store.threads] == [not refuses] * 2
        store.threads.clear()
        await asyncio.gather(*(journal.commit(an_event(run_no, seq)) for seq in (2, 3)))
        await journal.commit(*(an_event(run_no, seq) for seq in range(4, 24)))
        for index in range(1, 2_000):
            lane.append(an_item(run_no, index))
        await journal.flush()
        assert own not in store.threads
        assert len(confirmed) == 2_000
        large = replace(an_item(run_no, 2_000), status=Status.FAILED, error=b"{}")
        lane.append(replace(large, output=None, item=b'"' + b"x" * 300_000 + b'"'))
        await journal.flush()
        assert own not in store.threads
        await journal.commit(an_event(run_no, 24))
        assert [event.seq for event in store.events(run_no)] == [*range(1, 25)]
        await journal.close()

    asyncio.run(test())


def test_what_is_refused_or_lost_on_the_loop_is_told_as_by_the_thread() -> None:
    """The next records are written."""

    async def test() -> None:
        store = _Watched()
        run_no = store.create_run(a_run())
        lease = store.acquire(run_no, store.enroll(an_owner("this")))
        assert lease is not None
        told: list[FanwiseError] = []
        journal = JournalWriter(store, Limits())
        journal.hold(run_no, lease.token, told.append)
        await journal.commit(an_event(run_no, 1))
        with pytest.raises(RecordRefusedError):
            await journal.commit(an_event(run_no, 1))
        await journal.commit(an_event(run_no, 2))
        assert store.acquire(run_no, store.enroll(an_owner("other")), after=1) is not None
        with pytest.raises(LeaseLostError):
            await journal.commit(an_event(run_no, 3))
        assert [type(error) for error in told] == [LeaseLostError]
        assert [event.seq for event in store.events(run_no)] == [1, 2]
        await journal.close()

    asyncio.run(test())
