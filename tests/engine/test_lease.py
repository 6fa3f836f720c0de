"""One process at a time drives a run, and no other one takes it from a process that is there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

import fanwise
from fanwise.engine import Engine
from fanwise.engine.lease import LEASE_S, LeaseKeeper
from fanwise.engine.silence import Silence, SilenceWatch
from fanwise.errors import (
    ConflictError,
    LeaseLostError,
    RunDrivenError,
    RunNotFoundError,
    StoreError,
    StoreUnusableError,
)
from fanwise.model import (
    EndedRun,
    Inbox,
    Lease,
    Owner,
    RequestKind,
    RunRecord,
    RunRequest,
    Status,
)
from fanwise.ports import Observer, ProcessState, is_driven
from fanwise.stores import Store
from fanwise.system import EnvironmentSecrets
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_run
from fanwise.testing.stores import MemoryStore, StoreWrapper

PATIENCE_S = 60.0  # a test that waits longer than that fails


class KnownProcesses:
    """Processes of which a test says what has become of them; the first to ask is `this`."""

    def __init__(self, this: str = "this") -> None:
        self._this = an_owner(this)
        self.states: dict[str, ProcessState] = {}

    def this(self) -> Owner:
        return self._this

    def state(self, owner: Owner) -> ProcessState:
        return self.states.get(owner.token, ProcessState.ALIVE)


class WatchedStore(StoreWrapper):
    """Lets a test wait for beats and looks of the keeper's thread."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.beaten = threading.Semaphore(0)
        self.looked = threading.Semaphore(0)
        self.fails: StoreError | None = None

    def beat(self, engine_no: int) -> bool:
        is_known = super().beat(engine_no)
        self.beaten.release()
        return is_known

    def inbox(self, engine_no: int) -> Inbox:
        self.looked.release()
        if self.fails is not None:
            raise self.fails
        return super().inbox(engine_no)


