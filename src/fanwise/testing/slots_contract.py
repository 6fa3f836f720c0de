"""Promises of every store about limits across runs, as tests to mix into a `StoreContract`.

class TestMyStore(SlotsContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from fanwise.errors import LeaseLostError, NoSlotError, QueueFullError, RunRepeatedError
from fanwise.model import (
    ChildSlot,
    Claim,
    EndedRun,
    RepeatKey,
    RequestKind,
    RunLimit,
    RunOrigin,
    RunRecord,
    SlotWish,
    Status,
    Submission,
)
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner, at_once
from fanwise.testing.records import a_run, an_event

_QUEUES = ["default"]
_PLAIN = Submission()


class SlotsContract:
    """The promises of limits: slots, those that wait for them, and repeats."""

    # slots of claims

    def test_no_more_runs_of_a_key_are_taken_than_it_has_slots(self, store: Store) -> None:
        """The others are held back, and no engine gets them, however often it looks."""
        for name in "abc":
            _submit(store, _limited(name, most=2))
        engine_no = store.enroll(an_owner())
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == ["a", "b"]
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == []
        place = store.submissions([_number(store, "c")])[_number(store, "c")]
        assert (place.is_waiting, place.is_held_back) == (True, True)

    def test_a_full_key_keeps_no_run_of_another_key_from_its_engine(self, store: Store) -> None:
        """Nor a run without a limit, although all of them came later."""
        for number in range(5):
            _submit(store, _limited(f"full-{number}", "full"))
        _submit(store, _limited("free", "other"))
        _submit(store, a_run("unlimited"))
        engine_no = store.enroll(an_owner())
        taken = [_ids(store.claim(engine_no, _QUEUES, 1)) for _ in range(4)]
        assert taken == [["full-0"], ["free"], ["unlimited"], []]

    @pytest.mark.parametrize(
        "status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.PAUSED]
    )
    def test_a_run_that_is_over_or_paused_has_no_slot(self, store: Store, status: Status) -> None:
        """The next one is ready with the same commit."""
        first, second = _submit(store, _limited("a")), _submit(store, _limited("b"))
        engine_no = store.enroll(an_owner())
        store.claim(engine_no, _QUEUES, 1)
        store.commit([_limited("a", run_no=first, status=status)], {first: 1})
        assert not store.submissions([second])[second].is_held_back
        assert _ids(store.claim(engine_no, _QUEUES, 1)) == ["b"]

    def test_a_run_that_is_put_back_frees_its_slot_and_comes_first(self, store: Store) -> None:
        """Before a run that waits with a higher priority: it has begun."""
        first = _submit(store, _limited("a"))
        engine_no = store.enroll(an_owner())
        store.claim(engine_no, _QUEUES, 1)
        _submit(store, _limited("b"), Submission(priority=100))
        store.put_back(first, 1, "engine stopped", counts=False)
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == ["a"]

    def test_the_slots_of_a_dead_engine_go_with_its_runs(self, store: Store) -> None:
        """The engine that reaps it frees them."""
        first = _submit(store, _limited("a"))
        _submit(store, _limited("b"))
        dead, other = store.enroll(an_owner("dead")), store.enroll(an_owner("other"))
        store.claim(dead, _QUEUES, 1)
        (beats,) = [each.beats for each in store.engines() if each.engine_no == dead]
        assert _ids(store.claim(other, _QUEUES, 1)) == []
        store.reap(dead, beats)
        assert _ids(store.claim(other, _QUEUES, 10)) == ["a"]
        store.commit([_limited("a", run_no=first, status=Status.FAILED)], {first: 3})
        assert _ids(store.claim(other, _QUEUES, 10)) == ["b"]

    def test_a_claim_that_fails_takes_no_slot(self, store: Store) -> None:
        """An engine that isn't recorded any more leaves the run to others."""
        _submit(store, _limited("a"))
        gone, other = store.enroll(an_owner("gone")), store.enroll(an_owner("other"))
        store.leave(gone)
        assert _ids(store.claim(gone, _QUEUES, 1)) == []
        assert _ids(store.claim(other, _QUEUES, 1)) == ["a"]

    def test_of_engines_that_claim_at_once_none_exceeds_the_limit(self, store: Store) -> None:
        """Sixteen engines and three slots: never four runs, and in the end all of them."""
        for number in range(24):
            _submit(store, _limited(f"run-{number}", most=3))
        engines = [store.enroll(an_owner(str(number))) for number in range(16)]
        done: list[str] = []
        while len(done) < 24:
            taken = at_once(16, lambda number: store.claim(engines[number], _QUEUES, 2))
            claims = [each for found in taken for each in found]
            assert 1 <= len(claims) <= 3
            for each in claims:
                _end(store, each)
                done.append(each.run_id)
        assert sorted(done) == sorted(store.run_ids())

    def test_a_run_waits_for_a_slot_in_each_queue(self, store: Store) -> None:
        """A queue that no engine empties keeps no other one from the slots."""
        _submit(store, _limited("a"), Submission("nobodys"))
        _submit(store, _limited("b"))
        engine_no = store.enroll(an_owner())
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == ["b"]
        assert _ids(store.claim(engine_no, ["nobodys"], 10)) == []

    def test_the_newest_run_says_how_many_slots_there_are(self, store: Store) -> None:
        """A limit that is lowered while runs are driven holds for those that wait as well."""
        for name in "abc":
            _submit(store, _limited(name, most=2))
        engine_no = store.enroll(an_owner())
        first, second = store.claim(engine_no, _QUEUES, 10)
        _submit(store, _limited("d", most=1))
        _end(store, first)
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == []
        _end(store, second)
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == ["c"]
        _submit(store, _limited("e", most=3))
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == ["d", "e"]

    def test_ten_minutes_of_waiting_count_as_one_more_in_priority(
        self, store: Store, clock: ManualClock
    ) -> None:
        """So that nothing starves, however many runs of a higher priority come."""
        _submit(store, a_run("old"))
        clock.advance(599)
        _submit(store, a_run("young"), Submission(priority=1))
        clock.advance(2)
        _submit(store, a_run("younger"), Submission(priority=1))
        taken = store.claim(store.enroll(an_owner()), _QUEUES, 3)
        assert _ids(taken) == ["young", "old", "younger"]

    # slots of runs that their process drives itself

    def test_a_run_that_finds_no_slot_is_not_recorded(self, store: Store) -> None:
        """The error names those that have the slots."""
        engine_no = store.enroll(an_owner())
        first = store.create_run(_limited("a"), engine_no)
        with pytest.raises(NoSlotError, match="run a has the slot") as error:
            store.create_run(_limited("b"), engine_no)
        assert (error.value.run_id, error.value.holders) == ("b", ("a",))
        assert list(store.run_ids()) == ["a"]
        store.create_run(_limited("c", "other"), engine_no)
        store.commit([_limited("a", run_no=first, status=Status.SUCCEEDED)], {first: 1})
        store.create_run(_limited("b"), engine_no)

    def test_a_run_that_is_taken_by_hand_takes_a_slot(self, store: Store) -> None:
        """Without one it stays as it is; one that isn't to go on needs none."""
        run_no, engine_no = store.create_run(_limited("paused")), store.enroll(an_owner())
        store.create_run(_limited("a"), engine_no)
        wish = SlotWish("paused", RunLimit("monitor"))
        with pytest.raises(NoSlotError):
            store.acquire(run_no, engine_no, wish=wish)
        assert store.lease(run_no) is None
        assert store.acquire(run_no, engine_no) is not None

    def test_an_interrupted_run_keeps_its_slot(self, store: Store) -> None:
        """It is resumed with it, also if there is no other one."""
        engine_no = store.enroll(an_owner())
        run_no = store.create_run(_limited("a"), engine_no)
        store.release(run_no, 1)
        with pytest.raises(NoSlotError):
            store.create_run(_limited("b"), engine_no)
        wish = SlotWish("a", RunLimit("monitor"))
        assert store.acquire(run_no, engine_no, after=1, wish=wish) is not None

    def test_a_run_that_leaves_its_queue_makes_way_for_the_next(self, store: Store) -> None:
        """Taken by hand to be cancelled, it takes no slot, and another one is ready."""
        first, second = _submit(store, _limited("a")), _submit(store, _limited("b"))
        assert store.acquire(first, store.enroll(an_owner())) is not None
        assert not store.submissions([second])[second].is_held_back

    def test_claims_and_runs_by_hand_share_the_slots(self, store: Store) -> None:
        """However many come at once, one gets the slot."""
        engines = [store.enroll(an_owner(str(number))) for number in range(8)]
        journal = threading.Lock()  # of which one thread at a time makes runs
        for number in range(10):
            key = f"key-{number}"
            _submit(store, _limited(f"{key}-queued", key))

            def take(turn: int, key: str = key) -> bool:
                if turn % 2:
                    return bool(store.claim(engines[turn], _QUEUES, 1))
                try:
                    with journal:
                        store.create_run(_limited(f"{key}-{turn}", key), engines[turn])
                except NoSlotError:
                    return False
                return True

            assert sum(at_once(8, take)) == 1

    # waiting for a slot

    def test_who_waits_for_a_slot_comes_before_younger_runs(
        self, store: Store, clock: ManualClock
    ) -> None:
        """For as long as its process is seen; then it holds up nobody."""
        engine_no = store.enroll(an_owner())
        first = store.create_run(_limited("a"), engine_no)
        wish = _line_up(store, "b")
        assert not store.has_room(wish)
        clock.advance(1)
        _submit(store, _limited("c"))
        store.commit([_limited("a", run_no=first, status=Status.SUCCEEDED)], {first: 1})
        assert store.has_room(wish)
        assert _ids(store.claim(engine_no, _QUEUES, 1)) == []
        with pytest.raises(NoSlotError):
            store.create_run(_limited("d"), engine_no)
        clock.advance(2.5)
        assert store.keep_place(wish)
        assert _ids(store.claim(engine_no, _QUEUES, 1)) == []
        clock.advance(4)
        assert _ids(store.claim(engine_no, _QUEUES, 1)) == ["c"]

    def test_who_has_waited_gets_the_slot_and_leaves_its_place(self, store: Store) -> None:
        """As does one that waits no more."""
        engine_no = store.enroll(an_owner())
        first = store.create_run(_limited("a"), engine_no)
        wish, given_up = _line_up(store, "b"), _line_up(store, "c")
        store.commit([_limited("a", run_no=first, status=Status.SUCCEEDED)], {first: 1})
        assert given_up.waiter_no is not None
        store.step_out(given_up.waiter_no)
        store.create_run(_limited("b"), engine_no, wish.waiter_no)
        assert not store.keep_place(wish)
        assert not store.keep_place(given_up)

    # what becomes of a run for which there is no slot

    def test_a_run_is_skipped_while_another_is_open(self, store: Store) -> None:
        """It is found as cancelled, with the reason, and its key stays free."""
        run_no = _submit(store, _limited("a", when_full="skip"))
        engine_no = store.enroll(an_owner())
        (claim,) = store.claim(engine_no, _QUEUES, 1)
        skipped = _limited("b", when_full="skip")
        assert store.submit(skipped, Submission(once="k")) == ("b", True)
        found = store.run("b")
        assert found is not None
        assert found.status is Status.CANCELLED
        assert found.error is not None
        assert found.error.type == "RunSkipped"
        assert "run a has the slot" in found.error.message
        assert store.submissions([found.run_no]) == {}
        _end(store, claim)
        assert store.run("a") == _limited("a", run_no=run_no, when_full="skip", status=_DONE)
        assert store.submit(_limited("c", when_full="skip"), Submission(once="k")) == ("c", True)
        assert _ids(store.claim(engine_no, _QUEUES, 1)) == ["c"]

    def test_the_newest_waits_in_place_of_the_one_that_waits(self, store: Store) -> None:
        """Which ends as cancelled, and says for whom."""
        for name in "abc":
            _submit(store, _limited(name, when_full="latest"))
            store.claim(store.enroll(an_owner()), _QUEUES, 1)
        replaced = store.run("b")
        assert replaced is not None
        assert replaced.status is Status.CANCELLED
        assert replaced.error is not None
        assert (replaced.error.type, "replaced by c" in replaced.error.message) == (
            "RunReplaced",
            True,
        )
        assert store.submissions([replaced.run_no])[replaced.run_no].is_waiting is False

    def test_the_newest_has_the_oldest_cancelled(self, store: Store) -> None:
        """Its engine is asked, and the newest waits until it has ended; those between end."""
        first = _submit(store, _limited("a", when_full="cancel"))
        (claim,) = store.claim(store.enroll(an_owner()), _QUEUES, 1)
        _submit(store, _limited("b", when_full="cancel"))
        (request,) = store.requests(first)
        assert (request.kind, request.by) == (RequestKind.CANCEL, "run b, which takes its place")
        _submit(store, _limited("c", when_full="cancel"))
        between = store.run("b")
        assert between is not None
        assert between.status is Status.CANCELLED
        _end(store, claim)
        assert _ids(store.claim(store.enroll(an_owner()), _QUEUES, 10)) == ["c"]

    def test_a_newer_run_takes_the_place_of_a_process_that_waits(self, store: Store) -> None:
        """Not that of a run which is resumed: it is recorded, and was there before."""
        store.create_run(_limited("a", when_full="latest"), store.enroll(an_owner()))
        waits, goes_on = (
            _line_up(store, run_id, when_full="latest", is_new=is_new)
            for run_id, is_new in (("b", True), ("old", False))
        )
        _line_up(store, "c", when_full="latest")
        assert not store.keep_place(waits)
        assert store.keep_place(goes_on)

    def test_no_more_new_runs_wait_in_processes_than_may(self, store: Store) -> None:
        """Those in queues count, and runs that are recorded already have their turn."""
        wish = SlotWish("b", RunLimit("monitor"), most_waiting=2)
        store.submit(_limited("a"), _PLAIN)
        store.line_up(wish, is_new=True)
        with pytest.raises(QueueFullError, match="2 runs of monitor wait already"):
            store.line_up(replace(wish, run_id="c"), is_new=True)
        with pytest.raises(QueueFullError, match="2 runs of monitor wait already"):
            store.submit(_limited("c"), replace(_PLAIN, most_waiting=2))
        assert store.line_up(replace(wish, run_id="old"), is_new=False)

    # workflows that runs call

    def test_calls_share_the_slots_with_runs(self, store: Store) -> None:
        """Each has one, also those of one run, and who waits in a queue has the next one."""
        engine_no = store.enroll(an_owner())
        caller = store.create_run(a_run("caller"), engine_no)
        wish = SlotWish("caller", RunLimit("monitor", most=2))
        for path in ("call[0]", "call[1]", "call[0]"):  # the last is given already
            store.take_child(ChildSlot(caller, path, 1), wish)
        with pytest.raises(NoSlotError, match="runs caller, caller have the slots"):
            store.take_child(ChildSlot(caller, "call[2]", 1), wish)
        (use,) = store.limits()
        assert (use.holders, use.most) == (("caller", "caller"), 2)
        store.submit(_limited("waits", most=2), _PLAIN)
        assert not store.claim(engine_no, _QUEUES, 10)
        store.free_child(ChildSlot(caller, "call[0]", 1), wish.limit)
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == ["waits"]

    def test_slots_of_calls_are_free_once_their_run_is_taken_over(self, store: Store) -> None:
        """Its former process neither takes nor frees any: they may be those of the new one."""
        caller = store.create_run(a_run("caller"), store.enroll(an_owner()))
        wish = SlotWish("caller", RunLimit("monitor"))
        former, latter = ChildSlot(caller, "call[0]", 1), ChildSlot(caller, "call[0]", 2)
        store.take_child(former, wish)
        store.submit(_limited("waits"), _PLAIN)
        engine_no = store.enroll(an_owner())
        assert not store.claim(engine_no, _QUEUES, 10)
        store.acquire(caller, engine_no, after=1)
        with pytest.raises(LeaseLostError):
            store.take_child(former, wish)
        store.take_child(latter, wish)
        store.free_child(former, wish.limit)
        assert not store.claim(engine_no, _QUEUES, 10)
        store.free_child(latter, wish.limit)
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == ["waits"]

    def test_slots_of_calls_are_free_once_their_run_is_given_back(self, store: Store) -> None:
        """If its process has freed one in vain, that comes free at the run's end at the latest."""
        caller = store.create_run(a_run("caller"), store.enroll(an_owner()))
        wish = SlotWish("caller", RunLimit("monitor"))
        store.take_child(ChildSlot(caller, "call[0]", 1), wish)
        store.submit(_limited("waits"), _PLAIN)
        engine_no = store.enroll(an_owner())
        assert not store.claim(engine_no, _QUEUES, 10)
        store.release(caller, 1)
        assert _ids(store.claim(engine_no, _QUEUES, 10)) == ["waits"]

    # repeats

    def test_a_run_with_a_known_key_is_not_made(self, store: Store, clock: ManualClock) -> None:
        """For as long as its workflow says, whether the first has ended or not."""
        engine_no = store.enroll(an_owner())
        assert store.submit(_repeat("a", for_s=60), _PLAIN) == ("a", True)
        for make in (
            lambda: store.submit(_repeat("b"), _PLAIN),
            lambda: store.create_run(_repeat("b"), engine_no),
        ):
            with pytest.raises(RunRepeatedError) as error:
                make()
            assert error.value.run_id == "a"
        store.create_run(_repeat("other", "other"), engine_no)
        clock.advance(60)
        store.create_run(_repeat("b"), engine_no)
        assert sorted(store.run_ids()) == ["a", "b", "other"]

    def test_of_repeats_at_once_one_is_made(self, store: Store) -> None:
        """All others hear of that one."""

        def submit(number: int) -> str:
            try:
                return store.submit(_repeat(f"run-{number}"), _PLAIN)[0]
            except RunRepeatedError as error:
                return error.run_id

        assert set(at_once(16, submit)) == set(store.run_ids())
        assert len(store.run_ids()) == 1

    @pytest.mark.parametrize("when_full", ["queue", "skip", "cancel"])
    def test_a_repeat_is_no_matter_of_its_limit(self, store: Store, when_full: str) -> None:
        """It isn't skipped but told of the first run, which makes no way for it; also at once."""
        limit = RunLimit("monitor", when_full=when_full)
        origin = RunOrigin(limit=limit, repeat=RepeatKey("monitor", "k", 60))
        engine_no = store.enroll(an_owner())
        first = store.create_run(a_run("a", origin=origin), engine_no)
        for make in (
            lambda: store.submit(a_run("b", origin=origin), _PLAIN),
            lambda: store.create_run(a_run("b", origin=origin), engine_no),
        ):
            with pytest.raises(RunRepeatedError) as error:
                make()
            assert error.value.run_id == "a"
        assert store.requests(first) == []
        assert list(store.run_ids()) == ["a"]

    def test_of_repeats_at_once_none_is_skipped(self, store: Store) -> None:
        """All others hear of the first, although that has the only slot."""
        limit = RunLimit("monitor", when_full="skip")
        origin = RunOrigin(limit=limit, repeat=RepeatKey("monitor", "k", 60))

        def submit(number: int) -> str:
            try:
                return store.submit(a_run(f"run-{number}", origin=origin), _PLAIN)[0]
            except RunRepeatedError as error:
                return error.run_id

        assert set(at_once(16, submit)) == set(store.run_ids())
        assert len(store.run_ids()) == 1

    def test_the_key_of_a_deleted_run_may_come_again(self, store: Store) -> None:
        """Its repeat is no repeat any more."""
        engine_no = store.enroll(an_owner())
        run_no = store.create_run(_repeat("a"), engine_no)
        store.commit([_repeat("a", run_no=run_no, status=Status.FAILED)], {run_no: 1})
        assert store.delete_run(EndedRun(run_no, "a", "monitor", Status.FAILED, 1.0))
        store.create_run(_repeat("b"), engine_no)

    def test_a_run_without_a_slot_is_no_first_one(self, store: Store) -> None:
        """A key is taken by runs that are made, not by those that would be."""
        engine_no = store.enroll(an_owner())
        first = store.create_run(_limited("a"), engine_no)
        origin = RunOrigin(limit=RunLimit("monitor"), repeat=RepeatKey("monitor", "k", 60))
        with pytest.raises(NoSlotError):
            store.create_run(a_run("b", origin=origin), engine_no)
        store.commit([_limited("a", run_no=first, status=Status.FAILED)], {first: 1})
        store.create_run(a_run("b", origin=origin), engine_no)


