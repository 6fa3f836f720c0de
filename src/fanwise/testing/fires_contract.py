"""Promises of every store about triggers and their fires, as tests to mix into a `StoreContract`.

class TestMyStore(FiresContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from fanwise.errors import RecordRefusedError
from fanwise.model import (
    FireStatus,
    NewFire,
    OpenFire,
    RepeatKey,
    RequestKind,
    RunLimit,
    RunOrigin,
    Status,
    Submission,
    TriggerState,
    TriggerTurn,
)
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner, at_once
from fanwise.testing.records import a_run

_NAMES = ("monitor", "nightly")


class FiresContract:
    """The promises of `Fires`."""

    def test_a_turn_is_recorded_as_a_whole(self, store: Store, clock: ManualClock) -> None:
        """The fire, its run with its place in a queue, and how far the trigger is decided."""
        made = _take(
            store,
            _turn(0, _fire("schedule:1", run="nightly-1", place=Submission("q", 7)), cursor=60.0),
        )
        assert made == ["nightly-1"]
        run = store.run("nightly-1")
        assert run is not None
        assert run.status is Status.PENDING
        place = store.submissions([run.run_no])[run.run_no]
        assert (place.queue, place.priority, place.is_waiting) == ("q", 7, True)
        (fire,) = store.fires(*_NAMES)
        assert (fire.key, fire.status, fire.run_id) == ("schedule:1", FireStatus.RAN, "nightly-1")
        assert fire.fired_at == clock.now()
        state = _state(1, cursor=60.0, last_at=1.0, last_status=FireStatus.RAN)
        assert store.triggers() == (clock.now(), [state])

    def test_a_trigger_that_was_never_seen_has_no_fires(self, store: Store) -> None:
        """Nor a state, and it isn't paused."""
        assert list(store.triggers()[1]) == []
        assert list(store.fires(*_NAMES)) == []
        assert list(store.open_fires(*_NAMES)) == []
        assert not store.resume_trigger(*_NAMES, catches_up=False)

    def test_the_newest_record_is_known(self, store: Store, clock: ManualClock) -> None:
        """Of runs, engines and triggers."""
        assert store.newest_record() is None
        store.create_run(a_run(created_at=5.0))
        assert store.newest_record() == 5.0
        _take(store, _turn(0, cursor=60.0))
        assert store.newest_record() == 60.0
        store.enroll(an_owner())
        assert store.newest_record() == clock.now()

    def test_a_turn_of_an_old_state_changes_nothing(self, store: Store) -> None:
        """Neither a fire nor a run is made, and the cursor stays."""
        _take(store, _turn(0, cursor=60.0))
        assert _take(store, _turn(0, _fire("schedule:1", run="late"), cursor=99.0)) is None
        assert store.run("late") is None
        assert list(store.fires(*_NAMES)) == []
        assert store.triggers()[1][0].cursor == 60.0

    def test_of_servers_that_decide_at_once_one_fires(self, store: Store) -> None:
        """Each key makes one run."""
        for number in range(10):
            key = f"schedule:{number}"

            def decide(server: int, key: str = key, number: int = number) -> object:
                return _take(store, _turn(number, _fire(key, run=f"{server}-{key[9:]}")))

            given = at_once(4, decide)
            assert sum(made is not None for made in given) == 1
        assert len(store.fires(*_NAMES)) == 10
        assert len(list(store.run_ids())) == 10

    def test_turns_of_several_triggers_are_recorded_at_once(self, store: Store) -> None:
        """One that is late leaves the others alone."""
        _take(store, _turn(0))
        other = replace(_turn(0, _fire("b", run="b")), name="other")
        assert list(store.take_turns([_turn(0, _fire("a", run="a")), other])) == [None, ["b"]]
        assert [state.name for state in store.triggers()[1]] == ["nightly", "other"]
        assert list(store.run_ids()) == ["b"]

    def test_a_key_makes_one_run(self, store: Store) -> None:
        """Also at any turn; the rest of the turn is recorded."""
        _take(store, _turn(None, _fire("manual:1", run="first")))
        made = _take(
            store, _turn(None, _fire("manual:1", run="again"), _fire("manual:2", run="other"))
        )
        assert made == ["other"]
        assert store.run("again") is None

    def test_a_run_whose_id_is_taken_gets_another_one(self, store: Store) -> None:
        """The same with a number."""
        store.create_run(a_run("nightly-1"))
        assert _take(store, _turn(0, _fire("a", run="nightly-1"))) == ["nightly-1-2"]
        assert _take(store, _turn(1, _fire("b", run="nightly-1"))) == ["nightly-1-3"]
        assert [each.run_id for each in store.fires(*_NAMES)] == ["nightly-1-3", "nightly-1-2"]

    def test_the_fires_of_open_runs_are_open(self, store: Store) -> None:
        """Until their runs are over or deleted; others never are."""
        _take(store, _turn(0, _fire("a", run="a"), _fire("b", FireStatus.SKIPPED)))
        _take(store, _turn(1, _fire("c", run="c")))
        assert list(store.open_fires(*_NAMES)) == [
            OpenFire("a", 1.0, "a", Status.PENDING),
            OpenFire("c", 1.0, "c", Status.PENDING),
        ]
        for run_id in ("a", "c"):
            _end(store, run_id)
        assert list(store.open_fires(*_NAMES)) == []
        _take(store, _turn(2))
        assert list(store.open_fires(*_NAMES)) == []

    def test_a_fire_that_is_held_makes_its_run_later(self, store: Store) -> None:
        """Once, and under its key; what was known of it is given back."""
        _take(store, _turn(0, _fire("a", FireStatus.HELD, facts=b'{"kind":"schedule"}')))
        assert list(store.open_fires(*_NAMES)) == [
            OpenFire("a", 1.0, None, None, b'{"kind":"schedule"}')
        ]
        assert store.triggers()[1][0].has_held
        assert _take(store, _turn(1, _fire("a", run="a"))) == ["a"]
        assert _take(store, _turn(2, _fire("a", run="again"))) == []
        assert not store.triggers()[1][0].has_held
        (fire,) = store.fires(*_NAMES)
        assert (fire.status, fire.run_id) == (FireStatus.RAN, "a")

    def test_a_fire_that_was_refused_may_make_its_run_later(self, store: Store) -> None:
        """Under its key, and once: a past time may be tried again."""
        place = Submission(most_waiting=1)
        _take(store, _turn(0, _fire("a", run="a", place=place)))
        assert _take(store, _turn(1, _fire("b", run="b", place=place))) == []
        _end(store, "a")
        assert _take(store, _turn(2, _fire("b", run="b", place=place))) == ["b"]
        assert _take(store, _turn(3, _fire("b", run="again"))) == []
        assert [each.status for each in store.fires(*_NAMES)] == [FireStatus.RAN, FireStatus.RAN]

    def test_a_fire_that_is_held_can_be_replaced(self, store: Store) -> None:
        """It is open no more, and keeps the reason."""
        _take(store, _turn(0, _fire("a", FireStatus.HELD)))
        _take(store, _turn(1, _fire("a", FireStatus.REPLACED, reason="a newer one")))
        assert list(store.open_fires(*_NAMES)) == []
        (fire,) = store.fires(*_NAMES)
        assert (fire.status, fire.reason) == (FireStatus.REPLACED, "a newer one")

    def test_runs_are_cancelled_with_the_turn(self, store: Store) -> None:
        """One that waits has ended then, and the engine of another one is asked, once."""
        _take(store, _turn(0, _fire("a", run="driven")))
        engine_no = store.enroll(an_owner())
        ((claim,),) = [store.claim(engine_no, ["default"], 1)]
        _take(store, _turn(1, _fire("b", run="waits")))
        for turn in (2, 3):
            _take(store, _turn(turn, cancels=("driven", "waits", "unknown")))
        found = store.run("waits")
        assert found is not None
        assert found.error is not None
        assert (found.status, found.error.type) == (Status.CANCELLED, "RunReplaced")
        assert list(store.claim(engine_no, ["default"], 1)) == []
        (request,) = store.requests(claim.lease.run_no)
        assert request.kind is RequestKind.CANCEL

    def test_fires_are_listed_by_status_and_page(self, store: Store) -> None:
        """The newest first."""
        for number in range(6):
            status = FireStatus.SKIPPED if number % 2 else FireStatus.MISSED
            _take(store, _turn(number, _fire(f"{number}", status, reason=f"because {number}")))
        assert [each.key for each in store.fires(*_NAMES)] == ["5", "4", "3", "2", "1", "0"]
        found = store.fires(*_NAMES, statuses=[FireStatus.SKIPPED], most=2)
        assert [each.key for each in found] == ["5", "3"]
        found = store.fires(*_NAMES, statuses=[FireStatus.SKIPPED], before=found[-1].fire_no)
        assert [(each.key, each.reason) for each in found] == [("1", "because 1")]
        assert list(store.fires("monitor", "other")) == []
        assert store.fire(*_NAMES, "2") == store.fires(*_NAMES)[3]
        assert store.fire(*_NAMES, "other") is None
        assert store.fire("monitor", "other", "2") is None

    def test_a_pause_lasts_until_it_is_resumed(self, store: Store, clock: ManualClock) -> None:
        """It has a note, and each of the two is a turn."""
        _take(store, _turn(0, cursor=60.0, fingerprint="f"))
        store.pause_trigger(*_NAMES, "for the move")
        paused = _state(2, cursor=60.0, fingerprint="f", paused_at=clock.now(), note="for the move")
        assert list(store.triggers()[1]) == [paused]
        assert _take(store, _turn(1)) is None
        assert store.resume_trigger(*_NAMES, catches_up=True)
        assert list(store.triggers()[1]) == [_state(3, cursor=60.0, fingerprint="f", next_at=60.0)]
        assert not store.resume_trigger(*_NAMES, catches_up=True)

    def test_what_a_pause_has_left_out_stays_left_out(self, store: Store) -> None:
        """Without a fingerprint it counts as one that was never seen."""
        _take(store, _turn(0, cursor=60.0, fingerprint="f"))
        store.pause_trigger(*_NAMES, "")
        store.resume_trigger(*_NAMES, catches_up=False)
        assert store.triggers()[1][0].fingerprint == ""

    def test_a_trigger_can_be_paused_before_it_is_seen(self, store: Store) -> None:
        """It is known then."""
        store.pause_trigger(*_NAMES, "not yet")
        (state,) = store.triggers()[1]
        assert (state.note, state.fingerprint) == ("not yet", "")
        assert state.paused_at is not None

    def test_a_repeat_is_refused(self, store: Store, clock: ManualClock) -> None:
        """It says of which run; later the same key makes a run again."""
        origin = RunOrigin(repeat=RepeatKey("monitor", "k", 60.0))
        _take(store, _turn(0, _fire("a", run="a", origin=origin)))
        assert _take(store, _turn(1, _fire("b", run="b", origin=origin))) == []
        fire, _ = store.fires(*_NAMES)
        assert (fire.status, fire.run_id) == (FireStatus.REFUSED, None)
        assert "run a" in fire.reason
        assert store.triggers()[1][0].last_status is FireStatus.REFUSED
        assert store.run("b") is None
        clock.advance(61)
        assert _take(store, _turn(2, _fire("c", run="c", origin=origin))) == ["c"]

    def test_a_fire_is_refused_while_too_many_runs_wait(self, store: Store) -> None:
        """It has no run, and says why."""
        place = Submission(most_waiting=1)
        made = _take(store, _turn(0, *(_fire(key, run=key, place=place) for key in "ab")))
        assert made == ["a"]
        fire, _ = store.fires(*_NAMES)
        assert (fire.status, fire.run_id) == (FireStatus.REFUSED, None)
        assert "1 runs of monitor wait already" in fire.reason
        assert store.run("b") is None

    def test_runs_of_fires_obey_the_limits_of_their_workflow(self, store: Store) -> None:
        """As submitted ones do."""
        origin = RunOrigin(limit=RunLimit("monitor"))
        _take(store, _turn(0, _fire("a", run="a", origin=origin)))
        _take(store, _turn(1, _fire("b", run="b", origin=origin)))
        engine_no = store.enroll(an_owner())
        assert [claim.run_id for claim in store.claim(engine_no, ["default"], 9)] == ["a"]

    def test_a_run_that_no_row_can_hold_is_refused(self, store: Store) -> None:
        """Nothing of its turn is recorded."""
        with pytest.raises(RecordRefusedError):
            _take(store, _turn(0, _fire("a", run="nul\0")))
        assert list(store.triggers()[1]) == []

    def test_old_fires_are_forgotten_and_open_ones_kept(self, store: Store) -> None:
        """A thousand of each trigger stay at least."""
        _take(store, _turn(0, _fire("open", run="open")))
        _take(store, _turn(1, *(_fire(f"{number}", FireStatus.SKIPPED) for number in range(1_100))))
        for turn in range(2, 100):
            _take(store, _turn(turn))
        assert len(store.fires(*_NAMES, most=2_000)) == 1_001
        assert [each.key for each in store.open_fires(*_NAMES)] == ["open"]


