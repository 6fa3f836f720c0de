"""Promises of every store about its maintenance, as tests to be mixed into a `StoreContract`.

class TestMyStore(MaintenanceContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

from random import Random

import pytest

from fanwise.model import EndedRun, ItemCounts, Record, Status
from fanwise.stores import Store
from fanwise.testing.ownership_contract import at_once
from fanwise.testing.records import (
    LONG_RESULT,
    a_log,
    a_run,
    a_sleep,
    a_task,
    an_event,
    an_item,
    as_written,
)

_OVER = {"status": Status.SUCCEEDED, "ended_at": 1_700_000_100.5}


def a_whole_run(store: Store, run_id: str, **changes: object) -> list[Record]:
    """Record a run that is over, with rows of every kind; return them in the order of exports."""
    run_no = store.create_run(a_run(run_id))
    tasks = [
        a_task(run_no, 1, path="check", status=Status.SUCCEEDED, items=ItemCounts(12, 11, 1)),
        a_task(run_no, 2, path="check[1].knock", output=LONG_RESULT),
        a_task(run_no, 3, path="last", output=b"1"),
    ]
    events = [an_event(run_no, seq) for seq in (1, 2)]
    items = [
        *[an_item(run_no, index, label=f"no {index}") for index in range(11)],
        an_item(run_no, 11, status=Status.FAILED, output=None, error=b'{"type":"E","message":""}'),
        an_item(run_no, 0, visit_no=2, output=LONG_RESULT),
    ]
    logs = [
        a_log(run_no, "check[3]", index=3, label="no 3"),
        a_log(run_no, "check[11]", index=11),
        a_log(run_no, "check[1].knock", visit_no=2),
    ]
    record = a_run(run_id, run_no=run_no, **(_OVER | changes))
    sleeps = [a_sleep(run_no, path) for path in ("check[10]", "check[9]", "last")]
    parts: list[list[Record]] = [
        [record],
        [*tasks],
        [*events],
        [*items],
        [*logs],
        [*sleeps],
    ]
    store.commit([each for part in reversed(parts) for each in reversed(part)])
    return [each for part in parts for each in part]


def ended(store: Store, run_id: str) -> EndedRun:
    """The run with this id, which is over or paused."""
    return next(run for run in store.ended_runs() if run.id == run_id)


class MaintenanceContract:
    """The promises of `Maintenance`; the `store` is that of `StoreContract`."""

    def test_a_new_store_is_current(self, store: Store) -> None:
        """It has the form that this version makes."""
        assert store.is_current()

    def test_an_export_is_all_that_is_recorded_of_a_run(self, store: Store) -> None:
        """In the documented order, with the steps of children and their items, and nothing else."""
        records = a_whole_run(store, "a")
        a_whole_run(store, "b")
        assert as_written(store.export("a")) == records
        assert list(store.export("c")) == []

    def test_an_export_is_of_one_moment(self, store: Store) -> None:
        """What is recorded or deleted after it has begun changes nothing in it."""
        records = a_whole_run(store, "a")
        exported = store.export("a")
        first = next(exported)
        store.commit([an_item(records[0].run_no, index) for index in range(100, 200)])
        assert store.delete_run(ended(store, "a"))
        assert sum(store.delete_orphans())
        assert as_written([first, *exported]) == records

    def test_runs_that_are_over_or_paused_are_listed_the_newest_first(self, store: Store) -> None:
        """With the time at which they ended, or if that isn't recorded the last one that is."""
        for status in Status:
            store.create_run(a_run(status.value, status=status, ended_at=2.0))
        store.create_run(a_run("started", status=Status.FAILED, created_at=1.0, started_at=1.5))
        store.create_run(a_run("created", status=Status.FAILED, created_at=1.0))
        found = list(store.ended_runs())
        assert [run.id for run in found[:3]] == ["created", "started", "blocked"]
        assert [run.ended_at for run in found[:3]] == [1.0, 1.5, 2.0]
        assert {"pending", "running", "waiting"}.isdisjoint(run.id for run in found)
        assert found[-1] == EndedRun(4, "paused", "monitor", Status.PAUSED, 2.0)
        assert len({run.run_no for run in found}) == len(found) == len(Status) - 1

    def test_a_deleted_run_is_found_by_nobody_and_its_id_is_free(self, store: Store) -> None:
        """At once, before what it leaves is swept up."""
        a_whole_run(store, "a")
        assert store.delete_run(ended(store, "a"))
        assert store.run("a") is None
        assert list(store.run_ids()) == []
        assert list(store.runs()) == []
        assert list(store.ended_runs()) == []
        assert list(store.export("a")) == []
        again = store.create_run(a_run("a"))
        assert list(store.tasks(again)) == []
        assert list(store.export("a")) == [a_run("a", run_no=again)]

    @pytest.mark.parametrize("is_swept", [False, True])
    def test_the_number_of_a_deleted_run_is_not_given_out_again(
        self, store: Store, is_swept: bool
    ) -> None:
        """A process that still holds it never reads another run."""
        numbers = set()
        for number in range(5):
            records = a_whole_run(store, f"run-{number}")
            numbers.add(records[0].run_no)
            assert store.delete_run(ended(store, f"run-{number}"))
            if is_swept:
                list(store.delete_orphans())
        assert len(numbers) == 5

    def test_a_run_that_goes_on_meanwhile_is_not_deleted(self, store: Store) -> None:
        """Nor one that has been deleted already."""
        run_no = store.create_run(a_run("a", status=Status.PAUSED))
        seen = ended(store, "a")
        store.commit([a_run("a", run_no=run_no, status=Status.RUNNING)])
        assert not store.delete_run(seen)
        store.commit([a_run("a", run_no=run_no, **_OVER)])
        assert not store.delete_run(seen)
        assert store.run("a") is not None
        over = ended(store, "a")
        assert store.delete_run(over)
        assert not store.delete_run(over)

    def test_a_sweep_leaves_nothing_of_deleted_runs_and_all_of_others(self, store: Store) -> None:
        """It counts each row that it deletes, and finds nothing the next time."""
        kept = a_whole_run(store, "kept")
        a_whole_run(store, "a")
        later = a_whole_run(store, "later")
        assert store.delete_run(ended(store, "a"))
        assert sum(store.delete_orphans()) >= len(kept) - 1
        assert list(store.delete_orphans()) == []
        assert as_written(store.export("kept")) == kept
        assert as_written(store.export("later")) == later

    def test_a_sweep_that_is_broken_off_is_finished_by_the_next_one(self, store: Store) -> None:
        """What is left of it is no run, and the next sweep deletes it."""
        record = a_whole_run(store, "a")[0]
        store.commit([an_item(record.run_no, index) for index in range(20, 20_000)])
        assert store.delete_run(ended(store, "a"))
        gone = next(store.delete_orphans())
        assert store.run("a") is None
        assert gone + sum(store.delete_orphans()) >= 20_000
        assert list(store.delete_orphans()) == []

    def test_several_threads_delete_at_once(self, store: Store) -> None:
        """Each run goes, while others sweep up."""
        for number in range(8):
            a_whole_run(store, f"run {number}")
        found = list(store.ended_runs())

        def delete(number: int) -> list[bool]:
            deleted = [store.delete_run(run) for run in found[number::4]]
            for _ in store.delete_orphans():
                pass
            return deleted

        assert at_once(4, delete) == [[True, True]] * 4
        assert list(store.run_ids()) == []

    @pytest.mark.parametrize("rewrite", [False, True])
    def test_what_is_deleted_makes_the_store_smaller(self, store: Store, rewrite: bool) -> None:
        """Once it has been swept up and the store has shrunk; what is kept reads the same."""
        kept = a_whole_run(store, "kept")
        small = store.size()
        record = a_whole_run(store, "a")[0]
        random = Random(0)  # for texts that no store can compress to a fraction
        outputs = [b'"%s"' % random.randbytes(5_000).hex().encode() for _ in range(100)]
        store.commit([an_item(record.run_no, n, output=each) for n, each in enumerate(outputs, 20)])
        large = store.size()
        assert large.total_bytes > small.total_bytes + sum(map(len, outputs)) // 2
        assert store.delete_run(ended(store, "a"))
        list(store.delete_orphans())
        store.vacuum(rewrite=rewrite)
        grown_bytes = large.total_bytes - small.total_bytes
        assert store.size().total_bytes < small.total_bytes + grown_bytes / 3
        assert as_written(store.export("kept")) == kept

    def test_a_store_says_where_it_is(self, store: Store) -> None:
        """For people, so it is never empty."""
        assert store.place
