"""Engines take submitted runs from a store that they share, drive several, and hand them on."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

import fanwise
from fanwise.definition import load
from fanwise.engine.claimed import LoadPlans
from fanwise.engine.claiming import ClaimingEngine
from fanwise.engine.run_factory import RunFactory
from fanwise.engine.taking import Taking, Takings
from fanwise.errors import DefinitionError, Diagnostic, ParameterError, Place, StoreError
from fanwise.model import (
    Claim,
    EngineRecord,
    Owner,
    Record,
    RequestKind,
    Run,
    RunLimit,
    RunRecord,
    RunRequest,
    Status,
    Submission,
)
from fanwise.packs.folders import load_actions
from fanwise.plan import Plan, compile_plan
from fanwise.ports import Observer, ProcessState
from fanwise.stores import Store
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.system import EnvironmentSecrets, SystemClock
from fanwise.testing.chance import FixedChance
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.stores import StoreWrapper

HOUR_S = 3_600.0
PATIENCE_S = 60.0  # a test that waits longer than that fails
ONE = "tasks: [{name: a, action: test.do}]"
WAIT = """
tasks:
  - name: each
    action: test.wait
    with-items: {range: 3}
    concurrency: 1
    input: {n: "{{ item }}"}
"""


class Log(Takings):
    """What happens, for a test to wait for."""

    def __init__(self) -> None:
        self.ended: asyncio.Queue[Run] = asyncio.Queue()
        self.taken: list[str] = []
        self.notices: asyncio.Queue[str] = asyncio.Queue()
        self.broken: asyncio.Queue[str] = asyncio.Queue()
        self.gone: list[tuple[int, Sequence[str]]] = []
        self.failures: asyncio.Queue[StoreError] = asyncio.Queue()

    def observe(self, claim: Claim) -> Observer:
        self.taken.append(claim.run_id)
        log = self

        class Ended(Observer):
            def notice(self, text: str) -> None:
                log.notices.put_nowait(text)

            def run_ended(self, run: Run) -> None:
                log.ended.put_nowait(run)

        return Ended()

    def run_broke_off(self, run_id: str, why: str) -> None:
        self.broken.put_nowait(why)

    def engine_gone(self, engine: EngineRecord, run_ids: Sequence[str]) -> None:
        self.gone.append((engine.engine_no, run_ids))

    def store_failed(self, error: StoreError) -> None:
        self.failures.put_nowait(error)


class KnownProcesses:
    """Processes of which a test says what has become of them, by their tokens."""

    def __init__(self) -> None:
        self.states: dict[str, ProcessState] = {}
        self.count = 0

    def this(self) -> Owner:
        self.count += 1
        return an_owner(f"this-{self.count}")

    def state(self, owner: Owner) -> ProcessState:
        return self.states.get(owner.token, ProcessState.UNKNOWN)


class Shared:
    """A store that engines in one event loop share, with a clock that the test moves."""

    def __init__(self, loom: Any) -> None:
        self.time = ManualClock()
        self.path = loom.folder / "shared.db"
        self.store: Store = self.open()
        self.processes = KnownProcesses()
        self.loom = loom
        loom.clock = SystemClock()
        self.plans: dict[str, Plan] = {}
        self.begun: asyncio.Queue[int] = asyncio.Queue()
        self.go = asyncio.Event()

    def open(self, ahead_s: float = 0.0) -> Store:
        """The store as another process has it open, whose clock may be ahead."""
        return open_sqlite(self.path, durability="off", now=lambda: self.time.now() + ahead_s)

    def submit(
        self,
        run_id: str,
        text: str = ONE,
        plan: Plan | None = None,
        limit: RunLimit | None = None,
        **how: Any,
    ) -> int:
        @fanwise.action("test.wait")
        async def wait(n: int) -> int:
            self.begun.put_nowait(n)
            await self.go.wait()
            return n

        @fanwise.action("test.do")
        async def do() -> int:
            return 1

        plan = self.plans[run_id] = plan or self.loom.plan(text, wait, do)
        factory = RunFactory(SystemClock(), FixedChance(), EnvironmentSecrets({}))
        record = factory.submitted(plan, {}, run_id, ())
        if limit is not None:
            record = replace(record, origin=replace(record.origin, limit=limit))
        self.store.submit(record, Submission(**how))
        found = self.store.run(run_id)
        assert found is not None
        return found.run_no

    async def load(self, record: RunRecord, _: str | None) -> tuple[Plan, Plan]:
        return (self.plans[record.id],) * 2

    @asynccontextmanager
    async def working(
        self,
        *,
        load: LoadPlans | None = None,
        store: Store | None = None,
        ahead_s: float = 0.0,
        **options: Any,
    ) -> AsyncIterator[tuple[Taking, Log]]:
        """An engine at work; at the end of the block it is stopped."""
        store = store or self.open(ahead_s)
        self.loom.store, self.loom.processes = store, self.processes
        services, log = self.loom.services(), Log()
        engine = ClaimingEngine(store, services, EnvironmentSecrets({}))
        services = replace(services, clock=Mixed(self.time, ahead_s))
        taking = Taking(
            engine,
            services,
            load or self.load,
            **{"queues": ["default"], "lease_s": 15.0, "takings": log, **options},
        )
        working = asyncio.create_task(taking.work())
        try:
            yield taking, log
        finally:
            taking.stop()
            try:
                await soon(working)
            finally:
                store.close()

    def status(self, run_id: str) -> Status:
        found = self.store.run(run_id)
        assert found is not None
        return found.status

    def place(self, run_no: int) -> Submission:
        return self.store.submissions([run_no])[run_no]


class Mixed(SystemClock):
    """The machine's clock, which may be ahead, and whose monotonic time a test moves."""

    def __init__(self, clock: ManualClock, ahead_s: float) -> None:
        self.monotonic = clock.monotonic  # type: ignore[misc, assignment, method-assign]
        self._ahead_s = ahead_s

    def now(self) -> float:
        return super().now() + self._ahead_s


