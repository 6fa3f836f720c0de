"""Transactions on PostgreSQL that others overtake midway, at a statement that the test names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from benchmarks.postgres_server import PostgresServer
from fanwise.model import (
    DROPPED,
    EVENT,
    ChildSlot,
    Claim,
    OrderKind,
    RunLimit,
    RunOrder,
    RunOrigin,
    RunRecord,
    SlotWish,
    Submission,
    TriggerTurn,
)
from fanwise.stores import Store, open_store
from fanwise.stores.arrival_statements import LISTENERS
from fanwise.stores.database import Statement, Writer
from fanwise.stores.postgres_database import PostgresDatabase
from fanwise.stores.queue_statements import HOLDER, LOCK_SUBMISSION, STATE
from fanwise.stores.slot_statements import HOLDERS, LOCK_AS_BEFORE
from fanwise.stores.sql_ownership import BEAT, LOCK_HELD_BY, TAKE
from fanwise.stores.sql_queue import FREE
from fanwise.stores.sql_store import SqlStore
from fanwise.stores.store import PostgresPlace
from fanwise.stores.urls import parse
from fanwise.testing.arrivals_contract import an_event
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_run

QUEUES = ["default"]
LIMIT = RunLimit("called")
ONE_KEY = RunLimit("flow", most=9)
BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


class OvertakenDatabase(PostgresDatabase):
    """A database on which something happens once, before a statement in a transaction."""

    def __init__(self, place: PostgresPlace) -> None:
        super().__init__(place)
        self.left: list[tuple[Statement, Callable[[], object]]] = []
        self.begun = 0

    def overtake(self, statement: Statement, happens: Callable[[], object]) -> None:
        self.left.append((statement, happens))

    def controlling(self, work: Callable[[Writer], Any], settle: Any = None) -> Any:
        return super().controlling(self._overtaken(work), settle)

    def writing(
        self, work: Callable[[Writer], Any], settle: Any = None, witness: Any = None
    ) -> Any:
        return super().writing(self._overtaken(work), settle, witness)

    def _overtaken(self, work: Callable[[Writer], Any]) -> Callable[[Writer], Any]:
        def overtaken(writer: Any) -> Any:
            self.begun += 1
            writer.read = partial(self.meet, writer.read)
            writer.change = partial(self.meet, writer.change)
            return work(writer)

        return overtaken

    def meet(self, goes_on: Callable[..., Any], statement: Statement, **values: Any) -> Any:
        if self.left and self.left[0][0] == statement:
            self.left.pop()[1]()
        return goes_on(statement, **values)


class Overtaken:
    """Stores in one schema: a transaction of `slow` is overtaken by those of `fast` and `other`."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.fast = stack.enter_context(open_store(url))
        place = parse(url)
        assert isinstance(place, PostgresPlace)
        self.database, self.others = OvertakenDatabase(place), OvertakenDatabase(place)
        self.slow, self.other = (
            stack.enter_context(SqlStore(each)) for each in (self.database, self.others)
        )


@pytest.fixture
def stores(postgres_url: Callable[..., str]) -> Iterator[Overtaken]:
    with ExitStack() as stack:
        yield Overtaken(postgres_url(), stack)


def beats(store: Store, engine_no: int) -> int:
    return {each.engine_no: each.beats for each in store.engines()}[engine_no]


def driven(store: Store) -> tuple[int, int]:
    """A submitted run, and the engine that has taken it."""
    store.submit(a_run("caller"), Submission())
    engine_no = store.enroll(an_owner("first"))
    (claim,) = store.claim(engine_no, QUEUES, 1)
    return claim.lease.run_no, engine_no


TAKINGS: dict[str, tuple[Statement, Callable[[Store, int, int], object]]] = {
    "taken over": (
        TAKE,
        lambda store, run_no, _: store.acquire(run_no, store.enroll(an_owner("other")), after=1),
    ),
    "put back": (
        LOCK_HELD_BY,
        lambda store, run_no, _: store.put_back(run_no, 1, "stopped", counts=False),
    ),
    "ordered": (
        FREE,
        lambda store, run_no, _: store.order(
            a_run("caller", run_no=run_no),
            RunOrder(kind=OrderKind.CANCEL, by="ada"),
            Submission(),
            after=1,
        ),
    ),
    "put back for a dead engine": (
        STATE,
        lambda store, _, engine_no: store.reap(engine_no, beats(store, engine_no)),
    ),
}


@pytest.mark.parametrize("way", TAKINGS)
def test_a_slot_that_a_call_gets_while_its_run_is_taken_away_is_free_for_others(
    stores: Overtaken, way: str
) -> None:
    """A run that waits for it is released by the transaction that takes the run away."""
    fast = stores.fast
    run_no, engine_no = driven(fast)

    def call() -> None:
        fast.take_child(ChildSlot(run_no, "call[0]", 1), SlotWish("caller", LIMIT))
        fast.submit(a_run("waits", origin=RunOrigin(limit=LIMIT)), Submission())
        assert not fast.claim(fast.enroll(an_owner("third")), QUEUES, 10)

    statement, take_away = TAKINGS[way]
    stores.database.overtake(statement, call)
    take_away(stores.slow, run_no, engine_no)
    claims = fast.claim(fast.enroll(an_owner("fourth")), QUEUES, 10)
    assert "waits" in [each.run_id for each in claims]


