"""Promises of every store about queues of submitted runs, as tests to mix into a `StoreContract`.

class TestMyStore(QueueContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from fanwise.errors import LeaseLostError, QueueFullError, RunExistsError
from fanwise.model import (
    EVENT,
    Arrival,
    Claim,
    EndedRun,
    EngineRecord,
    Record,
    RequestKind,
    RunRequest,
    Status,
    Submission,
)
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner, at_once
from fanwise.testing.records import a_run, a_task, an_event, an_item

_QUEUES = ["default"]
_PLAIN = Submission()


class QueueContract:
    """The promises of `Queue`."""

    # submitting

    def test_a_submitted_run_waits(self, store: Store, clock: ManualClock) -> None:
        """It is recorded with its tags, pending, in its place, and nobody has its lease."""
        run = a_run(tags=("eu",))
        assert store.submit(run, Submission("nightly", -7)) == ("run-1", True)
        found = store.run("run-1")
        assert found is not None
        assert found == replace(run, run_no=found.run_no)
        place = Submission("nightly", -7, is_waiting=True, since=clock.now())
        assert store.submissions([found.run_no, 7_777]) == {found.run_no: place}
        assert store.lease(found.run_no) is None
        assert list(store.ended_runs()) == []

    def test_runs_that_are_ready_are_counted_up_to_a_number(self, store: Store) -> None:
        """Those that are taken, or weren't submitted, aren't ready."""
        store.create_run(a_run("by-hand"))
        for number in range(4):
            store.submit(a_run(f"run-{number}"), Submission())
        store.claim(store.enroll(an_owner()), _QUEUES, 1)
        assert [store.count_ready(most) for most in (1, 10)] == [1, 3]

    def test_a_look_says_whether_there_is_work(self, store: Store) -> None:
        """In the queues that are named, and only while no engine has it."""
        assert not store.has_work(["nightly", "default"])
        store.submit(a_run(), Submission("nightly"))
        assert store.has_work(["default", "nightly"])
        assert not store.has_work(["default"])
        store.claim(store.enroll(an_owner()), ["nightly"], 1)
        assert not store.has_work(["nightly"])

    def test_an_event_is_work_until_the_waits_for_it_are_settled(self, store: Store) -> None:
        """Also if nobody waits for it."""
        store.arrive([Arrival(source=EVENT, name="paid", id="1")])
        assert store.has_work(["default"])
        store.wake_due()
        assert not store.has_work(["default"])

    def test_a_run_that_was_not_submitted_waits_for_nobody(self, store: Store) -> None:
        """It has no place in a queue, and no engine takes it."""
        run_no = store.create_run(a_run())
        assert store.submissions([run_no]) == {}
        assert list(store.claim(store.enroll(an_owner()), _QUEUES, 10)) == []

    def test_a_known_key_gives_the_run_that_has_it(self, store: Store) -> None:
        """Nothing is recorded then, also if the run is over, or another queue is named."""
        store.submit(a_run("first"), Submission(once="k"))
        for queue in ("default", "other"):
            again = store.submit(a_run("again"), Submission(queue, once="k"))
            assert again == ("first", False)
        assert list(store.run_ids()) == ["first"]
        assert store.submit(a_run("another"), Submission(once="K")) == ("another", True)

    def test_of_submissions_with_one_key_at_once_one_makes_a_run(self, store: Store) -> None:
        """All others get the id of that run."""
        given = at_once(
            8, lambda number: store.submit(a_run(f"run-{number}"), Submission(once="k"))
        )
        assert sorted(is_new for _, is_new in given) == [*[False] * 7, True]
        assert {run_id for run_id, _ in given} == set(store.run_ids())

    def test_no_more_runs_of_a_workflow_wait_than_may(self, store: Store) -> None:
        """One that has its key already, is known; another workflow isn't concerned."""
        place = Submission(most_waiting=2)
        for name in "ab":
            store.submit(a_run(name), replace(place, once=name))
        assert (store.is_full("monitor", 2), store.is_full("monitor", 3)) == (True, False)
        with pytest.raises(QueueFullError, match="2 runs of monitor wait already"):
            store.submit(a_run("c"), place)
        assert store.run("c") is None
        assert store.submit(a_run("d"), replace(place, once="b")) == ("b", False)
        assert store.submit(a_run("e", workflow="other"), place) == ("e", True)
        store.claim(store.enroll(an_owner()), _QUEUES, 1)
        run = store.run("a")
        assert run is not None
        store.commit([replace(run, status=Status.RUNNING)])
        assert store.submit(a_run("c"), place) == ("c", True)

    def test_a_taken_id_is_refused_and_its_key_stays_free(self, store: Store) -> None:
        """As with any new run."""
        store.create_run(a_run("taken"))
        with pytest.raises(RunExistsError, match="taken"):
            store.submit(a_run("taken"), Submission(once="k"))
        assert store.submit(a_run("free"), Submission(once="k")) == ("free", True)

    def test_the_key_of_a_deleted_run_is_free_again(self, store: Store) -> None:
        """With the run its place in the queue is gone."""
        run_no = _submit(store, "old", Submission(once="k"))
        store.commit([a_run("old", run_no=run_no, status=Status.FAILED)])
        assert store.delete_run(EndedRun(run_no, "old", "monitor", Status.FAILED, 1.0))
        assert store.submissions([run_no]) == {}
        assert store.submit(a_run("new"), Submission(once="k")) == ("new", True)

    # taking

    def test_a_claim_gives_runs_with_their_leases(self, store: Store, clock: ManualClock) -> None:
        """The engine drives them from that moment on, and no other one gets them."""
        run_no = _submit(store)
        engine_no = store.enroll(an_owner())
        (claim,) = store.claim(engine_no, _QUEUES, 10)
        assert (claim.run_id, claim.lease) == ("run-1", store.lease(run_no))
        assert (claim.lease.token, claim.lease.engine_no) == (1, engine_no)
        assert claim.lease.owner == an_owner()
        assert claim.submission.tries == 0
        assert not store.submissions([run_no])[run_no].is_waiting
        assert store.inbox(engine_no).tokens == {run_no: 1}
        store.commit([an_item(run_no, 0)], {run_no: 1})
        assert list(store.claim(store.enroll(an_owner("b")), _QUEUES, 10)) == []

    def test_runs_are_taken_by_priority_and_then_by_age(self, store: Store) -> None:
        """At most so many at once, from the named queues only, the first queue first."""
        for run_id, queue, priority in (
            ("a", "default", 0),
            ("b", "default", 5),
            ("c", "other", 9),
            ("d", "default", -5),
            ("e", "default", 5),
            ("f", "third", 100),
        ):
            _submit(store, run_id, Submission(queue, priority))
        engine_no = store.enroll(an_owner())
        taken = [_ids(store.claim(engine_no, ["default", "other"], most)) for most in (0, 1, 2, 9)]
        assert taken == [[], ["b"], ["e", "a"], ["d", "c"]]

    def test_of_engines_that_claim_at_once_each_run_goes_to_one(self, store: Store) -> None:
        """None is left over, and none is taken twice."""
        for number in range(24):
            _submit(store, f"run-{number}")
        engines = [store.enroll(an_owner(str(number))) for number in range(8)]

        def claim(number: int) -> list[Claim]:
            claims: list[Claim] = []
            while found := store.claim(engines[number], _QUEUES, 2):
                claims += found
            return claims

        taken = [each for found in at_once(8, claim) for each in found]
        assert sorted(_ids(taken)) == sorted(store.run_ids())
        for each in taken:
            held = store.lease(each.lease.run_no)
            assert held is not None
            assert (held.token, held.engine_no) == (1, each.lease.engine_no)

    def test_an_engine_that_is_not_recorded_takes_nothing(self, store: Store) -> None:
        """Neither by a claim nor by hand: nobody could tell when it is gone."""
        run_no, engine_no = _submit(store), store.enroll(an_owner())
        assert store.beat(engine_no)
        store.leave(engine_no)
        assert not store.beat(engine_no)
        assert list(store.claim(engine_no, _QUEUES, 10)) == []
        assert store.acquire(run_no, engine_no) is None
        assert store.lease(run_no) is None
        assert _is_waiting(store, run_no)

    def test_a_run_that_is_taken_by_hand_waits_no_more(self, store: Store) -> None:
        """As by `fanwise resume`; if it is given back then it still waits for nobody."""
        run_no = _submit(store)
        assert store.acquire(run_no, store.enroll(an_owner("a"))) is not None
        assert not _is_waiting(store, run_no)
        store.release(run_no, 1)
        assert list(store.claim(store.enroll(an_owner("b")), _QUEUES, 10)) == []

    def test_of_a_claim_and_a_resume_at_once_one_gets_the_run(self, store: Store) -> None:
        """The run never has two owners, and never waits while it has one."""
        a, b = store.enroll(an_owner("a")), store.enroll(an_owner("b"))
        for number in range(20):
            run_no = _submit(store, f"run-{number}")

            def take(turn: int, run_no: int = run_no) -> bool:
                if turn == 0:
                    return bool(store.claim(a, _QUEUES, 1))
                return store.acquire(run_no, b) is not None

            assert sorted(at_once(2, take)) == [False, True]
            assert not _is_waiting(store, run_no)

    # putting back

    def test_a_run_that_is_put_back_waits_again(self, store: Store, clock: ManualClock) -> None:
        """It is pending, says why, keeps its place, and has the next token then."""
        run_no, a, b = _submit(store), store.enroll(an_owner("a")), store.enroll(an_owner("b"))
        store.claim(a, _QUEUES, 1)
        paused = a_run(run_no=run_no, status=Status.PAUSED, started_at=1.5, ended_at=2.5)
        store.commit([paused], {run_no: 1})
        clock.advance(2.5)
        store.put_back(run_no, 1, "engine stopped", counts=False)
        assert store.run("run-1") == replace(paused, status=Status.PENDING, ended_at=None)
        place = Submission(since=clock.now(), why="engine stopped")
        assert store.submissions([run_no]) == {run_no: place}
        (claim,) = store.claim(b, _QUEUES, 1)
        assert (claim.lease.token, claim.lease.ran_s) == (2, 2.5)
        with pytest.raises(LeaseLostError):
            store.commit([], {run_no: 1})

    @pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
    def test_a_run_that_is_over_is_only_given_back(self, store: Store, status: Status) -> None:
        """It stays what it has become."""
        run_no, engine_no = _submit(store), store.enroll(an_owner())
        store.claim(engine_no, _QUEUES, 1)
        store.commit([a_run(run_no=run_no, status=status)], {run_no: 1})
        store.put_back(run_no, 1, "engine stopped", counts=True)
        assert not _is_waiting(store, run_no)
        found, lease = store.run("run-1"), store.lease(run_no)
        assert found is not None
        assert found.status is status
        assert lease is not None
        assert lease.owner is None

    def test_an_old_token_puts_nothing_back(self, store: Store) -> None:
        """The run stays with its owner."""
        run_no, a, b = _submit(store), store.enroll(an_owner("a")), store.enroll(an_owner("b"))
        store.claim(a, _QUEUES, 1)
        store.put_back(run_no, 1, "engine stopped", counts=False)
        store.claim(b, _QUEUES, 1)
        held = store.lease(run_no)
        store.put_back(run_no, 1, "engine stopped", counts=True)
        assert store.lease(run_no) == held
        assert not _is_waiting(store, run_no)

    def test_tries_without_progress_are_counted(self, store: Store) -> None:
        """With the names of their engines; beginnings and pauses are no progress."""
        run_no = _submit(store)
        store.claim(store.enroll(an_owner("a")), _QUEUES, 1)
        store.commit([an_event(run_no, 1, kind="RunStarted"), a_task(run_no)], {run_no: 1})
        store.put_back(run_no, 1, "broken", counts=True)
        store.claim(store.enroll(an_owner("b")), _QUEUES, 1)
        store.commit([an_event(run_no, 2, kind="RunResumed")], {run_no: 2})
        store.put_back(run_no, 2, "broken", counts=True)
        place = store.submissions([run_no])[run_no]
        assert (place.tries, place.why) == (2, "broken")
        assert place.tried_by == f", {an_owner('a').name}, {an_owner('b').name}"

    @pytest.mark.parametrize("what", ["an event", "an item", "a step"])
    def test_progress_ends_the_count(self, store: Store, what: str) -> None:
        """Any event of the run's own, any item, any task that has ended inside it."""
        run_no, engine_no = _submit(store), store.enroll(an_owner())
        for token in (1, 2):
            store.claim(engine_no, _QUEUES, 1)
            store.put_back(run_no, token, "broken", counts=True)
        store.claim(engine_no, _QUEUES, 1)
        done: dict[str, Record] = {
            "an event": an_event(run_no, 1, kind="TaskEnded"),
            "an item": an_item(run_no, 0),
            "a step": a_task(run_no, path="each[0].a", ended_at=1.5),
        }
        store.commit([done[what]], {run_no: 3})
        store.put_back(run_no, 3, "broken", counts=True)
        place = store.submissions([run_no])[run_no]
        assert (place.tries, place.tried_by) == (0, "")

    def test_a_graceful_end_is_no_try(self, store: Store) -> None:
        """However often a run is handed on."""
        run_no, engine_no = _submit(store), store.enroll(an_owner())
        for token in range(1, 9):
            store.claim(engine_no, _QUEUES, 1)
            store.put_back(run_no, token, "engine stopped", counts=False)
        assert store.submissions([run_no])[run_no].tries == 0

    # engines that are gone

    def test_the_runs_of_an_engine_that_is_gone_wait_again(self, store: Store) -> None:
        """It writes nothing more, also before another engine has taken its run."""
        run_no, engine_no = _submit(store), store.enroll(an_owner())
        store.claim(engine_no, _QUEUES, 1)
        store.commit([a_run(run_no=run_no, status=Status.RUNNING)], {run_no: 1})
        assert store.reap(engine_no, _beats(store, engine_no)) == ["run-1"]
        with pytest.raises(LeaseLostError):
            store.commit([an_item(run_no, 0)], {run_no: 1})
        assert not store.beat(engine_no)
        assert list(store.engines()) == []
        place, found = store.submissions([run_no])[run_no], store.run("run-1")
        assert (place.is_waiting, place.tries) == (True, 1)
        assert an_owner().name in place.why
        assert found is not None
        assert found.status is Status.PENDING

    def test_an_engine_that_beats_keeps_its_runs(self, store: Store) -> None:
        """A watcher of its last beat takes nothing."""
        run_no, engine_no = _submit(store), store.enroll(an_owner())
        store.claim(engine_no, _QUEUES, 1)
        beats = _beats(store, engine_no)
        store.beat(engine_no)
        held = store.lease(run_no)
        assert list(store.reap(engine_no, beats)) == []
        assert store.lease(run_no) == held

    def test_of_engines_that_reap_at_once_one_puts_a_run_back(self, store: Store) -> None:
        """It waits once, and one try is counted."""
        run_no, engine_no = _submit(store), store.enroll(an_owner())
        store.claim(engine_no, _QUEUES, 1)
        beats = _beats(store, engine_no)
        given = at_once(4, lambda _: list(store.reap(engine_no, beats)))
        assert sorted(given) == [[], [], [], ["run-1"]]
        assert store.submissions([run_no])[run_no].tries == 1

    def test_a_run_that_was_not_submitted_stays_with_its_engine(self, store: Store) -> None:
        """Its files and secrets are its caller's, who may be merely stopped."""
        engine_no = store.enroll(an_owner())
        own = store.create_run(a_run("own"), engine_no)
        _submit(store)
        store.claim(engine_no, _QUEUES, 1)
        held = store.lease(own)
        assert store.reap(engine_no, _beats(store, engine_no)) == ["run-1"]
        assert store.lease(own) == held
        assert [each.engine_no for each in store.engines()] == [engine_no]
        store.commit([an_item(own, 0)], {own: 1})

    def test_a_run_that_was_paused_on_request_stays_paused(self, store: Store) -> None:
        """Its engine died before it could give it back; one paused for a stop waits again."""
        asked, stopped = _submit(store, "asked"), _submit(store, "stopped")
        engine_no = store.enroll(an_owner())
        store.claim(engine_no, _QUEUES, 2)
        store.send(asked, RunRequest(RequestKind.PAUSE))
        for run_id, run_no in (("asked", asked), ("stopped", stopped)):
            store.commit([a_run(run_id, run_no=run_no, status=Status.PAUSED)], {run_no: 1})
        assert store.reap(engine_no, _beats(store, engine_no)) == ["stopped"]
        found, lease = store.run("asked"), store.lease(asked)
        assert found is not None
        assert found.status is Status.PAUSED
        assert lease is not None
        assert lease.owner is None
        assert list(store.requests(asked)) == []

    def test_a_run_that_was_over_is_not_driven_again(self, store: Store) -> None:
        """Its engine died between its end and giving it back."""
        run_no, engine_no = _submit(store), store.enroll(an_owner())
        store.claim(engine_no, _QUEUES, 1)
        store.commit([a_run(run_no=run_no, status=Status.SUCCEEDED)], {run_no: 1})
        assert list(store.reap(engine_no, _beats(store, engine_no))) == []
        assert not _is_waiting(store, run_no)
        assert list(store.engines()) == []

    # looking

    def test_engines_are_listed_with_their_runs(self, store: Store, clock: ManualClock) -> None:
        """Since when they are there, their last sign of life, and which runs were submitted."""
        since, a = clock.now(), store.enroll(an_owner("a"))
        clock.advance(2.0)
        b = store.enroll(an_owner("b"))
        _submit(store)
        store.create_run(a_run("own"), a)
        store.claim(a, _QUEUES, 1)
        clock.advance(1.5)
        first, second = store.engines()
        runs = ("run-1", "own")
        known = EngineRecord(a, an_owner("a"), first.beats, 1.5, since, runs, ("run-1",))
        assert first == known
        assert (second.engine_no, second.owner, second.runs) == (b, an_owner("b"), ())

    def test_whoever_waits_for_a_change_is_told_of_a_submission(self, store: Store) -> None:
        """Also of one between two calls; and the wait ends without one."""
        store.await_change(0.0)
        _submit(store)
        assert store.await_change(60.0)
        assert not store.await_change(0.0)


def _submit(store: Store, run_id: str = "run-1", submission: Submission = _PLAIN) -> int:
    store.submit(a_run(run_id), submission)
    found = store.run(run_id)
    assert found is not None
    return found.run_no


def _ids(claims: Sequence[Claim]) -> list[str]:
    return [claim.run_id for claim in claims]


def _is_waiting(store: Store, run_no: int) -> bool:
    return store.submissions([run_no])[run_no].is_waiting


def _beats(store: Store, engine_no: int) -> int:
    (beats,) = [each.beats for each in store.engines() if each.engine_no == engine_no]
    return beats