class Keeping:
    """A keeper whose time a test moves, on a store that the test looks into."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = WatchedStore(MemoryStore(self.clock.now))
        self.processes = KnownProcesses()
        self.told: asyncio.Queue[str | bool] = asyncio.Queue()
        self.keeper = self.another(self.processes)
        self.asked: asyncio.Queue[RunRequest] = asyncio.Queue()
        self.lost: asyncio.Queue[StoreError] = asyncio.Queue()

    def another(self, processes: KnownProcesses, lease_s: float = LEASE_S) -> LeaseKeeper:
        return LeaseKeeper(
            self.store,
            self.store,
            processes,
            self.clock,
            fence=self.told.put_nowait,
            lease_s=lease_s,
            listen_s=0.001,
        )

    def engine(self, name: str = "a") -> int:
        return self.store.enroll(an_owner(name))

    def new_run(self, run_id: str = "run-1", **changes: Any) -> RunRecord:
        run_no = self.store.create_run(a_run(run_id, **changes))
        return a_run(run_id, run_no=run_no, **changes)

    def hold(self, run_id: str = "run-1") -> Lease:
        lease = self.keeper.take(self.new_run(run_id))
        self.keeper.hold(lease, self.asked.put_nowait, self.lost.put_nowait, self.told.put_nowait)
        return lease

    def look(self) -> None:
        """Return once the keeper has listened to its end at least once from now on."""
        forget(self.store.looked)
        for _ in range(2):
            assert self.store.looked.acquire(timeout=PATIENCE_S)

    def pass_time(self, seconds: float) -> None:
        """Return once the keeper has beaten after so much more time."""
        forget(self.store.beaten)
        self.clock.advance(seconds)
        assert self.store.beaten.acquire(timeout=PATIENCE_S)


def forget(done: threading.Semaphore) -> None:
    while done.acquire(blocking=False):
        pass


async def soon(what: Coroutine[Any, Any, Any]) -> Any:
    return await asyncio.wait_for(what, PATIENCE_S)


@pytest.fixture
def keeping() -> Keeping:
    return Keeping()


# who drives a run


@pytest.mark.parametrize(
    ("state", "fresh", "stale"),
    [
        (ProcessState.ALIVE, True, True),
        (ProcessState.GONE, False, False),
        (ProcessState.STOPPED, True, False),
        (ProcessState.UNKNOWN, True, False),
    ],
)
def test_a_run_is_driven_by_whoever_may_still_be_there(
    state: ProcessState, fresh: bool, stale: bool
) -> None:
    """One that is alive however long it is silent; one that stands still or is far for a while."""
    processes = KnownProcesses()
    processes.states["a"] = state
    lease = Lease(1, 1, 1, an_owner("a"))
    assert is_driven(replace(lease, silent_s=0.0), processes) is fresh
    assert is_driven(replace(lease, silent_s=LEASE_S - 1), processes) is fresh
    assert is_driven(replace(lease, silent_s=LEASE_S), processes) is stale
    assert is_driven(replace(lease, silent_s=1e9), processes) is stale


def test_a_run_that_was_never_taken_or_was_given_back_is_driven_by_nobody() -> None:
    """Neither has an owner."""
    assert not is_driven(None, KnownProcesses())
    assert not is_driven(Lease(1, 3, None, None), KnownProcesses())


# taking


def test_a_run_that_is_driven_is_not_taken(keeping) -> None:
    """The error says by which process, for how long, and for how long that has been silent."""
    record = keeping.new_run()
    keeping.store.acquire(record.run_no, keeping.engine())
    keeping.clock.advance(14)
    with pytest.raises(RunDrivenError) as caught:
        keeping.keeper.take(record)
    assert str(caught.value).startswith("run run-1 is driven by process 17 on höst-a, for 14 s.")
    keeping.clock.advance(7_200)
    with pytest.raises(RunDrivenError, match=r"for 120 min, and has said nothing for 120 min\."):
        keeping.keeper.take(record)


@pytest.mark.parametrize("state", [ProcessState.STOPPED, ProcessState.UNKNOWN])
def test_a_run_is_taken_from_whoever_is_silent_for_too_long(keeping, state) -> None:
    """If nothing else is known of it; until then it is refused."""
    record = keeping.new_run()
    keeping.processes.states["a"] = state
    keeping.store.acquire(record.run_no, keeping.engine())
    keeping.clock.advance(LEASE_S - 1)
    with pytest.raises(RunDrivenError):
        keeping.keeper.take(record)
    keeping.clock.advance(1)
    lease = keeping.keeper.take(record)
    assert (lease.token, lease.owner) == (2, an_owner("this"))


def test_a_run_is_taken_at_once_from_a_process_that_has_died(keeping) -> None:
    """And one that was given back from nobody."""
    record = keeping.new_run()
    keeping.processes.states["a"] = ProcessState.GONE
    keeping.store.acquire(record.run_no, keeping.engine())
    assert keeping.keeper.take(record).token == 2
    keeping.store.release(record.run_no, 2)
    assert keeping.keeper.take(record).token == 3


def test_of_two_that_take_a_run_one_is_told_of_the_other(keeping) -> None:
    """The slower one finds it taken between its look and its grasp."""
    record, faster = keeping.new_run(), keeping.another(KnownProcesses("faster"))
    take = keeping.store.acquire

    def acquire_late(*given: Any, **options: Any) -> Lease | None:
        keeping.store.acquire = take
        faster.take(record)
        return take(*given, **options)

    keeping.store.acquire = acquire_late
    with pytest.raises(RunDrivenError, match="driven by process 17 on höst-faster"):
        keeping.keeper.take(record)


def test_a_run_that_has_been_deleted_is_not_taken(keeping) -> None:
    """The message says that it is gone."""
    record = keeping.new_run(status=Status.PAUSED)
    assert keeping.store.delete_run(
        EndedRun(record.run_no, "run-1", "monitor", Status.PAUSED, record.created_at)
    )
    with pytest.raises(RunNotFoundError, match="run run-1 is gone"):
        keeping.keeper.take(record)


# keeping


def test_a_busy_event_loop_is_not_taken_for_dead(keeping) -> None:
    """The engine beats from a thread, which a busy loop doesn't hold up."""

    async def busy() -> None:
        lease = keeping.hold()
        for _ in range(3):
            keeping.pass_time(LEASE_S - 1)  # on the loop's own thread, which does nothing else
            held = keeping.store.lease(lease.run_no)
            assert held is not None
            assert held.silent_s == 0.0
        await keeping.keeper.release(lease)

    asyncio.run(busy())


def test_what_others_ask_is_heard_once(keeping) -> None:
    """On the event loop, however often the keeper looks; a stronger request is heard as well."""

    async def listen() -> list[RequestKind]:
        lease = keeping.hold()
        heard = []
        for kind in (RequestKind.PAUSE, RequestKind.PAUSE, RequestKind.CANCEL):
            keeping.store.send(lease.run_no, RunRequest(kind))
            await asyncio.to_thread(keeping.look)
        await keeping.keeper.release(lease)
        while not keeping.asked.empty():
            heard.append(keeping.asked.get_nowait().kind)
        return heard

    assert asyncio.run(listen()) == [RequestKind.PAUSE, RequestKind.CANCEL]