async def soon(what: Any) -> Any:
    return await asyncio.wait_for(what, PATIENCE_S)


@pytest.fixture
def shared(loom: Any) -> Iterator[Shared]:
    own = loom.store
    shared = Shared(loom)
    yield shared
    shared.store.close()
    loom.store = own


def play(part: Coroutine[Any, Any, None]) -> None:
    asyncio.run(part)


@pytest.mark.parametrize("ahead_s", [0.0, HOUR_S, -HOUR_S])
def test_two_engines_share_the_runs_and_none_is_driven_twice(
    shared: Shared, ahead_s: float
) -> None:
    """Also runs that are submitted while both are idle, and whatever their clocks say."""

    async def share() -> None:
        for number in range(10):
            shared.submit(f"early-{number}")
        ended: asyncio.Queue[Run] = asyncio.Queue()
        first, second = shared.working(most=2), shared.working(most=2, ahead_s=ahead_s)
        async with first as (_, a), second as (_, b):
            a.ended = b.ended = ended
            for number in range(10):
                shared.submit(f"late-{number}")
            for _ in range(20):
                await soon(ended.get())
            assert sorted(a.taken + b.taken) == sorted(shared.store.run_ids())
        assert {shared.status(each) for each in shared.store.run_ids()} == {Status.SUCCEEDED}
        assert list(shared.store.engines()) == []

    play(share())


def test_an_engine_takes_as_many_as_it_has_room_for(shared: Shared) -> None:
    """The next one when one has ended, the one with the highest priority first."""

    async def fill() -> None:
        for number in range(3):
            shared.submit(f"r-{number}", WAIT, priority=number)
        async with shared.working(most=2) as (_, log):
            for _ in range(2):
                await soon(shared.begun.get())
            assert log.taken == ["r-2", "r-1"]
            (engine,) = shared.store.engines()
            assert engine.runs == ("r-1", "r-2")
            assert shared.status("r-0") is Status.PENDING
            shared.go.set()
            for _ in range(3):
                assert (await soon(log.ended.get())).status is Status.SUCCEEDED

    play(fill())


def test_the_runs_of_a_backfill_follow_each_other(shared: Shared) -> None:
    """Each ends with the slot that it has, though its workflow has no limit on its runs."""

    async def follow() -> None:
        limit = RunLimit("tick/each", "backfill", is_backfill=True)
        for number in range(3):
            shared.submit(f"r-{number}", limit=limit)
        async with shared.working(most=2) as (_, log):
            for _ in range(3):
                await soon(log.ended.get())
            assert log.taken == ["r-0", "r-1", "r-2"]
        assert list(shared.store.limits()) == []

    play(follow())


def test_an_engine_without_runs_stays_in_the_store_until_it_is_stopped(shared: Shared) -> None:
    """Between two runs as well."""

    async def stay() -> None:
        shared.submit("r")
        async with shared.working() as (_, log):
            await soon(log.ended.get())
            (engine,) = shared.store.engines()
            assert engine.runs == ()
        assert list(shared.store.engines()) == []

    play(stay())


