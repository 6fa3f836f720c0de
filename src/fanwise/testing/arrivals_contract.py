"""Promises of every store about arrivals, as tests to mix into a `StoreContract`.

class TestMyStore(ArrivalsContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from fanwise.errors import RecordRefusedError
from fanwise.model import (
    ASKED,
    DROPPED,
    EVENT,
    KEPT_ARRIVALS_S,
    Arrival,
    BatchEvent,
    FireStatus,
    NewFire,
    Signal,
    Status,
    Submission,
    TriggerTurn,
    Wait,
    WaitState,
)
from fanwise.stores import Store
from fanwise.testing.answers_contract import an_answer, checked
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner, at_once
from fanwise.testing.records import a_run
from fanwise.testing.waits_contract import a_driven_run, a_question, a_wait_for

_NAMES = ("flow", "each")


def an_event(id: str, name: str = "paid", **changes: object) -> Arrival:
    """An event that somebody emits."""
    given: dict[str, object] = {"data": b'{"n":1}', "by": "ada", **changes}
    return Arrival(source=EVENT, name=name, id=id, **given)  # type: ignore[arg-type]


class ArrivalsContract:
    """The promises of `Arrivals`."""

    def test_an_arrival_is_recorded_once(self, store: Store, clock: ManualClock) -> None:
        """Its source, name and id tell; the first one stays."""
        first = an_event("1", key="k", depth=2)
        assert list(store.arrive([first, an_event("1"), an_event("1", "other")])) == [
            True,
            False,
            True,
        ]
        assert list(store.arrive([an_event("1", data=b"2")])) == [False]
        found = store.arrival(EVENT, "paid", "1")
        assert found is not None
        assert (found.key, found.depth, found.data, found.at) == ("k", 2, first.data, clock.now())
        assert store.arrival("webhook", "paid", "1") is None

    def test_the_latest_events_are_known(self, store: Store, clock: ManualClock) -> None:
        """By their names, after a time; a request to a hook is none."""
        begun_at = clock.now()
        store.arrive([an_event("1"), an_event("2", "other")])
        clock.advance(5)
        store.arrive([an_event("3"), replace(an_event("4"), source="webhook", name="hook")])
        assert store.latest_events(begun_at - 1) == {"paid": begun_at + 5, "other": begun_at}
        assert store.latest_events(begun_at) == {"paid": begun_at + 5}
        assert store.latest_events(clock.now()) == {}

    def test_of_arrivals_at_once_one_is_new(self, store: Store) -> None:
        """However many processes record it."""
        given = at_once(4, lambda _: store.arrive([an_event(str(n)) for n in range(100)]))
        assert all(sum(new) == 1 for new in zip(*given, strict=True))

    def test_events_go_to_the_triggers_that_listen(self, store: Store) -> None:
        """From when they do, each to all of them; others to the one that is named."""
        store.arrive([an_event("early")])
        for name, listens in (("each", ("paid", "order.*")), ("other", ("*",)), ("deaf", ())):
            _turn(store, 0, name=name, listens=listens)
        store.arrive([an_event("1"), an_event("2", "order.new"), an_event("3", "x")])
        store.arrive([Arrival(source="file", name="/in", id="a")], ("flow", "files"))
        refused = Arrival(source="webhook", name="hook", id="b", refused="it doesn't fit")
        store.arrive([refused], ("flow", "files"))
        assert _delivered(store, "each") == ["1", "2"]
        assert _delivered(store, "other") == ["1", "2", "3"]
        assert _delivered(store, "files") == ["a"]
        assert _delivered(store, "deaf") == []
        assert {state.name: state.has_arrivals for state in store.triggers()[1]} == {
            "each": True,
            "other": True,
            "deaf": False,
            "files": True,
        }

    def test_arrivals_gather_and_become_the_events_of_a_run(self, store: Store) -> None:
        """In their order, page by page; of each trigger apart."""
        _turn(store, 0, listens=("paid",))
        _turn(store, 0, name="other", listens=("paid",))
        store.arrive([an_event(str(n), data=str(n).encode()) for n in range(200)])
        numbers = [each.arrival_no for each in store.delivered(*_NAMES, most=1_000)]
        sorted_ = tuple((number, 1 + at % 2) for at, number in enumerate(numbers[1:]))
        _turn(store, 1, sorted=((numbers[0], DROPPED), *sorted_), batches=b"{}")
        assert _delivered(store, "each") == []
        assert [(at, each.id) for at, each in store.gathered(*_NAMES, 1, 2, 4)] == [
            (2, "5"),
            (3, "7"),
        ]
        assert len(store.gathered(*_NAMES, 1, 0, 99, limit_bytes=10)) == 8
        fire = NewFire(
            key="batch:1",
            at=1.0,
            first=0.0,
            n=100,
            status=FireStatus.RAN,
            run=a_run("run-1"),
            place=Submission(),
            batch=1,
            has_events=True,
        )
        assert list(_turn(store, 2, fires=(fire,)) or ()) == ["run-1"]
        run = store.run("run-1")
        assert run is not None
        found = store.batch_events(run.run_no, 90, 200)
        assert [(each.index, each.id) for each in found] == [
            (at, str(1 + 2 * at)) for at in range(90, 100)
        ]
        assert list(store.gathered(*_NAMES, 1, 0, 99)) == []
        assert len(store.gathered(*_NAMES, 2, 0, 200)) == 99
        assert len(_delivered(store, "other")) == 200
        exported = [each for each in store.export("run-1") if isinstance(each, BatchEvent)]
        assert [each.id for each in exported] == [str(1 + 2 * at) for at in range(100)]

    def test_a_batch_without_a_run_is_gone(self, store: Store) -> None:
        """Its arrivals are decided."""
        _turn(store, 0, listens=("paid",))
        store.arrive([an_event("1")])
        (one,) = store.delivered(*_NAMES, most=9)
        _turn(store, 1, sorted=((one.arrival_no, 1),))
        fire = NewFire(key="k", at=1.0, first=1.0, status=FireStatus.SKIPPED, batch=1)
        _turn(store, 2, fires=(fire,))
        assert list(store.gathered(*_NAMES, 1, 0, 9)) == []
        assert store.arrival(EVENT, "paid", "1") is not None

    def test_a_turn_of_an_old_state_decides_no_arrival(self, store: Store) -> None:
        """Another server has been faster."""
        _turn(store, 0, listens=("paid",))
        store.arrive([an_event("1")])
        (one,) = store.delivered(*_NAMES, most=9)
        assert _turn(store, 0, sorted=((one.arrival_no, 1),)) is None
        assert _delivered(store, "each") == ["1"]

    def test_old_arrivals_are_forgotten(self, store: Store, clock: ManualClock) -> None:
        """But for those that gather; then the id can come again."""
        _turn(store, 0, listens=("paid",))
        store.arrive([an_event("kept"), an_event("undecided")])
        first, _ = store.delivered(*_NAMES, most=9)
        _turn(store, 1, sorted=((first.arrival_no, 1),))
        clock.advance(KEPT_ARRIVALS_S + 1)
        store.arrive([an_event(f"x{n}", "x") for n in range(100)])
        assert store.arrival(EVENT, "paid", "kept") is not None
        assert store.arrival(EVENT, "paid", "undecided") is None
        assert _delivered(store, "each") == []

    def test_what_no_store_holds_is_refused(self, store: Store) -> None:
        """And nothing of the call is recorded."""
        for bad in (an_event("a\0"), an_event("b", data=b'"\0"'), an_event("c", by="\ud800")):
            with pytest.raises(RecordRefusedError):
                store.arrive([an_event("good"), bad])
        assert store.arrival(EVENT, "paid", "good") is None

    # waits

    def test_an_event_ends_a_wait_in_each_run(self, store: Store, clock: ManualClock) -> None:
        """The first of the run that it fits, by name and key; only that one."""
        first, second = _driven_run(store, clock), _driven_run(store, clock, "run-2")
        waits = [a_wait_for("paid", key="a"), a_wait_for("paid", path="late")]
        store.open_waits(first, 1, waits)
        store.open_waits(second, 1, [a_wait_for("sent", "paid")])
        store.arrive([an_event("1", key="b", data=b"5")])
        (found,) = store.settled_waits(first)
        assert (found.path, found.state, found.by, found.via) == (
            "late",
            WaitState.ANSWERED,
            "ada",
            "event",
        )
        assert found.answer == b'{"name":"paid","key":"b","payload":5}'
        assert [wait.path for wait in store.settled_waits(second)] == ["wait"]
        store.offer_arrivals()
        assert _states(store.waits_at(first, "wait")) == [WaitState.OPEN]

    def test_a_wait_takes_an_event_that_came_before(self, store: Store, clock: ManualClock) -> None:
        """The first since its run began that no other wait of the run has taken."""
        store.arrive([an_event("too early")])
        clock.advance(1)
        run_no = _driven_run(store, clock)
        store.arrive([an_event("1", data=b"1"), an_event("2", data=b"2")])
        store.offer_arrivals()
        opened = store.open_waits(
            run_no, 1, [a_wait_for("paid", path=path) for path in ("a", "b", "c")]
        )
        assert _states(opened) == [WaitState.ANSWERED, WaitState.ANSWERED, WaitState.OPEN]
        assert [each.answer and each.answer[-2:] for each in opened[:2]] == [b"1}", b"2}"]
        store.send_signal(run_no, Signal("paid", None, b"3", "ada"))
        assert len(store.settled_waits(run_no)) == 3

    def test_a_wait_for_later_events_takes_no_earlier_one(
        self, store: Store, clock: ManualClock
    ) -> None:
        """Also one that isn't offered yet when it opens."""
        run_no = _driven_run(store, clock)
        store.arrive([an_event("1")])
        clock.advance(1)
        store.open_waits(run_no, 1, [a_wait_for("paid", takes_earlier=False)])
        assert list(store.settled_waits(run_no)) == []
        clock.advance(1)
        store.arrive([an_event("2")])
        assert len(store.settled_waits(run_no)) == 1

    def test_an_event_wakes_a_run_that_waits(self, store: Store, clock: ManualClock) -> None:
        """The look for waits that are due finds it."""
        run = a_run(created_at=clock.now())
        store.submit(run, Submission())
        (claim,) = store.claim(store.enroll(an_owner()), ["default"], 1)
        run_no, token = claim.lease.run_no, claim.lease.token
        store.open_waits(run_no, token, [a_wait_for("paid")])
        store.commit([replace(run, run_no=run_no, status=Status.WAITING)], {run_no: token})
        store.release(run_no, token)
        store.arrive([an_event("1")])
        store.wake_due()
        assert store.submissions([run_no])[run_no].is_waiting

    def test_a_question_is_told_to_who_listens(self, store: Store) -> None:
        """Once, with what is asked; to nobody else, and nothing is kept if nobody does.

        A question that has its answer beforehand is told to nobody.
        """
        run_no = a_driven_run(store)
        store.keep_answer(run_no, "known", an_answer())
        store.open_waits(run_no, 1, [a_question("first")])
        _turn(store, 0, listens=(ASKED,))
        _turn(store, 0, name="all", listens=("*",))
        for _ in range(2):
            store.open_waits(run_no, 1, [a_question(), a_question("known")], checked)
        (told,) = store.delivered(*_NAMES, most=9)
        assert b'"task":"ask"' in told.data
        assert b'"question":{"prompt":"?"}' in told.data
        assert _delivered(store, "all") == []


def _driven_run(store: Store, clock: ManualClock, run_id: str = "run-1") -> int:
    """A run that has begun now, which an engine drives with the token 1."""
    run = a_run(run_id, status=Status.RUNNING, created_at=clock.now())
    return store.create_run(run, store.enroll(an_owner()))


def _turn(store: Store, turn: int, name: str = "each", **changes: object) -> Sequence[str] | None:
    made = TriggerTurn(workflow="flow", name=name, turn=turn, **changes)  # type: ignore[arg-type]
    (runs,) = store.take_turns([made])
    return runs


def _delivered(store: Store, name: str) -> list[str]:
    return [each.id for each in store.delivered("flow", name, most=1_000)]


def _states(waits: Sequence[Wait]) -> list[WaitState]:
    return [wait.state for wait in waits]
