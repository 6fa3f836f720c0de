"""Promises of every store about ownership and mail, as tests to mix into a `StoreContract`.

class TestMyStore(OwnershipContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from msgspec.structs import replace

from fanwise.errors import LeaseLostError, RecordRefusedError, RunExistsError
from fanwise.model import (
    Discard,
    EndedRun,
    Inbox,
    Lease,
    Owner,
    Record,
    RequestKind,
    RunRequest,
    Status,
)
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.records import LONG_RESULT, a_log, a_run, a_task, an_event, an_item

_Given = TypeVar("_Given")


def an_owner(name: str = "a") -> Owner:
    """A process, one for each name."""
    return Owner(host=f"höst-{name}", machine="boot/1", pid=17, started="4711", token=name)


class OwnershipContract:
    """The promises of `Ownership` and `Mailbox`, and of the tokens of `Journal.commit`."""

    # engines

    def test_each_engine_has_a_number_of_its_own(self, store: Store) -> None:
        """Also one that enrolls twice, and one that comes after an engine has left."""
        numbers = [store.enroll(an_owner()), store.enroll(an_owner())]
        store.leave(numbers[1])
        numbers.append(store.enroll(an_owner("b")))
        assert len(set(numbers)) == 3

    def test_a_beat_is_of_one_engine(self, store: Store, clock: ManualClock) -> None:
        """The lease counts the beats of its engine and the seconds since the last, of no other."""
        run_no, a, b = store.create_run(a_run()), store.enroll(an_owner()), store.enroll(an_owner())
        store.acquire(run_no, a)
        clock.advance(4.5)
        silent = store.lease(run_no)
        store.beat(b)
        assert store.lease(run_no) == silent
        assert silent is not None
        assert silent.silent_s == 4.5
        store.beat(a)
        clock.advance(1.0)
        heard = store.lease(run_no)
        assert heard == replace(silent, beats=silent.beats + 1, silent_s=1.0, held_s=5.5)

    def test_a_clock_that_is_set_back_makes_no_span_negative(
        self, store: Store, clock: ManualClock
    ) -> None:
        """A beat in the future is one of this moment."""
        run_no, engine_no = store.create_run(a_run()), store.enroll(an_owner())
        store.acquire(run_no, engine_no)
        clock.advance(-3_600)
        lease = store.lease(run_no)
        assert lease is not None
        assert (lease.silent_s, lease.held_s) == (0.0, 0.0)
        store.release(run_no, 1)
        given_back = store.lease(run_no)
        assert given_back is not None
        assert given_back.ran_s == 0.0

    def test_a_clock_that_is_set_back_prolongs_no_lease(
        self, store: Store, clock: ManualClock
    ) -> None:
        """An engine is silent from the time at which another one comes, at the latest."""
        run_no, engine_no = store.create_run(a_run()), store.enroll(an_owner())
        store.acquire(run_no, engine_no)
        clock.advance(-3_600)
        store.enroll(an_owner("another"))
        clock.advance(20)
        lease = store.lease(run_no)
        assert lease is not None
        assert lease.silent_s == 20

    def test_an_engine_that_has_left_vouches_for_nothing(self, store: Store) -> None:
        """Its beats and its mail are those of no run."""
        engine_no = store.enroll(an_owner())
        store.leave(engine_no)
        store.beat(engine_no)
        assert store.inbox(engine_no) == Inbox({}, {})

    # leases

    def test_a_run_that_was_never_driven_has_no_lease(self, store: Store) -> None:
        """Nor has a run that isn't recorded, and nothing that is done to it makes one."""
        run_no = store.create_run(a_run())
        for number in (run_no, 7_777):
            assert store.lease(number) is None
            store.release(number, 1)
            store.send(number, RunRequest(RequestKind.CANCEL))
            assert store.lease(number) is None
            assert list(store.requests(number)) == []

    def test_leases_of_many_runs_are_read_together(self, store: Store) -> None:
        """Each as alone, and none of a run that was never driven."""
        engine_no = store.enroll(an_owner())
        driven = [store.create_run(a_run(f"run-{number}"), engine_no) for number in range(2)]
        never = store.create_run(a_run("never"))
        found = store.leases([*driven, never, 7_777])
        assert {number: lease.token for number, lease in found.items()} == dict.fromkeys(driven, 1)
        assert {lease.owner for lease in found.values()} == {an_owner()}
        assert store.leases(range(10_000, 11_500)) == {}

    def test_the_first_engine_takes_the_run_from_nobody(self, store: Store) -> None:
        """It gets the lease as it can be read from then on, and no other run's changes."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        engine_no = store.enroll(an_owner())
        lease = store.acquire(run_no, engine_no)
        assert lease is not None
        assert (lease.run_no, lease.token, lease.engine_no) == (run_no, 1, engine_no)
        assert lease.owner == an_owner()
        assert store.lease(run_no) == lease
        assert store.lease(other) is None

    def test_a_new_run_can_have_its_lease_from_the_first_moment_on(self, store: Store) -> None:
        """So nobody ever sees it without an owner; one whose id is taken leaves no lease."""
        engine_no = store.enroll(an_owner())
        run_no = store.create_run(a_run(), engine_no)
        with pytest.raises(RunExistsError):
            store.create_run(a_run(), engine_no)
        assert store.inbox(engine_no).tokens == {run_no: 1}
        store.commit([an_item(run_no, 0)], {run_no: 1})

    def test_a_run_is_taken_only_from_the_lease_that_the_caller_has_seen(
        self, store: Store
    ) -> None:
        """With any other token nothing changes, and the caller learns that it came too late."""
        run_no = store.create_run(a_run())
        a, b, c = (store.enroll(an_owner(name)) for name in "abc")
        assert store.acquire(run_no, a, after=1) is None
        store.acquire(run_no, a)
        store.acquire(run_no, b, after=1)
        held = store.lease(run_no)
        for after in (0, 1, 3):
            assert store.acquire(run_no, c, after=after) is None
            assert store.lease(run_no) == held

    def test_tokens_grow_with_each_owner(self, store: Store) -> None:
        """Also when an engine takes a run from itself, and after the run was given back."""
        run_no = store.create_run(a_run())
        engines = {name: store.enroll(an_owner(name)) for name in "ab"}
        tokens = [0]
        for name in ("a", "b", "b"):
            lease = store.acquire(run_no, engines[name], after=tokens[-1])
            assert lease is not None
            assert lease.owner == an_owner(name)
            assert lease.token > tokens[-1]
            tokens.append(lease.token)
            store.release(run_no, lease.token)

    def test_a_run_that_is_gone_has_no_owner_any_more(self, store: Store) -> None:
        """Deleting it ends its lease, and nobody can take it again."""
        run_no, engine_no = store.create_run(a_run(status=Status.PAUSED)), store.enroll(an_owner())
        store.acquire(run_no, engine_no)
        assert store.delete_run(EndedRun(run_no, "run-1", "monitor", Status.PAUSED, 1.0))
        assert store.lease(run_no) is None
        assert store.inbox(engine_no) == Inbox({}, {})
        for after in (0, 1):
            assert store.acquire(run_no, engine_no, after=after) is None
        assert store.lease(run_no) is None
        with pytest.raises(LeaseLostError):
            store.commit([an_item(run_no, 0)], {run_no: 1})

    def test_a_run_that_is_given_back_has_no_owner(self, store: Store, clock: ManualClock) -> None:
        """Its token and the time that it was driven stay for the next owner."""
        run_no, engine_no = store.create_run(a_run()), store.enroll(an_owner())
        store.acquire(run_no, engine_no)
        clock.advance(2.5)
        store.release(run_no, 1)
        given_back = Lease(run_no, 1, None, None, ran_s=2.5)
        assert store.lease(run_no) == given_back
        clock.advance(9.0)
        store.release(run_no, 1)
        assert store.lease(run_no) == given_back

    def test_an_old_owner_changes_nothing(self, store: Store) -> None:
        """It can't give back a run that another engine has taken."""
        run_no = store.create_run(a_run())
        a, b = store.enroll(an_owner("a")), store.enroll(an_owner("b"))
        store.acquire(run_no, a)
        held = store.acquire(run_no, b, after=1)
        store.release(run_no, 1)
        assert store.lease(run_no) == held
        assert store.inbox(a).tokens == {}
        assert store.inbox(b).tokens == {run_no: 2}

    def test_the_time_that_a_run_was_driven_adds_up(self, store: Store, clock: ManualClock) -> None:
        """Up to the last beat of each engine; the time between two owners doesn't count."""
        run_no = store.create_run(a_run())
        a, b, c = (store.enroll(an_owner(name)) for name in "abc")
        store.acquire(run_no, a)
        clock.advance(3.0)
        store.beat(a)
        clock.advance(97.0)
        second = store.acquire(run_no, b, after=1)
        assert second is not None
        assert second.ran_s == 3.0
        clock.advance(2.5)
        store.release(run_no, 2)
        clock.advance(50.0)
        third = store.acquire(run_no, c, after=2)
        assert third is not None
        assert (third.ran_s, third.held_s) == (5.5, 0.0)

    def test_an_engine_beats_when_it_takes_a_run(self, store: Store, clock: ManualClock) -> None:
        """However long it has been silent, since it drove nothing."""
        run_no, engine_no = store.create_run(a_run()), store.enroll(an_owner())
        clock.advance(7_200)
        lease = store.acquire(run_no, engine_no)
        assert lease is not None
        assert lease.silent_s == 0.0

    # requests

    def test_the_owner_reads_the_requests_to_its_runs(self, store: Store) -> None:
        """In the order sent, with their data; each engine those to its own runs."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        a, b = store.enroll(an_owner("a")), store.enroll(an_owner("b"))
        store.acquire(run_no, a)
        store.acquire(other, b)
        sent = [RunRequest(RequestKind.CANCEL, b'{"by":"ada"}'), RunRequest(RequestKind.PAUSE)]
        for request in sent:
            store.send(run_no, request)
        assert list(store.requests(run_no)) == sent
        inbox = store.inbox(a)
        assert inbox.tokens == {run_no: 1}
        assert {number: list(each) for number, each in inbox.requests.items()} == {run_no: sent}
        assert store.inbox(b) == Inbox({other: 1}, {})

    def test_the_next_owner_has_no_requests(self, store: Store) -> None:
        """A request to one engine doesn't stop another one that takes the run later."""
        run_no = store.create_run(a_run())
        a, b = store.enroll(an_owner("a")), store.enroll(an_owner("b"))
        store.acquire(run_no, a)
        store.send(run_no, RunRequest(RequestKind.CANCEL))
        store.acquire(run_no, b, after=1)
        assert store.inbox(b) == Inbox({run_no: 2}, {})
        store.release(run_no, 2)
        store.send(run_no, RunRequest(RequestKind.PAUSE))
        assert list(store.requests(run_no)) == []

    # several at once

    def test_of_threads_that_take_a_run_at_once_one_gets_it(self, store: Store) -> None:
        """From nobody and from each other, again and again: no token is given out twice."""
        run_no = store.create_run(a_run())
        engines = [store.enroll(an_owner(str(number))) for number in range(8)]
        seen = 0

        def take(number: int) -> Lease | None:
            return store.acquire(run_no, engines[number], after=seen)

        for _ in range(10):
            (winner,) = [lease for lease in at_once(8, take) if lease is not None]
            assert winner.token == seen + 1
            assert store.lease(run_no) == winner
            seen = winner.token

    def test_a_run_that_is_given_back_late_stays_with_its_new_owner(self, store: Store) -> None:
        """Giving back and taking may meet, and the new owner keeps what it got."""
        a, b = store.enroll(an_owner("a")), store.enroll(an_owner("b"))
        for number in range(20):
            run_no = store.create_run(a_run(f"run-{number}"))
            store.acquire(run_no, a)

            def give_back_or_take(turn: int, run_no: int = run_no) -> Lease | None:
                if turn == 0:
                    store.release(run_no, 1)
                    return None
                return store.acquire(run_no, b, after=1)

            _, taken = at_once(2, give_back_or_take)
            assert store.lease(run_no) == taken

    # fencing

    def test_the_owner_writes_with_its_token(self, store: Store) -> None:
        """Runs for which no token is given are written as well."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        store.acquire(run_no, store.enroll(an_owner()))
        store.commit([an_item(run_no, 0), an_item(other, 0)], {run_no: 1})
        assert len(store.items(run_no, 1)) == len(store.items(other, 1)) == 1

    @pytest.mark.parametrize("token", [1, 3], ids=["older", "unknown"])
    def test_a_wrong_token_writes_nothing(self, store: Store, token: int) -> None:
        """Nothing of any run and of no kind, nor is anything taken back; the error names the run.

        Whoever was stopped, and wakes up after its run was taken, changes nothing any more.
        """
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        failed = an_item(run_no, 7, status=Status.FAILED, output=None)
        store.commit([a_task(run_no), failed, a_task(run_no, 2, path="each[0].a")])
        store.acquire(run_no, store.enroll(an_owner("a")))
        store.acquire(run_no, store.enroll(an_owner("b")), after=1)
        store.acquire(other, store.enroll(an_owner("a")))
        before = [*store.export("a"), *store.export("b")]
        records: list[Record] = [
            Discard(run_no, visit_no=1),
            Discard(run_no, under="each[0]"),
            a_run("a", run_no=run_no, status=Status.FAILED),
            a_task(run_no, output=LONG_RESULT),
            a_task(run_no, 3),
            an_event(run_no, 1),
            an_item(run_no, 8, output=LONG_RESULT),
            a_log(run_no),
            an_item(other, 0),
        ]
        with pytest.raises(LeaseLostError) as caught:
            store.commit(records, {other: 1, run_no: token})
        assert caught.value.run_no == run_no
        assert [*store.export("a"), *store.export("b")] == before
        with pytest.raises(LeaseLostError):
            store.commit([], {run_no: token})
        store.commit(records, {other: 1, run_no: 2})
        assert [item.index for item in store.items(run_no, 1)] == [8]

    def test_a_token_that_nobody_was_given_writes_nothing(self, store: Store) -> None:
        """A run that was never taken has no owner who might write it with one."""
        run_no = store.create_run(a_run())
        with pytest.raises(LeaseLostError):
            store.commit([an_item(run_no, 0)], {run_no: 1})
        assert list(store.items(run_no, 1)) == []

    def test_a_record_that_is_refused_is_no_lost_lease(self, store: Store) -> None:
        """The owner learns which of both it was, and goes on writing."""
        run_no = store.create_run(a_run())
        store.acquire(run_no, store.enroll(an_owner()))
        store.commit([an_item(run_no, 0)], {run_no: 1})
        with pytest.raises(RecordRefusedError):
            store.commit([an_item(run_no, 0)], {run_no: 1})
        store.commit([an_item(run_no, 1)], {run_no: 1})
        assert len(store.items(run_no, 1)) == 2

    def test_nothing_is_written_after_the_run_was_taken(self, store: Store) -> None:
        """While one thread writes, another takes the run: what is there then never changes."""
        run_no = store.create_run(a_run())
        store.acquire(run_no, store.enroll(an_owner("a")))
        has_begun = threading.Event()

        def write() -> int:
            written = 0
            try:
                while True:
                    store.commit([an_item(run_no, written)], {run_no: 1})
                    written += 1
                    has_begun.set()
            except LeaseLostError:
                return written

        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(write)
            assert has_begun.wait(60)
            assert store.acquire(run_no, store.enroll(an_owner("b")), after=1) is not None
            found = len(store.recorded_items(run_no, 1).indexes)
            assert writing.result() == found


def at_once(count: int, work: Callable[[int], _Given]) -> list[_Given]:
    """What `work` gives in so many threads, which begin together; each gets its number."""
    start = threading.Barrier(count)

    def begin(number: int) -> _Given:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(begin, range(count)))