def _state(turn: int, *, cursor: float, **changes: object) -> TriggerState:
    return replace(TriggerState(*_NAMES, turn=turn, cursor=cursor), **changes)


def _fire(
    key: str,
    status: FireStatus = FireStatus.RAN,
    *,
    run: str | None = None,
    origin: RunOrigin | None = None,
    reason: str = "",
    facts: bytes | None = None,
    place: Submission | None = None,
) -> NewFire:
    record = None if run is None else a_run(run, origin=origin or RunOrigin())
    return NewFire(
        key=key,
        at=1.0,
        first=1.0,
        status=status,
        reason=reason,
        facts=facts,
        run=record,
        place=place or Submission(),
    )


def _turn(
    turn: int | None,
    *fires: NewFire,
    cursor: float | None = None,
    fingerprint: str = "",
    cancels: tuple[str, ...] = (),
) -> TriggerTurn:
    return TriggerTurn(
        workflow=_NAMES[0],
        name=_NAMES[1],
        turn=turn,
        cursor=cursor,
        fingerprint=fingerprint,
        fires=fires,
        cancels=cancels,
    )


def _take(store: Store, turn: TriggerTurn) -> Sequence[str] | None:
    (made,) = store.take_turns([turn])
    return made


def _end(store: Store, run_id: str) -> None:
    found = store.run(run_id)
    assert found is not None
    store.commit([a_run(run_id, run_no=found.run_no, status=Status.SUCCEEDED, ended_at=2.0)])
