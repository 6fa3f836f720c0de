"""Whatever happens to runs under limits: never more at a time than slots, and each has its turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from fanwise.errors import LeaseLostError, NoSlotError
from fanwise.model import ChildSlot, Lease, RunLimit, RunOrigin, SlotWish, Status, Submission
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_run, an_event
from fanwise.testing.stores import MemoryStore

MOST = {"a": 1, "b": 2, "c": 3}
QUEUES = ("first", "second")
keys = st.sampled_from(sorted(MOST))


class Slots(RuleBasedStateMachine):
    """Runs of three keys, in two queues and driven by hand, that call workflows of these keys.

    Engines die.
    """

    driven, paused = Bundle("driven"), Bundle("paused")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.store = self.new_store()
        self.engines = [self.store.enroll(an_owner("0"))]
        self.key_of: dict[int, str] = {}
        self.holding: set[int] = set()
        self.calls: dict[tuple[int, str], tuple[str, int]] = {}  # their keys, and tokens of runs
        self.count = 0

    def new_store(self) -> Store:
        return MemoryStore(self.clock.now)

    def holders(self, key: str) -> list[int]:
        """The runs that have slots of a key, once for each."""
        own = [run_no for run_no in self.holding if self.key_of[run_no] == key]
        return [*own, *(run_no for (run_no, _), (each, _) in self.calls.items() if each == key)]

    def drop_calls(self, run_no: int) -> None:
        self.calls = {place: each for place, each in self.calls.items() if place[0] != run_no}

    def new(self, key: str) -> Any:
        self.count += 1
        limit = RunLimit("monitor", key, MOST[key])
        return a_run(f"run-{self.count}", origin=RunOrigin(limit=limit))

    def noted(self, run_id: str, key: str) -> int:
        found = self.store.run(run_id)
        assert found is not None
        self.key_of[found.run_no] = key
        return found.run_no

    def has(self, run_no: int) -> bool:
        lease = self.store.lease(run_no)
        return lease is not None and lease.engine_no is not None

    @rule(key=keys, queue=st.sampled_from(QUEUES), priority=st.integers(-3, 3))
    def submit(self, key: str, queue: str, priority: int) -> None:
        run = self.new(key)
        self.store.submit(run, Submission(queue, priority))
        self.noted(run.id, key)

    @rule(target=driven, key=keys)
    def start(self, key: str) -> Any:
        run = self.new(key)
        full = len(self.holders(key)) >= MOST[key]
        try:
            run_no = self.store.create_run(run, self.engines[-1])
        except NoSlotError:
            assert full
            return multiple()
        assert not full
        self.noted(run.id, key)
        self.holding.add(run_no)
        return self.store.lease(run_no)

    @precondition(lambda self: self.count > 0)
    @rule(target=driven, most=st.integers(1, 3), called=st.none() | keys)
    def claim(self, most: int, called: str | None) -> Any:
        claims = self.store.claim(self.engines[-1], QUEUES, most)
        self.holding |= {each.lease.run_no for each in claims}
        for each in claims if called else ():
            self.call(each.lease, called, 0)
        return multiple(*[each.lease for each in claims])

    def is_held(self, lease: Lease) -> bool:
        held = self.store.lease(lease.run_no)
        assert held is not None
        return (held.token, held.engine_no) == (lease.token, lease.engine_no)

    @rule(lease=driven, key=keys, number=st.integers(0, 2))
    def call(self, lease: Lease, key: str, number: int) -> None:
        """The run calls a workflow, or calls it once more, or would if it still were driven."""
        child = ChildSlot(lease.run_no, f"{key}[{number}]", lease.token)
        place = child.run_no, child.path
        try:
            self.store.take_child(child, SlotWish("caller", RunLimit("monitor", key, MOST[key])))
        except NoSlotError:
            assert len(self.holders(key)) >= MOST[key]
            assert place not in self.calls
        except LeaseLostError:
            assert not self.is_held(lease)
        else:
            self.calls.setdefault(place, (key, lease.token))

    @rule(lease=driven, key=keys, number=st.integers(0, 2))
    def return_(self, lease: Lease, key: str, number: int) -> None:
        child = ChildSlot(lease.run_no, f"{key}[{number}]", lease.token)
        self.store.free_child(child, RunLimit("monitor", key, MOST[key]))
        if self.calls.get((child.run_no, child.path)) == (key, lease.token):
            del self.calls[child.run_no, child.path]

    def commit(self, lease: Lease, status: Status) -> bool:
        if not self.is_held(lease):
            return False
        run = self.store.run(f"run-{self.ids()[lease.run_no]}")
        assert run is not None
        started = run.started_at or self.clock.now()
        self.store.commit(
            [replace(run, status=status, started_at=started)], {lease.run_no: lease.token}
        )
        self.holding.discard(lease.run_no)
        return True

    def ids(self) -> dict[int, str]:
        return {
            found.run_no: run_id.removeprefix("run-")
            for run_id in self.store.run_ids()
            if (found := self.store.run(run_id)) is not None
        }

    @rule(lease=consumes(driven), status=st.sampled_from([Status.SUCCEEDED, Status.CANCELLED]))
    def end(self, lease: Lease, status: Status) -> None:
        if self.commit(lease, status):
            self.release(lease)

    def release(self, lease: Lease) -> None:
        self.store.release(lease.run_no, lease.token)
        self.drop_calls(lease.run_no)

    @rule(target=paused, lease=consumes(driven))
    def pause(self, lease: Lease) -> Any:
        if not self.commit(lease, Status.PAUSED):
            return multiple()
        self.release(lease)
        return lease.run_no

    @rule(target=driven, run_no=consumes(paused))
    def resume(self, run_no: int) -> Any:
        key, after = self.key_of[run_no], self.store.lease(run_no)
        assert after is not None
        if after.engine_no is not None:
            return multiple()
        wish = SlotWish("resumed", RunLimit("monitor", key, MOST[key]))
        with suppress(NoSlotError):
            lease = self.store.acquire(run_no, self.engines[-1], after=after.token, wish=wish)
            assert lease is not None
            self.holding.add(run_no)
            return lease
        return multiple()

    @rule(lease=consumes(driven))
    def put_back(self, lease: Lease) -> None:
        places = self.store.submissions([lease.run_no])
        if self.is_held(lease):
            self.drop_calls(lease.run_no)
        self.store.put_back(lease.run_no, lease.token, "engine stopped", counts=False)
        if places and self.store.submissions([lease.run_no])[lease.run_no].is_waiting:
            self.holding.discard(lease.run_no)

    @precondition(lambda self: self.holding)
    @rule()
    def die(self) -> None:
        """The engine is gone without a word; the runs that weren't submitted are interrupted."""
        (beats,) = [e.beats for e in self.store.engines() if e.engine_no == self.engines[-1]]
        held = self.store.inbox(self.engines[-1]).tokens
        self.store.reap(self.engines[-1], beats)
        for run_no in self.store.submissions(list(held)):
            self.holding.discard(run_no)
            self.drop_calls(run_no)
        self.engines.append(self.store.enroll(an_owner(str(len(self.engines)))))

    @rule(seconds=st.integers(1, 2_000))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def never_more_than_the_limit(self) -> None:
        numbers, uses = self.ids(), {use.key: use for use in self.store.limits()}
        for use in uses.values():
            assert len(use.holders) <= use.most == MOST[use.key]
        for key in MOST:
            held = sorted(f"run-{numbers[run_no]}" for run_no in self.holders(key))
            assert sorted(uses[key].holders if key in uses else ()) == held

    @precondition(lambda self: self.count > 0)
    @invariant()
    def a_free_slot_has_a_run_ready(self) -> None:
        places = self.store.submissions(list(self.key_of))
        for key, most in MOST.items():
            free = most - len(self.holders(key))
            for queue in QUEUES:
                waiting = [
                    place
                    for run_no, place in places.items()
                    if self.key_of[run_no] == key and place.is_waiting and place.queue == queue
                ]
                ready = [place for place in waiting if not place.is_held_back]
                assert len(ready) >= min(max(free, 0), len(waiting))

    def teardown(self) -> None:
        """Everybody that waits has its turn, once those that have slots are through."""
        for run_no in sorted(self.holding):
            lease = self.store.lease(run_no)
            assert lease is not None
            if lease.engine_no != self.engines[-1]:
                lease = self.store.acquire(run_no, self.engines[-1], after=lease.token)
                assert lease is not None
            self.end_for_good(lease)
        while claims := self.store.claim(self.engines[-1], QUEUES, 10):
            for each in claims:
                self.end_for_good(each.lease)
        assert not any(each.is_waiting for each in self.store.submissions([*self.key_of]).values())
        assert list(self.store.limits()) == []

    def end_for_good(self, lease: Lease) -> None:
        assert self.commit(lease, Status.SUCCEEDED)
        self.store.commit([an_event(lease.run_no, 1)], {lease.run_no: lease.token})
        self.store.release(lease.run_no, lease.token)


TestSlots = Slots.TestCase
TestSlots.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_slots_on_postgres_are_never_too_many(postgres_store: Callable[..., Store]) -> None:
    """The same machine, with the store on a server."""

    class SlotsOnPostgres(Slots):
        def new_store(self) -> Store:
            return postgres_store(self.clock.now)

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                self.store.close()

    on_postgres = settings(max_examples=6, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(SlotsOnPostgres, settings=on_postgres)