def test_a_run_that_an_engine_stops_amid_goes_on_with_another_one(shared: Shared) -> None:
    """Nothing recorded is done again, no try is counted, and it is told as pending."""

    async def hand_on() -> None:
        run_no = shared.submit("r", WAIT)
        async with shared.working() as (taking, log):
            assert await soon(shared.begun.get()) == 0
            taking.stop()
            shared.go.set()
            run = await soon(log.ended.get())
            assert run.status is Status.PENDING
        place = shared.place(run_no)
        assert (place.is_waiting, place.why, place.tries) == (True, "engine stopped", 0)
        assert shared.status("r") is Status.PENDING
        async with shared.working() as (_, log):
            assert (await soon(log.ended.get())).status is Status.SUCCEEDED
            assert [shared.begun.get_nowait() for _ in range(2)] == [1, 2]

    play(hand_on())


def test_a_run_that_is_paused_from_elsewhere_stays_paused(shared: Shared) -> None:
    """Whoever has paused it resumes it; no engine takes it by itself."""

    async def pause() -> None:
        run_no = shared.submit("r", WAIT)
        async with shared.working() as (_, log):
            await soon(shared.begun.get())
            shared.store.send(run_no, RunRequest(RequestKind.PAUSE))
            assert "asks to pause" in await soon(log.notices.get())
            shared.go.set()
            assert (await soon(log.ended.get())).status is Status.PAUSED
            assert not shared.place(run_no).is_waiting
        assert shared.status("r") is Status.PAUSED

    play(pause())


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DefinitionError((Diagnostic(Place("f", 1, 2), "unknown-action", "no such"),)), "no such"),
        (ParameterError("the secret is not set"), "is not set"),
    ],
)
def test_a_run_that_cannot_be_driven_here_fails_alone(
    shared: Shared, error: Exception, text: str
) -> None:
    """With the error, under its token; the engine goes on with others."""

    async def load(record: RunRecord, _: str | None) -> tuple[Plan, Plan]:
        if record.id == "bad":
            raise error
        return (shared.plans[record.id],) * 2

    async def fail() -> None:
        shared.submit("bad", priority=1)
        shared.submit("good")
        async with shared.working(load=load, most=1) as (_, log):
            bad, good = [await soon(log.ended.get()) for _ in range(2)]
            assert (bad.id, bad.status, good.status) == ("bad", Status.FAILED, Status.SUCCEEDED)
        found = shared.store.run("bad")
        assert found is not None
        assert found.status is Status.FAILED
        assert found.error is not None
        assert found.error.type == "CannotRun"
        assert text in found.error.message

    play(fail())


def test_an_error_of_the_engines_own_is_a_try(shared: Shared) -> None:
    """The run waits again, six times in a row; then it fails, and no other run suffers."""

    async def load(record: RunRecord, _: str | None) -> tuple[Plan, Plan]:
        raise ZeroDivisionError("a value that nobody may read")

    async def break_off() -> None:
        run_no = shared.submit("r")
        async with shared.working(load=load) as (_, log):
            for _ in range(6):
                assert await soon(log.broken.get()) == "internal error: ZeroDivisionError"
            run = await soon(log.ended.get())
            assert run.error is not None
            assert run.error.type == "RunKeepsFailing"
            assert "6 engines in a row" in run.error.message
            assert "ZeroDivisionError" in run.error.message
            assert "nobody may read" not in run.error.message
        assert not shared.place(run_no).is_waiting

    play(break_off())


@pytest.mark.parametrize("ahead_s", [0.0, HOUR_S, -HOUR_S])
def test_an_engine_that_is_gone_loses_its_runs_within_its_lease(
    shared: Shared, ahead_s: float
) -> None:
    """By the beats that the others have watched, not by what the clock of either says."""

    async def take_over() -> None:
        shared.submit("r")
        elsewhere = shared.open(ahead_s)
        lost = elsewhere.enroll(an_owner("lost"))
        elsewhere.claim(lost, ["default"], 1)
        elsewhere.close()
        async with shared.working(lease_s=1e6) as (taking, log):  # it looks only when it is told to
            for _ in range(3):
                await taking.look_for_gone_engines()
                assert log.gone == []
                shared.time.advance(5.0)
            await taking.look_for_gone_engines()
            # This engine beats by another clock, and may be silent for as long by this one.
            assert [each for each in log.gone if each[0] == lost] == [(lost, ["r"])]
            assert (await soon(log.ended.get())).status is Status.SUCCEEDED

    play(take_over())


def test_an_engine_whose_process_has_died_loses_its_runs_at_once(shared: Shared) -> None:
    """Where that can be told."""

    async def take_over() -> None:
        shared.submit("r")
        shared.store.claim(shared.store.enroll(an_owner("dead")), ["default"], 1)
        shared.processes.states["dead"] = ProcessState.GONE
        async with shared.working() as (_, log):
            assert (await soon(log.ended.get())).status is Status.SUCCEEDED

    play(take_over())