def test_a_lost_lease_is_reported_once_and_other_runs_are_kept(keeping) -> None:
    """The keeper finds another token in its mail, or none."""

    async def lose() -> None:
        lost, kept = keeping.hold("lost"), keeping.hold("kept")
        keeping.store.acquire(lost.run_no, keeping.engine("b"), after=lost.token)
        error = await soon(keeping.lost.get())
        assert error.run_no == lost.run_no
        await asyncio.to_thread(keeping.pass_time, LEASE_S)
        await keeping.keeper.release(lost)
        await keeping.keeper.release(kept)
        assert keeping.lost.empty()
        assert keeping.store.lease(lost.run_no).owner == an_owner("b")
        assert keeping.store.lease(kept.run_no).owner is None

    asyncio.run(lose())


def test_an_engine_that_drives_nothing_leaves_and_comes_back_with_a_new_number(keeping) -> None:
    """Its row is gone meanwhile."""

    async def drive() -> int:
        lease = keeping.hold()
        await keeping.keeper.release(lease)
        await keeping.keeper.leave()
        assert keeping.store.inbox(lease.engine_no) == Inbox({}, {})
        return lease.engine_no

    first = asyncio.run(drive())
    again = keeping.keeper.take(a_run(run_no=1))
    assert again.engine_no != first


def test_a_store_that_fails_for_a_while_loses_no_lease(keeping) -> None:
    """The keeper looks again; what can't be written is the journal's to tell."""

    async def fail() -> None:
        lease = keeping.hold()
        keeping.store.fails = StoreError("the store is locked.")
        await asyncio.to_thread(keeping.look)
        keeping.store.fails = None
        keeping.store.send(lease.run_no, RunRequest(RequestKind.PAUSE))
        assert (await soon(keeping.asked.get())).kind is RequestKind.PAUSE
        assert keeping.lost.empty()
        await keeping.keeper.release(lease)

    asyncio.run(fail())


def test_an_engine_that_cannot_beat_for_its_lease_is_fenced_until_it_can(keeping) -> None:
    """It says so once, and once more when the store answers again."""
    keeping.keeper = keeping.another(keeping.processes, lease_s=0.05)

    async def fail() -> None:
        lease = keeping.hold()
        keeping.store.fails = StoreError("the store is locked.")
        assert "nothing new starts until it answers" in await soon(keeping.told.get())
        assert await soon(keeping.told.get()) is True
        keeping.store.fails = None
        assert "the store answers again" in await soon(keeping.told.get())
        assert await soon(keeping.told.get()) is False
        await keeping.keeper.release(lease)
        assert keeping.told.empty()
        assert keeping.lost.empty()

    asyncio.run(fail())


def test_an_engine_that_gives_its_runs_back_while_it_is_fenced_may_drive_others(keeping) -> None:
    """A fence doesn't outlive the keeper's threads."""
    keeping.keeper = keeping.another(keeping.processes, lease_s=0.05)

    async def fail() -> None:
        lease = keeping.hold()
        keeping.store.fails = StoreError("the store is locked.")
        await soon(keeping.told.get())
        assert await soon(keeping.told.get()) is True
        await keeping.keeper.release(lease)
        assert await soon(keeping.told.get()) is False

    asyncio.run(fail())


def test_a_silence_is_told_by_stages_and_a_short_one_not_at_all() -> None:
    """From the first question without an answer on."""
    told: list[tuple[Silence, float]] = []
    clock = ManualClock()
    watch = SilenceWatch(12.0, lambda *each: told.append(each), clock.monotonic)

    def pass_time(*spans: float) -> None:
        for seconds in spans:
            watch.ask()
            clock.advance(seconds)
            watch.look()

    pass_time(1.5)
    watch.answered()
    pass_time(1.5, 1.5, 1.0, 9.0, 5.0)
    watch.answered()
    clock.advance(1.0)
    watch.look()
    watch.look()
    assert told == [(Silence.TOLD, 3.0), (Silence.FENCED, 13.0), (Silence.NONE, 19.0)]


