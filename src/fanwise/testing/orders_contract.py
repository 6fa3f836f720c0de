"""Promises of every store about orders for runs that nobody drives, as tests to mix in.

class TestMyStore(OrdersContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from fanwise.model import (
    Claim,
    OrderKind,
    RequestKind,
    RunOrder,
    RunRecord,
    RunRequest,
    Status,
    Submission,
)
from fanwise.stores import Store
from fanwise.testing.ownership_contract import an_owner, at_once
from fanwise.testing.records import a_run, an_event

_QUEUES = ["default"]
_RETRY = RunOrder(kind=OrderKind.RETRY, by="ada", from_task="check")
_CANCEL = RunOrder(kind=OrderKind.CANCEL, by="ada")


class OrdersContract:
    """The promises of `Queue.order` and its siblings."""

    def test_a_run_that_was_never_submitted_is_taken_on_order(self, store: Store) -> None:
        """By one engine, with the order, from the lease of the process that is gone."""
        run, token = _driven(store, Status.PAUSED)
        store.send(run.run_no, RunRequest.of(RequestKind.PAUSE, "bob"))
        assert store.order(run, _CANCEL, Submission(priority=3), after=token)
        found = store.run(run.id)
        assert found is not None
        assert (found.status, found.ended_at) == (Status.PENDING, None)
        assert list(store.requests(run.run_no)) == []
        (claim,) = _claim(store)
        assert (claim.run_id, claim.submission.order) == (run.id, _CANCEL)
        assert claim.submission.priority == 3
        assert claim.lease.token > token
        assert list(_claim(store)) == []

    def test_an_order_for_a_run_with_another_lease_does_nothing(self, store: Store) -> None:
        """An engine drives it by now; of two orders at once one is given."""
        run, token = _driven(store, Status.PAUSED)
        assert not store.order(run, _CANCEL, Submission(), after=token + 1)
        assert not store.order(run, _CANCEL, Submission(), after=0)
        assert list(_claim(store)) == []
        given = at_once(4, lambda _: store.order(run, _CANCEL, Submission(), after=token))
        assert sorted(given) == [False, False, False, True]

    def test_a_run_that_is_over_stays_so_until_its_retry_begins(self, store: Store) -> None:
        """The order holds until an event of the retry is recorded, also if its engine dies."""
        run, token = _driven(store, Status.FAILED)
        assert store.order(run, _RETRY, Submission(), after=token)
        assert _status(store, run) is Status.FAILED
        (claim,) = _claim(store)
        assert claim.submission.order == _RETRY
        store.put_back(run.run_no, claim.lease.token, "stopped", counts=False)
        assert _status(store, run) is Status.FAILED
        (claim,) = _claim(store)
        assert claim.submission.order == _RETRY
        running = replace(run, status=Status.RUNNING)
        tokens = {run.run_no: claim.lease.token}
        store.commit([running, an_event(run.run_no, 2)], tokens)
        store.put_back(run.run_no, claim.lease.token, "stopped", counts=False)
        assert _status(store, run) is Status.PENDING
        (claim,) = _claim(store)
        assert claim.submission.order is None

    def test_an_order_that_was_carried_out_holds_no_more(self, store: Store) -> None:
        """A run whose retry has ended waits for nobody."""
        run, token = _driven(store, Status.FAILED)
        assert store.order(run, _RETRY, Submission(), after=token)
        (claim,) = _claim(store)
        store.commit([run, an_event(run.run_no, 2)], {run.run_no: claim.lease.token})
        store.put_back(run.run_no, claim.lease.token, "stopped", counts=False)
        assert list(_claim(store)) == []
        assert store.submissions([run.run_no])[run.run_no].order is None

    def test_an_order_can_be_declined(self, store: Store) -> None:
        """The run stays as it is, and the reason is kept."""
        run, token = _driven(store, Status.SUCCEEDED)
        assert store.order(run, _RETRY, Submission(), after=token)
        (claim,) = _claim(store)
        store.decline(run.run_no, "nothing has failed")
        store.release(run.run_no, claim.lease.token)
        place = store.submissions([run.run_no])[run.run_no]
        assert (place.order, place.is_waiting, place.why) == (None, False, "nothing has failed")
        assert _status(store, run) is Status.SUCCEEDED
        assert list(_claim(store)) == []

    def test_a_run_that_is_taken_by_hand_has_no_order(self, store: Store) -> None:
        """The one who takes it says what becomes of it."""
        run, token = _driven(store, Status.FAILED)
        assert store.order(run, _RETRY, Submission(), after=token)
        engine_no = store.enroll(an_owner())
        held = store.lease(run.run_no)
        assert held is not None
        lease = store.acquire(run.run_no, engine_no, after=held.token)
        assert lease is not None
        place = store.submissions([run.run_no])[run.run_no]
        assert (place.order, place.is_waiting) == (None, False)

    def test_a_run_that_waits_and_was_never_begun_is_ended(self, store: Store) -> None:
        """At once, as nobody has to do anything; another one isn't."""
        store.submit(a_run("waits"), Submission())
        waits = store.run("waits")
        assert waits is not None
        assert store.end_waiting(waits, "ada")
        found = store.run("waits")
        assert found is not None
        assert found.status is Status.CANCELLED
        assert found.error is not None
        assert "ada" in found.error.message
        assert list(_claim(store)) == []
        run, _ = _driven(store, Status.PAUSED)
        assert not store.end_waiting(run, "ada")
        assert _status(store, run) is Status.PAUSED


def _driven(store: Store, status: Status) -> tuple[RunRecord, int]:
    """A run that a process has driven, which is gone by now, and the token of its lease."""
    engine_no = store.enroll(an_owner())
    run_no = store.create_run(a_run("driven"), engine_no)
    run = replace(a_run("driven"), run_no=run_no, status=status, started_at=1.0, ended_at=2.0)
    store.commit([run, an_event(run_no, 1)], {run_no: 1})
    return run, 1


def _claim(store: Store) -> Sequence[Claim]:
    return store.claim(store.enroll(an_owner()), _QUEUES, 10)


def _status(store: Store, run: RunRecord) -> Status:
    found = store.run(run.id)
    assert found is not None
    return found.status