def test_an_engine_that_was_taken_for_dead_comes_back_under_another_number(
    shared: Shared,
) -> None:
    """It takes runs again then."""

    async def come_back() -> None:
        async with shared.working() as (_, log):
            while not (engines := shared.store.engines()):
                await asyncio.to_thread(shared.store.await_change, 0.1)
            (engine,) = engines
            shared.store.reap(engine.engine_no, engine.beats)
            shared.time.advance(15.0)
            while not shared.store.engines():
                await asyncio.to_thread(shared.store.await_change, 0.1)
            shared.submit("r")
            assert (await soon(log.ended.get())).status is Status.SUCCEEDED

    play(come_back())


def test_a_store_that_is_away_for_a_while_stops_no_idle_engine(shared: Shared) -> None:
    """It says so, and looks again."""

    class Away(StoreWrapper):
        fails = 2

        def has_work(self, queues: Sequence[str]) -> bool:
            if self.fails:
                self.fails -= 1
                raise StoreError("the store is locked.")
            return super().has_work(queues)

    async def wait() -> None:
        async with shared.working(store=Away(shared.open())) as (_, log):
            assert str(await soon(log.failures.get())) == "the store is locked."
            shared.submit("r")
            assert (await soon(log.ended.get())).status is Status.SUCCEEDED

    play(wait())


def test_a_look_of_an_idle_engine_asks_the_store_one_thing(shared: Shared) -> None:
    """Looks may be five a second, and each of them is one statement."""
    asked: list[str] = []

    class Listening(StoreWrapper):
        def __getattribute__(self, name: str) -> Any:
            if name in ("has_work", "wake_due", "claim", "enroll", "beat"):
                asked.append(name)
            return super().__getattribute__(name)

    async def look() -> None:
        async with shared.working(store=Listening(shared.open())) as (taking, _):
            asked.clear()
            await taking._take(lambda: 1)
            assert set(asked) <= {"has_work", "enroll"}

    play(look())


def test_a_store_that_fails_amid_a_run_ends_the_work(shared: Shared) -> None:
    """Whoever holds leases that it can't give back has to leave."""

    class Full(StoreWrapper):
        def commit(self, *given: Any, **how: Any) -> bool:
            raise StoreError("the disk is full.")

    async def fail() -> None:
        shared.submit("r")
        with pytest.raises(StoreError, match="the disk is full"):
            async with shared.working(store=Full(shared.open())) as (taking, _):
                await soon(taking._stop.wait())

    play(fail())


ASK = """
tasks:
  - {name: ask, action: core.ask, timeout: 1h, input: {prompt: "?", default: {choice: reject}}}
output: "{{ task.ask.output.choice }}"
"""


def ask_plan() -> Plan:
    """A plan with an action of the core pack."""
    return compile_plan(load(ASK, file="flow.yaml"), load_actions())


@pytest.mark.parametrize("by", ["an answer", "its deadline"])
def test_a_submitted_run_that_waits_is_taken_again_once_it_is_settled(
    shared: Shared, by: str
) -> None:
    """Meanwhile it is nobody's; the engine that takes it may be another one."""

    async def work() -> None:
        run_no = shared.submit("r", plan=ask_plan())
        async with shared.working() as (_, log):
            assert (await soon(log.ended.get())).status is Status.WAITING
        assert shared.status("r") is Status.WAITING
        assert [each.submitted for each in shared.store.engines()] == []
        async with shared.working() as (_, log):
            if by == "an answer":
                given = b'{"choice":"approve","answer":{}}'
                shared.store.answer_wait(run_no, "ask", 1, given, by="ada", via="cli")
            else:
                shared.time.advance(HOUR_S)
            run = await soon(log.ended.get())
            choice = "approve" if by == "an answer" else "reject"
            assert (run.status, run.output) == (Status.SUCCEEDED, choice)

    asyncio.run(work())


def test_an_answer_that_comes_as_a_run_is_left_is_not_lost(shared: Shared) -> None:
    """The engine looks once more after it has recorded that the run waits."""

    class AnsweredLate(StoreWrapper):
        def commit(
            self,
            records: Sequence[Record],
            tokens: Mapping[int, int] = {},
            *,
            at_once_bytes: int | None = None,
        ) -> bool:
            for each in records:
                if isinstance(each, RunRecord) and each.status is Status.WAITING:
                    given = b'{"choice":"approve","answer":{}}'
                    self.answer_wait(each.run_no, "ask", 1, given, by="ada", via="cli")
            return super().commit(records, tokens)

    async def work() -> None:
        shared.submit("r", plan=ask_plan())
        async with shared.working(store=AnsweredLate(shared.open())) as (_, log):
            statuses = [(await soon(log.ended.get())).status for _ in range(2)]
        assert statuses == [Status.WAITING, Status.SUCCEEDED]

    asyncio.run(work())
