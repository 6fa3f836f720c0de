"""Promises of every store about the ends of runs, and of files that triggers have seen.

class TestMyStore(EndingsContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

from msgspec.structs import replace

from fanwise.model import (
    INTERRUPTED,
    Ending,
    FireStatus,
    NewFire,
    RunLimit,
    RunOrigin,
    RunRecord,
    SeenFile,
    Stamp,
    Status,
    Submission,
    TriggerTurn,
)
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import an_owner, at_once
from fanwise.testing.records import a_run

_WEEK_S = 7 * 86_400.0


class EndingsContract:
    """The promises of `Endings`, and of `Fires` about files."""

    def test_a_run_that_ends_is_an_end(self, store: Store, clock: ManualClock) -> None:
        """Once, whatever is recorded of it afterwards; open runs are none."""
        run = _created(store, "a")
        store.commit([replace(run, status=Status.RUNNING)])
        assert store.number_endings() == 0
        ended = replace(run, status=Status.FAILED, ended_at=clock.now())
        store.commit([ended])
        store.commit([replace(ended, tags=("kept",))])
        assert store.number_endings() == 1
        key = f"run:{run.run_no}:0"
        assert _ends(store) == [Ending(1, key, "monitor", "failed", clock.now(), "a")]

    def test_a_run_that_ends_again_is_another_end(self, store: Store, clock: ManualClock) -> None:
        """Each has the token of the lease under which it came."""
        engine_no = store.enroll(an_owner())
        run_no = store.create_run(a_run("a"), engine_no)
        lease = store.lease(run_no)
        assert lease is not None
        run = replace(a_run("a"), run_no=run_no)
        store.commit([replace(run, status=Status.FAILED, ended_at=1.0)], {run_no: lease.token})
        store.release(run_no, lease.token)
        again = store.acquire(run_no, engine_no, after=lease.token)
        assert again is not None
        store.commit([replace(run, status=Status.SUCCEEDED, ended_at=2.0)], {run_no: again.token})
        store.number_endings()
        assert [(each.key[-2:], each.status) for each in _ends(store)] == [
            (":1", "failed"),
            (":2", "succeeded"),
        ]

    def test_ends_get_numbers_in_the_order_in_which_they_are_seen(self, store: Store) -> None:
        """One after the other, and no two servers give the same."""
        for name in "abc":
            _end(store, name)
        assert at_once(4, lambda _: store.number_endings()) == [3, 3, 3, 3]
        _end(store, "d")
        assert [each.run_id for each in _ends(store)] == ["a", "b", "c"]
        assert store.number_endings() == 4
        assert [(each.number, each.run_id) for each in store.endings(2, 1)] == [(3, "c")]
        assert [each.run_id for each in store.endings(3, 9)] == ["d"]

    def test_a_run_that_never_started_ends_too(self, store: Store) -> None:
        """One that its limit has skipped, or replaced."""
        limited = RunOrigin(limit=RunLimit("monitor", when_full="latest"))
        for name in "ab":
            store.submit(a_run(name, origin=limited), Submission())
        store.number_endings()
        assert [(each.run_id, each.status) for each in _ends(store)] == [("a", "cancelled")]

    def test_a_fire_that_failed_is_an_end(self, store: Store) -> None:
        """With its reason and its facts; other fires are none."""
        fires = [
            _fire("a", FireStatus.FAILED, reason="it gives no day.", facts=b'{"depth":1}'),
            _fire("b", FireStatus.SKIPPED),
        ]
        store.take_turns([TriggerTurn(workflow="monitor", name="nightly", fires=tuple(fires))])
        store.number_endings()
        (end,) = _ends(store)
        assert (end.workflow, end.trigger, end.run_id) == ("monitor", "nightly", None)
        assert (end.status, end.reason) == ("failed", "it gives no day.")
        assert end.facts == b'{"depth":1}'
        assert end.key.startswith("fire:")

    def test_an_interruption_is_noted_once_for_each_lease(self, store: Store) -> None:
        """Not if the run is over, or somebody else has it by now."""
        engine_no = store.enroll(an_owner())
        first, second = (store.create_run(a_run(name), engine_no) for name in "ab")
        held = store.held_leases()
        assert sorted(lease.run_no for lease in held) == [first, second]
        done = replace(a_run("b"), run_no=second, status=Status.SUCCEEDED, ended_at=1.0)
        store.commit([done], {second: 1})
        store.note_interrupted(held)
        store.note_interrupted(held)
        store.number_endings()
        assert [(each.run_id, each.status) for each in _ends(store)] == [
            ("b", "succeeded"),
            ("a", INTERRUPTED),
        ]
        assert [lease.run_no for lease in store.held_leases()] == [first]
        store.acquire(first, store.enroll(an_owner("b")), after=1)
        store.note_interrupted(held)
        assert store.number_endings() == 2

    def test_old_ends_are_forgotten(self, store: Store, clock: ManualClock) -> None:
        """After a week, and interruptions only with their runs."""
        store.create_run(a_run("lost"), store.enroll(an_owner()))
        store.note_interrupted(store.held_leases())
        run = _created(store, "old")
        store.commit([replace(run, status=Status.FAILED, ended_at=clock.now())])
        store.number_endings()
        clock.advance(_WEEK_S + 1)
        turn = TriggerTurn(
            workflow="monitor",
            name="nightly",
            fires=tuple(_fire(f"{n}", FireStatus.FAILED, facts=b"{}") for n in range(1_000)),
        )
        store.take_turns([turn])
        assert store.number_endings() == 1_002
        assert [each.run_id for each in store.endings(0, 2)] == ["lost", None]

    def test_an_end_goes_with_its_run(self, store: Store) -> None:
        """Nobody is told of a run that was deleted."""
        _end(store, "a")
        store.number_endings()
        for run in store.ended_runs():
            assert store.delete_run(run)
        assert _ends(store) == []

    def test_a_turn_keeps_how_far_ends_are_taken_up(self, store: Store) -> None:
        """And what is wrong with a folder; a turn without them leaves both as they are."""
        for changes in ({"taken_to": 7, "trouble": "gone"}, {}, {"trouble": ""}):
            turn = TriggerTurn(workflow="monitor", name="nightly")
            store.take_turns([replace(turn, **changes)])
        (state,) = store.triggers()[1]
        assert (state.taken_to, state.trouble) == (7, "")

    def test_files_are_kept_by_their_paths(self, store: Store) -> None:
        """Those of a turn replace earlier ones, and are forgotten on request."""
        ready = SeenFile(Stamp(5, 2**62, 2**63 - 1), 1.5, ready_at=2.5, batch="k")
        gone = SeenFile(Stamp(0, 1, 2), 1.0, is_taken=True, gone_at=3.0)
        turn = TriggerTurn(workflow="monitor", name="nightly")
        assert store.seen_files("monitor", "nightly") == {}
        store.take_turns([replace(turn, files={"ä/a.csv": ready, "b": gone})])
        assert store.seen_files("monitor", "nightly") == {"ä/a.csv": ready, "b": gone}
        store.take_turns([replace(turn, files={"b": None, "ä/a.csv": gone})])
        assert store.seen_files("monitor", "nightly") == {"ä/a.csv": gone}
        store.take_turns([replace(turn, files={"c": ready}, forgets_files=True)])
        assert store.seen_files("monitor", "nightly") == {"c": ready}
        assert store.seen_files("monitor", "other") == {}


def _created(store: Store, run_id: str) -> RunRecord:
    return replace(a_run(run_id), run_no=store.create_run(a_run(run_id)))


def _end(store: Store, run_id: str) -> None:
    run = _created(store, run_id)
    store.commit([replace(run, status=Status.SUCCEEDED, ended_at=1.0)])


def _ends(store: Store) -> list[Ending]:
    return list(store.endings(0, 99))


def _fire(key: str, status: FireStatus, *, reason: str = "", facts: bytes | None = None) -> NewFire:
    return NewFire(key=key, at=1.0, first=1.0, status=status, reason=reason, facts=facts)
