"""Promises of every store about waits and signals, as tests to mix into a `StoreContract`.

class TestMyStore(WaitsContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from msgspec.structs import replace

from fanwise.errors import LeaseLostError, RecordRefusedError, RunOverError
from fanwise.model import (
    CloseWaits,
    Discard,
    Link,
    RunLimit,
    RunOrigin,
    Signal,
    Status,
    Submission,
    WaitKind,
    WaitRequest,
    WaitState,
    WaitToOpen,
)
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_run

_QUESTION = WaitRequest(waits_for=WaitKind.QUESTION, form=b'{"prompt":"?"}')
_HOUR_S = 3_600.0


def a_question(path: str = "ask", turn: int = 1, timeout_s: float | None = None) -> WaitToOpen:
    """A question of an attempt."""
    return WaitToOpen(path, turn, _QUESTION, timeout_s)


def a_wait_for(*names: str, path: str = "wait", **changes: object) -> WaitToOpen:
    """A wait for a signal that has one of the names."""
    request = WaitRequest(waits_for=WaitKind.SIGNAL, names=names)
    return WaitToOpen(path, 1, replace(request, **changes), None)


def a_signal(name: str = "paid", key: str | None = None, payload: bytes = b"1") -> Signal:
    """A signal of somebody."""
    return Signal(name, key, payload, "ada")


def a_driven_run(store: Store, run_id: str = "run-1") -> int:
    """A run that an engine drives, with the token 1."""
    engine_no = store.enroll(an_owner())
    return store.create_run(a_run(run_id, status=Status.RUNNING), engine_no)


def a_submitted_run(store: Store, status: Status) -> int:
    """A submitted run that an engine has let go of, with a question."""
    store.submit(a_run(), Submission())
    (claim,) = store.claim(store.enroll(an_owner()), ["default"], 1)
    run_no, token = claim.lease.run_no, claim.lease.token
    store.open_waits(run_no, token, [a_question(timeout_s=_HOUR_S)])
    store.commit([a_run(run_no=run_no, status=status)], {run_no: token})
    store.release(run_no, token)
    return run_no


class WaitsContract:
    """The promises of `Waits`."""

    # sleeping

    def test_a_run_that_sleeps_is_woken_when_it_is_due(
        self, store: Store, clock: ManualClock
    ) -> None:
        """Over and over, and people see no wait of it."""
        store.submit(a_run(), Submission())
        engine_no = store.enroll(an_owner())
        for turn in (1, 2):
            (claim,) = store.claim(engine_no, ["default"], 1)
            run_no, token = claim.lease.run_no, claim.lease.token
            assert store.doze(run_no, token, 60.0) == turn - 1
            store.commit([a_run(run_no=run_no, status=Status.WAITING)], {run_no: token})
            store.release(run_no, token)
            assert store.wake_at(run_no) == clock.now() + 60
            assert list(store.waits_open()) == []
            clock.advance(59)
            store.wake_due()
            assert store.claim(engine_no, ["default"], 1) == []
            clock.advance(1)
            store.wake_due()
            assert (store.wake_at(run_no), store.last_settled(run_no)) == (None, turn)
        assert _claimed(store, engine_no) == ["run-1"]

    def test_a_run_that_was_taken_away_is_not_put_to_sleep(self, store: Store) -> None:
        """Its new engine decides."""
        run_no = a_driven_run(store)
        with pytest.raises(LeaseLostError):
            store.doze(run_no, 2, 60.0)
        assert store.wake_at(run_no) is None

    # links

    def test_a_link_is_known_by_a_hash_while_its_run_is_there(self, store: Store) -> None:
        """For one question and one person; it goes with the run."""
        run_no = a_driven_run(store)
        links = _links_of(run_no)
        for _ in range(2):
            store.add_links(links)
        assert store.link("hash of ada") == replace(links[0], run_id="run-1")
        assert store.link("another") is None
        store.commit([a_run(run_no=run_no, status=Status.FAILED)], {run_no: 1})
        (ended,) = store.ended_runs()
        assert store.delete_run(ended)
        assert store.link("hash of ada") is None
        assert sum(store.delete_orphans()) >= 2

    # opening

    def test_a_wait_is_open_until_it_is_settled(self, store: Store, clock: ManualClock) -> None:
        """It has its deadline by the store's clock, and is listed with its run."""
        run_no = a_driven_run(store)
        (wait,) = store.open_waits(run_no, 1, [a_question(timeout_s=60)])
        assert (wait.state, wait.place, wait.settled_no) == (WaitState.OPEN, ("ask", 1), None)
        assert (wait.opened_at, wait.deadline) == (clock.now(), clock.now() + 60)
        assert (wait.waits_for, wait.form) == (WaitKind.QUESTION, _QUESTION.form)
        (found,) = store.waits_open()
        assert (found.run_id, found.workflow, found.wait) == ("run-1", "monitor", wait)
        assert store.waits_open(run_no=run_no) == [found]
        assert list(store.waits_open(run_no=run_no + 1)) == []
        assert store.waits_at(run_no, "ask") == [wait]
        assert store.settled_waits(run_no) == []

    def test_a_wait_that_is_opened_again_is_the_one_that_was(
        self, store: Store, clock: ManualClock
    ) -> None:
        """Its deadline isn't moved, and an answer that has come is found."""
        run_no = a_driven_run(store)
        first = store.open_waits(run_no, 1, [a_question(timeout_s=60), a_question("b")])
        clock.advance(30)
        store.answer_wait(run_no, "b", 1, b"1", by="ada", via="cli")
        again = store.open_waits(run_no, 1, [a_question(timeout_s=60), a_question("b")])
        assert again[0] == first[0]
        assert (again[1].state, again[1].answer) == (WaitState.ANSWERED, b"1")

    def test_who_has_lost_the_run_opens_no_wait(self, store: Store) -> None:
        """As with everything else that an engine writes."""
        run_no = a_driven_run(store)
        with pytest.raises(LeaseLostError):
            store.open_waits(run_no, 2, [a_question()])
        assert list(store.waits_open()) == []

    def test_a_wait_that_was_closed_is_opened_anew(self, store: Store, clock: ManualClock) -> None:
        """As after a retry of a task that was cancelled while it asked."""
        run_no = a_driven_run(store)
        paths = ["ask", "ask[1]", "ask[1].b", "asked", "ask#2"]
        store.open_waits(run_no, 1, [a_question(path, timeout_s=60) for path in paths])
        store.commit([CloseWaits(run_no, "ask")], {run_no: 1})
        assert [each.wait.path for each in store.waits_open()] == ["ask#2", "asked"]
        clock.advance(100)
        (wait,) = store.open_waits(run_no, 1, [a_question(timeout_s=60)])
        assert (wait.state, wait.deadline) == (WaitState.OPEN, clock.now() + 60)

    def test_waits_are_taken_back_with_what_they_are_under(self, store: Store) -> None:
        """As sleeps are."""
        run_no = a_driven_run(store)
        paths = ["ask", "ask[1]", "ask[1].b", "asked"]
        store.open_waits(run_no, 1, [a_question(path) for path in paths])
        store.commit([Discard(run_no, under="ask[1]")], {run_no: 1})
        assert [each.wait.path for each in store.waits_open()] == ["ask", "asked"]

    # settling

    def test_settled_waits_are_numbered_as_they_come(self, store: Store) -> None:
        """So that an engine asks for those after the last that it knows, in each run by itself."""
        run_no, other = a_driven_run(store), a_driven_run(store, "run-2")
        for number in (run_no, other):
            store.open_waits(number, 1, [a_question(path) for path in "abc"])
        for path in "cab":
            store.answer_wait(run_no, path, 1, b"1", by="ada", via="cli")
        assert [each.path for each in store.settled_waits(run_no)] == ["c", "a", "b"]
        assert [each.path for each in store.settled_waits(run_no, after=2)] == ["b"]
        assert (store.last_settled(run_no), store.last_settled(other)) == (3, 0)

    def test_a_run_that_is_over_takes_no_answer(self, store: Store) -> None:
        """Nor a signal, and what it has left open isn't listed."""
        run_no = a_driven_run(store)
        store.open_waits(run_no, 1, [a_question()])
        store.commit([a_run(run_no=run_no, status=Status.CANCELLED)], {run_no: 1})
        with pytest.raises(RunOverError):
            store.answer_wait(run_no, "ask", 1, b"1", by="ada", via="cli")
        with pytest.raises(RunOverError):
            store.send_signal(run_no, a_signal())
        assert list(store.waits_open()) == []

    def test_a_text_that_no_store_holds_is_refused(self, store: Store) -> None:
        """Nothing is settled by it."""
        run_no = a_driven_run(store)
        store.open_waits(run_no, 1, [a_question()])
        with pytest.raises(RecordRefusedError):
            store.answer_wait(run_no, "ask", 1, b"1", by="a\0a", via="cli")
        with pytest.raises(RecordRefusedError):
            store.send_signal(run_no, a_signal("\0"))
        assert [each.wait.path for each in store.waits_open()] == ["ask"]

    # deadlines

    def test_a_wait_expires_at_its_deadline(self, store: Store, clock: ManualClock) -> None:
        """The first look sees to it, and an answer comes too late from then on."""
        run_no = a_driven_run(store)
        waits = [a_question("a", timeout_s=60), a_question("b", timeout_s=30), a_question("c")]
        store.open_waits(run_no, 1, waits)
        clock.advance(60)
        late = store.answer_wait(run_no, "a", 1, b"1", by="ada", via="cli")
        assert (late.state, late.answer, late.via) == (WaitState.EXPIRED, None, "deadline")
        found = store.settled_waits(run_no)
        assert [(each.path, each.settled_no) for each in found] == [("b", 1), ("a", 2)]
        assert [each.wait.path for each in store.waits_open()] == ["c"]

    # signals

    @pytest.mark.parametrize("comes_first", ["signal", "wait"])
    def test_a_signal_ends_one_wait_that_it_fits(self, store: Store, comes_first: str) -> None:
        """By its name and its key, whichever of the two comes first."""
        run_no = a_driven_run(store)
        waits = [
            a_wait_for("refunded", path="other"),
            a_wait_for("paid", path="key", key="j"),
            a_wait_for("waived", "paid", path="fits", key="k"),
            a_wait_for("waived", "paid", path="too late", key="k"),
        ]
        if comes_first == "signal":
            assert store.send_signal(run_no, a_signal(key="k", payload=b"7")) is None
            store.open_waits(run_no, 1, waits)
        else:
            store.open_waits(run_no, 1, waits)
            taken = store.send_signal(run_no, a_signal(key="k", payload=b"7"))
            assert taken is not None
        (wait,) = store.settled_waits(run_no)
        assert (wait.path, wait.by, wait.via) == ("fits", "ada", "signal")
        assert wait.answer is not None
        assert msgspec.json.decode(wait.answer) == {"name": "paid", "key": "k", "payload": 7}

    def test_a_wait_without_a_key_takes_signals_with_any(self, store: Store) -> None:
        """And a wait from now on none that were sent before, but later ones."""
        run_no = a_driven_run(store)
        store.send_signal(run_no, a_signal(key="k"))
        late = a_wait_for("paid", path="late", takes_earlier=False)
        (wait,) = store.open_waits(run_no, 1, [late])
        assert wait.state is WaitState.OPEN
        (wait,) = store.open_waits(run_no, 1, [a_wait_for("paid")])
        assert wait.state is WaitState.ANSWERED
        taken = store.send_signal(run_no, a_signal(key="j"))
        assert taken is not None
        assert taken.path == "late"

    def test_signals_are_kept_in_their_order(self, store: Store) -> None:
        """The first wait takes the first, and each signal is taken once."""
        run_no = a_driven_run(store)
        for payload in (b"1", b"2"):
            store.send_signal(run_no, a_signal(payload=payload))
        opened = store.open_waits(run_no, 1, [a_wait_for("paid", path=path) for path in "abc"])
        payloads = [
            None if each.answer is None else msgspec.json.decode(each.answer)["payload"]
            for each in opened
        ]
        assert payloads == [1, 2, None]

    # runs that wait

    @pytest.mark.parametrize("by", ["answer", "deadline"])
    def test_what_settles_a_wait_of_a_waiting_run_has_it_taken(
        self, store: Store, clock: ManualClock, by: str
    ) -> None:
        """It is pending in the same transaction, and an engine gets it; other runs stay."""
        run_no = a_submitted_run(store, Status.WAITING)
        engine_no = store.enroll(an_owner())
        store.wake_due()
        store.wake_settled(run_no, after=0)
        assert _claimed(store, engine_no) == []
        if by == "answer":
            store.answer_wait(run_no, "ask", 1, b"1", by="ada", via="cli")
        else:
            assert not store.has_work(["default"])
            clock.advance(_HOUR_S)
            assert store.has_work(["default"])
            store.wake_due()
        found = store.run("run-1")
        assert found is not None
        assert found.status is Status.PENDING
        assert _claimed(store, engine_no) == ["run-1"]

    @pytest.mark.parametrize("status", [Status.PAUSED, Status.RUNNING])
    def test_a_run_that_is_not_waiting_is_left_as_it_is(
        self, store: Store, clock: ManualClock, status: Status
    ) -> None:
        """One that was paused on request stays so, with its answer."""
        run_no = a_submitted_run(store, status)
        store.answer_wait(run_no, "ask", 1, b"1", by="ada", via="cli")
        clock.advance(_HOUR_S)
        store.wake_due()
        found = store.run("run-1")
        assert found is not None
        assert found.status is status
        assert _claimed(store, store.enroll(an_owner())) == []

    def test_an_answer_that_came_while_a_run_was_left_wakes_it(self, store: Store) -> None:
        """It is told by the number of what is settled; the engine says which it knows."""
        run_no = a_submitted_run(store, Status.RUNNING)
        store.answer_wait(run_no, "ask", 1, b"1", by="ada", via="cli")
        found = store.run("run-1")
        assert found is not None
        store.commit([replace(found, status=Status.WAITING)])
        store.wake_settled(run_no, after=1)
        assert _claimed(store, store.enroll(an_owner())) == []
        store.wake_settled(run_no, after=0)
        assert _claimed(store, store.enroll(an_owner())) == ["run-1"]

    def test_a_run_that_waits_holds_no_slot_and_gets_one_again_before_others(
        self, store: Store
    ) -> None:
        """The answer alone doesn't put more runs of a key to work than its limit allows."""
        limit = RunOrigin(limit=RunLimit("monitor", "", 1))
        engine_no, numbers = store.enroll(an_owner()), {}
        for name in ("first", "second", "third"):
            store.submit(a_run(name, origin=limit), Submission())
        for name in ("first", "second"):
            (claim,) = store.claim(engine_no, ["default"], 10)
            run_no, token = claim.lease.run_no, claim.lease.token
            numbers[claim.run_id] = run_no
            if name == "first":
                store.open_waits(run_no, token, [a_question()])
                waiting = a_run(name, run_no=run_no, origin=limit, status=Status.WAITING)
                store.commit([waiting], {run_no: token})
                store.release(run_no, token)
        store.answer_wait(numbers["first"], "ask", 1, b"1", by="ada", via="cli")
        assert _claimed(store, engine_no) == []
        over = a_run("second", run_no=numbers["second"], origin=limit, status=Status.SUCCEEDED)
        store.commit([over], {over.run_no: 1})
        assert _claimed(store, engine_no) == ["first"]

    def test_a_run_that_keeps_its_slot_while_it_waits_goes_on_alone(self, store: Store) -> None:
        """Another one has the second slot meanwhile, and nobody its own, also at its return."""
        limit = RunOrigin(limit=RunLimit("monitor", "", 2, keeps_slot=True))
        engine_no = store.enroll(an_owner())
        store.submit(a_run("first", origin=limit), Submission())
        (claim,) = store.claim(engine_no, ["default"], 10)
        run_no, token = claim.lease.run_no, claim.lease.token
        store.open_waits(run_no, token, [a_question()])
        waiting = a_run("first", run_no=run_no, origin=limit, status=Status.WAITING)
        store.commit([waiting], {run_no: token})
        store.release(run_no, token)
        for name in ("second", "third"):
            store.submit(a_run(name, origin=limit), Submission())
        (second,) = store.claim(engine_no, ["default"], 10)
        assert second.run_id == "second"
        store.answer_wait(run_no, "ask", 1, b"1", by="ada", via="cli")
        over = a_run("second", run_no=second.lease.run_no, origin=limit, status=Status.SUCCEEDED)
        store.commit([over], {over.run_no: second.lease.token})
        assert _claimed(store, engine_no) == ["first", "third"]

    def test_a_waiting_run_that_was_not_submitted_stays_with_nobody(self, store: Store) -> None:
        """Its files and secrets are its caller's."""
        run_no = a_driven_run(store)
        store.open_waits(run_no, 1, [a_question()])
        store.commit([a_run(run_no=run_no, status=Status.WAITING)], {run_no: 1})
        store.release(run_no, 1)
        store.answer_wait(run_no, "ask", 1, b"1", by="ada", via="cli")
        found = store.run("run-1")
        assert found is not None
        assert found.status is Status.WAITING
        assert list(store.unfinished()) == []
        assert list(store.ended_runs()) == []

    def test_a_waiting_run_whose_engine_died_as_it_left_is_taken_by_another(
        self, store: Store
    ) -> None:
        """That finds out whether something has been settled meanwhile."""
        store.submit(a_run(), Submission())
        engine_no = store.enroll(an_owner())
        (claim,) = store.claim(engine_no, ["default"], 1)
        run_no, token = claim.lease.run_no, claim.lease.token
        store.open_waits(run_no, token, [a_question()])
        store.commit([a_run(run_no=run_no, status=Status.WAITING)], {run_no: token})
        (engine,) = store.engines()
        assert store.reap(engine_no, engine.beats) == ["run-1"]
        assert _claimed(store, store.enroll(an_owner())) == ["run-1"]


def _links_of(run_no: int) -> list[Link]:
    return [Link(f"hash of {who}", run_no, "ask", 1, who) for who in ("ada", "")]


def _claimed(store: Store, engine_no: int) -> Sequence[str]:
    return [each.run_id for each in store.claim(engine_no, ["default"], 10)]