_DONE = Status.SUCCEEDED


def _limited(
    run_id: str, key: str = "", *, most: int = 1, when_full: str = "queue", **changes: object
) -> RunRecord:
    limit = RunLimit("monitor", key, most, when_full)
    return a_run(run_id, origin=RunOrigin(limit=limit), **changes)


def _repeat(run_id: str, key: str = "k", *, for_s: float = 60.0, **changes: object) -> RunRecord:
    return a_run(run_id, origin=RunOrigin(repeat=RepeatKey("monitor", key, for_s)), **changes)


def _submit(store: Store, run: RunRecord, submission: Submission = _PLAIN) -> int:
    store.submit(run, submission)
    return _number(store, run.id)


def _line_up(
    store: Store, run_id: str, *, when_full: str = "queue", is_new: bool = True
) -> SlotWish:
    wish = SlotWish(run_id, RunLimit("monitor", when_full=when_full))
    return replace(wish, waiter_no=store.line_up(wish, is_new=is_new))


def _end(store: Store, claim: Claim) -> None:
    """End a run that an engine has taken, and give it back."""
    run, lease = store.run(claim.run_id), claim.lease
    assert run is not None
    tokens = {lease.run_no: lease.token}
    store.commit([replace(run, status=_DONE), an_event(lease.run_no, 1)], tokens)
    store.release(lease.run_no, lease.token)


def _number(store: Store, run_id: str) -> int:
    found = store.run(run_id)
    assert found is not None
    return found.run_no


def _ids(claims: Sequence[Claim]) -> list[str]:
    return [claim.run_id for claim in claims]
