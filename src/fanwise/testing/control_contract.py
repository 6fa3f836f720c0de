"""What every store promises of who drives a run, as tests to be mixed into a `StoreContract`.

class TestMyStore(ControlContract, StoreContract):
    def open(self, folder: Path) -> Store:
        return MyStore(folder / "store")
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from fanwise.errors import LeaseLostError, RecordRefusedError
from fanwise.model import Discard, EndedRun, Lease, Owner, Record, RunRequest, Status
from fanwise.stores import Store
from fanwise.testing.records import LONG_RESULT, a_log, a_run, a_task, an_event, an_item

_Given = TypeVar("_Given")


def an_owner(name: str = "a") -> Owner:
    """A process, one for each name."""
    return Owner(host=f"höst-{name}", machine="boot/1", pid=17, started="4711", token=name)


class ControlContract:
    """The promises of `Control`, and of the tokens of `Journal.commit`."""

    # leases

    def test_a_run_that_nobody_has_driven_has_no_lease(self, store: Store) -> None:
        """Nor has a run that isn't recorded, and nothing that is done to it makes one."""
        run_no = store.create_run(a_run())
        for number in (run_no, 7_777):
            assert store.lease(number) is None
            assert store.renew(number, 1, 1.0) is None
            store.release(number, 1, 1.0)
            store.request(number, RunRequest.CANCEL)
            assert store.lease(number) is None

    def test_the_first_owner_takes_the_run_from_nobody(self, store: Store) -> None:
        """It gets the lease as it can be read from then on, and no other run's changes."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        lease = store.acquire(run_no, an_owner(), 1_700_000_000.25)
        assert lease == Lease(run_no, 1, an_owner(), 1_700_000_000.25, 1_700_000_000.25)
        assert store.lease(run_no) == lease
        assert store.lease(other) is None

    def test_a_run_is_taken_only_from_the_lease_that_the_caller_has_seen(
        self, store: Store
    ) -> None:
        """With any other token nothing changes, and the caller learns that it came too late."""
        run_no = store.create_run(a_run())
        assert store.acquire(run_no, an_owner("a"), 1.0, after=1) is None
        store.acquire(run_no, an_owner("a"), 1.0)
        store.acquire(run_no, an_owner("b"), 2.0, after=1)
        held = store.lease(run_no)
        for after in (0, 1, 3):
            assert store.acquire(run_no, an_owner("c"), 3.0, after=after) is None
            assert store.lease(run_no) == held

    def test_tokens_grow_with_each_owner(self, store: Store) -> None:
        """Also when a process takes a run from itself, and after the run was given back."""
        run_no = store.create_run(a_run())
        tokens = [0]
        for name in ("a", "b", "b"):
            lease = store.acquire(run_no, an_owner(name), 1.0, after=tokens[-1])
            assert lease is not None
            assert lease.owner == an_owner(name)
            assert lease.token > tokens[-1]
            tokens.append(lease.token)
            store.release(run_no, lease.token, 1.0)

    def test_a_run_that_is_gone_has_no_owner_any_more(self, store: Store) -> None:
        """Deleting it ends its lease, and nobody can take it again."""
        run_no = store.create_run(a_run(status=Status.PAUSED))
        store.acquire(run_no, an_owner(), 1.0)
        assert store.delete_run(EndedRun(run_no, "run-1", "monitor", Status.PAUSED, 1.0))
        assert store.lease(run_no) is None
        assert store.renew(run_no, 1, 2.0) is None
        for after in (0, 1):
            assert store.acquire(run_no, an_owner("b"), 2.0, after=after) is None
        assert store.lease(run_no) is None
        with pytest.raises(LeaseLostError):
            store.commit([an_item(run_no, 0)], {run_no: 1})

    def test_an_owner_says_that_it_is_there(self, store: Store) -> None:
        """The lease has the time of its last word; its other fields stay."""
        run_no = store.create_run(a_run())
        lease = store.acquire(run_no, an_owner(), 1.0)
        assert lease is not None
        renewed = store.renew(run_no, 1, 4.5)
        assert renewed == Lease(run_no, 1, an_owner(), taken_at=1.0, beat_at=4.5)
        assert store.lease(run_no) == renewed

    def test_a_run_that_is_given_back_has_no_owner(self, store: Store) -> None:
        """Its token and times stay, so that the next owner knows from where it takes the run."""
        run_no = store.create_run(a_run())
        store.acquire(run_no, an_owner(), 1.0)
        store.release(run_no, 1, 2.5)
        given_back = Lease(run_no, 1, None, taken_at=1.0, beat_at=2.5)
        assert store.lease(run_no) == given_back
        assert store.renew(run_no, 1, 3.0) is None
        store.release(run_no, 1, 3.0)
        assert store.lease(run_no) == given_back

    def test_an_old_owner_changes_nothing(self, store: Store) -> None:
        """It can neither renew nor give back what another one has taken."""
        run_no = store.create_run(a_run())
        store.acquire(run_no, an_owner("a"), 1.0)
        held = store.acquire(run_no, an_owner("b"), 2.0, after=1)
        assert store.renew(run_no, 1, 3.0) is None
        store.release(run_no, 1, 3.0)
        assert store.lease(run_no) == held

    def test_the_time_that_a_run_was_driven_adds_up(self, store: Store) -> None:
        """Up to the last word of each owner; the time between two owners doesn't count."""
        run_no = store.create_run(a_run())
        store.acquire(run_no, an_owner("a"), 100.0)
        store.renew(run_no, 1, 103.0)
        second = store.acquire(run_no, an_owner("b"), 200.0, after=1)
        assert second is not None
        assert second.ran_s == 3.0
        store.release(run_no, 2, 202.5)
        third = store.acquire(run_no, an_owner("c"), 300.0, after=2)
        assert third == Lease(run_no, 3, an_owner("c"), 300.0, 300.0, ran_s=5.5)

    # requests

    @pytest.mark.parametrize(
        ("asked", "heard"),
        [
            ([RunRequest.PAUSE], RunRequest.PAUSE),
            ([RunRequest.CANCEL], RunRequest.CANCEL),
            ([RunRequest.PAUSE, RunRequest.CANCEL], RunRequest.CANCEL),
            ([RunRequest.CANCEL, RunRequest.PAUSE], RunRequest.CANCEL),
        ],
    )
    def test_the_owner_hears_what_is_asked(
        self, store: Store, asked: list[RunRequest], heard: RunRequest
    ) -> None:
        """A cancellation isn't taken back, and saying that it is there forgets nothing."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        store.acquire(run_no, an_owner(), 1.0)
        untouched = store.acquire(other, an_owner(), 1.0)
        for request in asked:
            store.request(run_no, request)
        lease = store.lease(run_no)
        assert lease is not None
        assert (lease.request, lease.owner, lease.beat_at) == (heard, an_owner(), 1.0)
        renewed = store.renew(run_no, 1, 2.0)
        assert renewed is not None
        assert renewed.request is heard
        assert store.lease(other) == untouched

    def test_the_next_owner_was_asked_nothing(self, store: Store) -> None:
        """What was asked of one owner doesn't stop the one that takes the run up later."""
        run_no = store.create_run(a_run())
        store.acquire(run_no, an_owner("a"), 1.0)
        store.request(run_no, RunRequest.CANCEL)
        taken = store.acquire(run_no, an_owner("b"), 2.0, after=1)
        assert taken is not None
        assert taken.request is None

    # several at once

    def test_of_threads_that_take_a_run_at_once_one_gets_it(self, store: Store) -> None:
        """From nobody and from each other, again and again: no token is given out twice."""
        run_no = store.create_run(a_run())
        seen = 0

        def take(number: int) -> Lease | None:
            return store.acquire(run_no, an_owner(str(number)), 1.0, after=seen)

        for _ in range(10):
            (winner,) = [lease for lease in at_once(8, take) if lease is not None]
            assert winner.token == seen + 1
            assert store.lease(run_no) == winner
            seen = winner.token

    def test_a_run_that_is_given_back_late_stays_with_its_new_owner(self, store: Store) -> None:
        """Giving back and taking may meet, and the new owner keeps what it got."""
        for number in range(20):
            run_no = store.create_run(a_run(f"run-{number}"))
            store.acquire(run_no, an_owner("a"), 1.0)

            def give_back_or_take(turn: int, run_no: int = run_no) -> Lease | None:
                if turn == 0:
                    store.release(run_no, 1, 2.0)
                    return None
                return store.acquire(run_no, an_owner("b"), 2.0, after=1)

            _, taken = at_once(2, give_back_or_take)
            assert store.lease(run_no) == taken

    # fencing

    def test_the_owner_writes_with_its_token(self, store: Store) -> None:
        """Runs for which no token is given are written as well."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        store.acquire(run_no, an_owner(), 1.0)
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
        store.acquire(run_no, an_owner("a"), 1.0)
        store.acquire(run_no, an_owner("b"), 2.0, after=1)
        store.acquire(other, an_owner("a"), 1.0)
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
        store.acquire(run_no, an_owner(), 1.0)
        store.commit([an_item(run_no, 0)], {run_no: 1})
        with pytest.raises(RecordRefusedError):
            store.commit([an_item(run_no, 0)], {run_no: 1})
        store.commit([an_item(run_no, 1)], {run_no: 1})
        assert len(store.items(run_no, 1)) == 2

    def test_nothing_is_written_after_the_run_was_taken(self, store: Store) -> None:
        """While one thread writes, another takes the run: what is there then never changes."""
        run_no = store.create_run(a_run())
        store.acquire(run_no, an_owner("a"), 1.0)
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
            assert store.acquire(run_no, an_owner("b"), 2.0, after=1) is not None
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