def test_an_engine_that_is_taken_for_dead_gets_no_run(stores: Overtaken) -> None:
    """Nobody would look for a run of an engine that isn't recorded any more."""
    run_no = stores.fast.create_run(a_run())
    engine_no = stores.slow.enroll(an_owner())
    stores.database.overtake(BEAT, lambda: stores.fast.reap(engine_no, 0))
    assert stores.slow.acquire(run_no, engine_no) is None
    assert stores.fast.lease(run_no) is None


def test_an_event_that_is_committed_after_a_later_one_is_delivered(stores: Overtaken) -> None:
    """Numbers are given out before commits, so no trigger remembers how far it has read."""
    names = ("flow", "each")

    def later() -> None:
        stores.fast.arrive([an_event("later")])
        (taken,) = stores.fast.delivered(*names, most=9)
        sorted_ = ((taken.arrival_no, DROPPED),)
        (done,) = stores.fast.take_turns(
            [TriggerTurn(workflow="flow", name="each", turn=1, sorted=sorted_)]
        )
        assert done == []

    stores.fast.take_turns([TriggerTurn(workflow="flow", name="each", turn=0, listens=("paid",))])
    stores.database.overtake(LISTENERS, later)
    stores.slow.arrive([an_event("earlier")])
    assert [each.id for each in stores.fast.delivered(*names, most=9)] == ["earlier"]
    first, second = (stores.fast.arrival(EVENT, "paid", each) for each in ("earlier", "later"))
    assert first is not None
    assert second is not None
    assert first.arrival_no < second.arrival_no


def put_back(store: Store, run_no: int, engine_no: int) -> object:
    return store.put_back(run_no, 1, "stopped", counts=True)


def acquire(store: Store, run_no: int, engine_no: int) -> object:
    return store.acquire(run_no + 1, engine_no)


def start(store: Store, run_no: int, engine_no: int) -> object:
    run = a_run("new", origin=RunOrigin(limit=ONE_KEY))
    return store.create_run(run, engine_no=engine_no)


@pytest.mark.parametrize(
    ("change", "amid"),
    [
        (put_back, HOLDER),
        (acquire, LOCK_SUBMISSION),
        (start, HOLDERS),
    ],
)
def test_an_engine_that_changes_its_runs_and_who_reaps_it_never_wait_for_each_other(
    stores: Overtaken,
    postgres: PostgresServer,
    change: Callable[[Store, int, int], object],
    amid: Statement,
) -> None:
    """An engine that was silent for too long may go on at the moment at which its runs are taken.

    The one of the two transactions that PostgreSQL would break off were begun once more.
    """
    for name in ("taken", "waits"):
        stores.fast.submit(a_run(name, origin=RunOrigin(limit=ONE_KEY)), Submission())
    engine_no = stores.fast.enroll(an_owner())
    (claim,) = stores.fast.claim(engine_no, QUEUES, 1)
    known = beats(stores.fast, engine_no)
    reaping = beside(
        stores,
        postgres,
        amid,
        lambda: change(stores.slow, claim.lease.run_no, engine_no),
        lambda: stores.other.reap(engine_no, known),
    )
    assert reaping == []
    assert (stores.database.begun, stores.others.begun) == (1, 1)


def beside(
    stores: Overtaken,
    postgres: PostgresServer,
    amid: Statement,
    change: Callable[[], object],
    other: Callable[[], object],
) -> object:
    """What another transaction gives that begins amid a change, and goes on as far as it can."""
    with ThreadPoolExecutor() as pool:

        def begin() -> None:
            begun.append(pool.submit(other))
            with postgres.connect() as connection:
                while not connection.execute(BLOCKED).fetchone() and not begun[0].done():
                    pass

        begun: list[Future[object]] = []
        stores.database.overtake(amid, begin)
        change()
        return begun.pop().result()


@pytest.mark.parametrize(
    "change",
    [
        lambda store, run: store.end_waiting(run, "ada"),
        lambda store, run: store.order(
            run, RunOrder(kind=OrderKind.CANCEL, by="ada"), Submission(), after=0
        ),
        lambda store, run: store.acquire(run.run_no, store.engines()[1].engine_no) is not None,
    ],
    ids=["cancelled", "ordered", "acquired"],
)
def test_who_takes_a_run_and_who_changes_it_never_wait_for_each_other(
    stores: Overtaken, postgres: PostgresServer, change: Callable[[Store, RunRecord], bool]
) -> None:
    """The run is taken then, and the limit that both of them count is the same."""
    stores.fast.submit(a_run("ready", origin=RunOrigin(limit=ONE_KEY)), Submission())
    run = stores.fast.run("ready")
    assert run is not None
    engine_no = stores.fast.enroll(an_owner())
    stores.fast.enroll(an_owner("other"))
    claims: list[Claim] = []
    changed = beside(
        stores,
        postgres,
        LOCK_AS_BEFORE,
        lambda: claims.extend(stores.slow.claim(engine_no, QUEUES, 1)),
        lambda: change(stores.other, run),
    )
    assert changed is False
    assert [each.run_id for each in claims] == ["ready"]
    assert (stores.database.begun, stores.others.begun) == (1, 1)