def test_a_store_that_can_not_be_used_any_more_stops_every_run_at_once(keeping) -> None:
    """Also where nothing is to be recorded for hours."""

    async def fail() -> None:
        leases = [keeping.hold("a"), keeping.hold("b")]
        keeping.store.fails = gone = StoreUnusableError("the file was removed.")
        assert [await soon(keeping.lost.get()) for _ in leases] == [gone, gone]
        for lease in leases:
            await keeping.keeper.release(lease)
        assert keeping.lost.empty()

    asyncio.run(fail())


def test_a_run_that_is_given_back_can_be_taken_again_at_once(keeping) -> None:
    """By this process, on another event loop, and its requests are heard there."""

    async def drive(hold: Callable[[], Lease]) -> RequestKind:
        lease = hold()
        keeping.store.send(lease.run_no, RunRequest(RequestKind.PAUSE))
        heard: RunRequest = await soon(keeping.asked.get())
        await keeping.keeper.release(lease)
        return heard.kind

    def hold_again() -> Lease:
        keeping.asked = asyncio.Queue()
        lease = keeping.keeper.take(a_run(run_no=1))
        keeping.keeper.hold(lease, keeping.asked.put_nowait, keeping.lost.put_nowait, print)
        return lease

    assert asyncio.run(drive(keeping.hold)) is RequestKind.PAUSE
    assert asyncio.run(drive(hold_again)) is RequestKind.PAUSE
    assert keeping.store.lease(1).token == 2


# runs


def test_a_run_that_was_taken_writes_nothing_more_and_says_who_has_it(loom) -> None:
    """Whatever its process was about to record."""

    @fanwise.action("test.take")
    async def take() -> str:
        (run,) = loom.store.unfinished()
        lease = loom.store.lease(run.run_no)
        loom.store.acquire(run.run_no, loom.store.enroll(an_owner("b")), after=lease.token)
        recorded.extend(loom.store.export(run.id))
        return "done"

    recorded: list[Any] = []
    text = "tasks: [{name: a, action: test.take, with-items: [1]}, {name: b, action: test.take}]"
    with pytest.raises(LeaseLostError, match="taken over by process 17 on höst-b"):
        loom.run(text, take)
    assert list(loom.store.export(recorded[0].id)) == recorded
    assert loom.store.lease(recorded[0].run_no).owner == an_owner("b")


def test_a_run_in_progress_is_neither_resumed_nor_retried(loom) -> None:
    """Not even by the process that drives it."""

    @fanwise.action("test.take_up")
    async def take_up() -> list[str]:
        record, plan = loom.record(), loom.plan(text, take_up)
        told = []
        for way in (loom.make_engine().aresume, loom.engine.aresume, loom.engine.aretry):
            with pytest.raises(ConflictError) as caught:
                await way(plan, record)
            told.append(caught.value.message)
        return told

    text = """
tasks: [{name: a, action: test.take_up}]
output: "{{ task.a.output }}"
"""
    run = loom.run(text, take_up)
    driven, again, not_over = run.output
    assert driven == again
    assert driven.startswith(f"run {run.id} is driven by process ")
    assert "isn't over" in not_over
    assert run.status is Status.SUCCEEDED


class Fenced(Observer):
    """Notes what had begun when the store answered again."""

    def __init__(self) -> None:
        self.is_fenced = asyncio.Event()
        self.begun: list[int] = []
        self.begun_by_then: list[int] | None = None

    def notice(self, text: str) -> None:
        if "nothing new starts" in text:
            self.is_fenced.set()
        if "answers again" in text:
            self.begun_by_then = [*self.begun]


def test_an_engine_that_is_fenced_starts_no_attempt(loom) -> None:
    """What is at work goes on, and the rest starts once the store has answered."""
    store = loom.store = WatchedStore(loom.store)
    watcher = loom.watcher = Fenced()
    loom.use_real_time()

    @fanwise.action("test.note")
    async def note(n: int) -> None:
        watcher.begun.append(n)
        if n == 0:
            store.fails = StoreError("the store is locked.")
            await soon(watcher.is_fenced.wait())
            store.fails = None

    loom.make_engine = lambda: Engine(store, loom.services(), EnvironmentSecrets({}), lease_s=0.4)
    run = loom.run(
        "tasks: [{name: a, action: test.note, with-items: {range: 3}, concurrency: 1,"
        ' input: {n: "{{ item }}"}}]',
        note,
    )
    assert run.status is Status.SUCCEEDED
    assert (watcher.begun_by_then, watcher.begun) == ([0], [0, 1, 2])
