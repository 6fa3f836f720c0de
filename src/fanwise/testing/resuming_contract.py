"""Promises of every store to a resumed run, which reads and discards, for `StoreContract`."""

from __future__ import annotations

from typing import Any

import pytest

from fanwise.bitmap import Bitmap
from fanwise.errors import RecordRefusedError
from fanwise.model import (
    Discard,
    FileFingerprint,
    ItemOutcome,
    Record,
    RecordedItems,
    RunOrigin,
    Status,
    VisitRecord,
)
from fanwise.stores import Store
from fanwise.testing.records import LONG_RESULT, a_log, a_run, a_sleep, a_task, an_event, an_item


class ResumingContract:
    """The promises of `Discard`, and of what `Records` tells of work that is recorded."""

    # what is recorded

    def test_unfinished_runs_are_those_that_are_pending_or_running(self, store: Store) -> None:
        """As whole records, the oldest first; a paused run waits for someone."""
        numbers = {
            status: store.create_run(a_run(status.value, status=status, output=b"1"))
            for status in reversed(Status)
        }
        assert list(store.unfinished()) == [
            a_run("running", run_no=numbers[Status.RUNNING], status=Status.RUNNING, output=b"1"),
            a_run("pending", run_no=numbers[Status.PENDING], status=Status.PENDING, output=b"1"),
        ]

    def test_what_a_run_was_made_from_is_read_with_it(self, store: Store) -> None:
        """Its origin comes back equal, from one run and from all that are unfinished."""
        origin = RunOrigin(
            folder="/flöws",
            given=("hosts", "token"),
            packs=("/packs",),
            most_items=3,
            workflows={"/flows/visit.yaml": "tasks: []"},
            actions={"shop.fetch": "0123"},
        )
        run = a_run(run_no=store.create_run(a_run(origin=origin)), origin=origin)
        assert store.run(run.id) == run
        assert list(store.unfinished()) == [run]

    def test_what_a_file_was_like_is_read_with_its_task(self, store: Store) -> None:
        """To the last digit, since a difference means that the file has changed."""
        run_no = store.create_run(a_run())
        task = a_task(run_no, source=FileFingerprint(7, 1_753_000_000.123_456_7, "abc"))
        store.commit([task])
        assert list(store.tasks(run_no)) == [task]

    def test_the_last_number_of_a_visit_is_that_of_all_the_run(self, store: Store) -> None:
        """Steps of children count, other runs don't, and of a run without visits it is 0."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        assert store.last_visit_no(run_no) == 0
        steps = [a_task(run_no, 7, path="each[0].a"), a_task(run_no, 3, path="each")]
        store.commit([*steps, a_task(other, 9)])
        assert store.last_visit_no(run_no) == 7

    def test_recorded_items_are_told_as_a_set_with_counts(self, store: Store) -> None:
        """Attempts are those of all items together, whatever became of them."""
        run_no = store.create_run(a_run())
        assert store.recorded_items(run_no, 1) == RecordedItems(Bitmap())
        statuses = [Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED, Status.CANCELLED]
        items = [
            an_item(run_no, index * 1_000, status=statuses[index % 4], attempts=index + 1)
            for index in range(8)
        ]
        other = an_item(run_no, 5, visit_no=2)
        store.commit([*items, other])
        indexes = Bitmap(item.index for item in items)
        assert store.recorded_items(run_no, 1) == RecordedItems(indexes, 4, 2, 36)
        assert store.recorded_items(run_no, 2) == RecordedItems(Bitmap([5]), 1, 0, 1)

    def test_begun_items_are_those_with_steps_at_any_depth(self, store: Store) -> None:
        """Of the task at just this path, and not of one whose name begins so."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        paths = ["check", "check[1].a", "check[17].b[3].c", "check[17].b", "checkx[4].a"]
        paths += ["check#2[5].a", "check.a", "a.check[6].a"]
        store.commit([a_task(run_no, no, path=path) for no, path in enumerate(paths, 1)])
        store.commit([a_task(other, path="check[8].a")])
        for path, begun in {
            "check": [1, 17],
            "check#2": [5],
            "check[17].b": [3],
            "a.check": [6],
            "chec": [],
        }.items():
            assert store.begun_items(run_no, path) == Bitmap(begun), path

    def test_the_latest_sleep_of_a_path_is_what_is_told_of_it(self, store: Store) -> None:
        """Of just this task or item of this run, also if a commit has two of them."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        latest = a_sleep(run_no, "check[1]", turn=3, due_at=1_753_000_000.123_456_7)
        store.commit([a_sleep(run_no, "check[1]")])
        store.commit([a_sleep(run_no, "check[1]", turn=2), a_sleep(other, "check[1]"), latest])
        assert store.sleep(run_no, "check[1]") == latest
        for path in ("check", "check[11]", "check[1].a", "CHECK[1]"):
            assert store.sleep(run_no, path) is None

    # what is taken back

    @pytest.mark.parametrize(
        ("under", "gone"),
        [
            ("check", {"check", "check[1]", "check[11]", "check[1].a", "check.a"}),
            ("check[1]", {"check[1]", "check[1].a"}),
            ("check#2", {"check#2", "check#2[1]"}),
            ("", set()),
        ],
    )
    def test_sleeps_are_taken_back_with_the_path_that_they_are_at_or_under(
        self, store: Store, under: str, gone: set[str]
    ) -> None:
        """Those at other paths stay, and those of other runs."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        paths = {"check", "check[1]", "check[1].a", "check.a", "check[11]", "checkx", "x.check"}
        paths |= {"check#2", "check#2[1]"}
        store.commit([a_sleep(run, path) for run in (run_no, other) for path in paths])
        store.commit([Discard(run_no, under=under)])
        assert {path for path in paths if store.sleep(run_no, path) is None} == gone
        assert all(store.sleep(other, path) is not None for path in paths)

    def test_items_that_have_not_succeeded_are_taken_back(self, store: Store) -> None:
        """Of this task only; the others stay, and each that is gone may be recorded once more."""
        run_no = store.create_run(a_run())
        statuses = [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED] * 2
        items = [an_item(run_no, index, status=each) for index, each in enumerate(statuses)]
        others = [an_item(run_no, index, visit_no=2, status=Status.FAILED) for index in range(3)]
        store.commit([*items, *others])
        store.commit([Discard(run_no, visit_no=1)])
        assert list(store.items(run_no, 1)) == [items[0], items[3]]
        assert list(store.items(run_no, 2)) == others
        assert store.recorded_items(run_no, 1) == RecordedItems(Bitmap([0, 3]), 2, 0, 2)
        with pytest.raises(RecordRefusedError):
            store.commit([items[3]])
        again = [an_item(run_no, index, output=LONG_RESULT) for index in (1, 2, 4, 5)]
        store.commit(again)
        assert list(store.items(run_no, 1)) == sorted(
            [items[0], items[3], *again], key=lambda item: item.index
        )

    @pytest.mark.parametrize(
        ("under", "gone"),
        [
            ("check[1]", {"check[1].a", "check[1].a[0].b", "check[1].c"}),
            ("check", {"check.a", "check.a.b"}),
            ("check#2[1]", {"check#2[1].a"}),
            ("check[1].a[0]", {"check[1].a[0].b"}),
            ("chec", set()),
            ("CHECK[1]", set()),
            ("", set()),
        ],
    )
    def test_steps_are_taken_back_by_the_path_that_they_are_under(
        self, store: Store, under: str, gone: set[str]
    ) -> None:
        """With their items and at any depth; what is beside them and the logs of all stay."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        paths = ["check", "check[1].a", "check[1].a[0].b", "check[1].c", "check[17].a"]
        paths += ["check.a", "check.a.b", "check#2[1].a", "checkx[1].a", "checkx.a"]
        kept: list[tuple[VisitRecord, ItemOutcome]] = []
        later: list[tuple[VisitRecord, ItemOutcome]] = []
        for run in (run_no, other):
            for visit_no, path in enumerate(paths, 1):
                task = a_task(run, visit_no, path=path, output=LONG_RESULT)
                item = an_item(run, 0, visit_no=visit_no, output=LONG_RESULT)
                log = a_log(run, path, visit_no=visit_no)
                store.commit([task, item, log])
                (later if run == run_no and path in gone else kept).append((task, item))
        store.commit([Discard(run_no, under=under)])
        recorded = _tasks(store, "a") + _tasks(store, "b")
        assert recorded == [task for task, _ in kept]
        for task, item in kept:
            assert list(store.items(task.run_no, task.visit_no)) == [item]
        for task, _ in later:
            assert list(store.items(task.run_no, task.visit_no)) == []
        assert [log.path for log in store.logs(run_no)] == paths
        # What is gone may be recorded once more, its places and its numbers are free.
        for task, item in later:
            store.commit([a_task(run_no, task.visit_no, path=task.path), item])
        assert len(_tasks(store, "a")) == len(paths)

    def test_a_whole_visit_is_taken_back_with_all_that_ran_in_it(self, store: Store) -> None:
        """Its row, all of its items and the steps of their children; its neighbours stay."""
        run_no = store.create_run(a_run())
        paths = ["check.each", "check.each[0].a", "check.each.b", "check.each#2", "check.eachx"]
        for visit_no, path in enumerate(paths, 1):
            item = an_item(run_no, 0, visit_no=visit_no, output=LONG_RESULT)
            store.commit([a_task(run_no, visit_no, path=path, output=LONG_RESULT), item])
        store.commit([Discard(run_no, visit_no=1, under="check.each", whole=True)])
        assert [task.path for task in store.tasks(run_no, within="check")] == paths[3:]
        assert list(store.tasks(run_no, within="check.each[0]")) == []
        assert [len(store.items(run_no, visit_no)) for visit_no in range(1, 6)] == [0, 0, 0, 1, 1]

    def test_what_is_taken_back_goes_before_anything_is_written(self, store: Store) -> None:
        """Wherever in the commit it stands: what the same commit records stays."""
        run_no = store.create_run(a_run())
        failed = an_item(run_no, 0, status=Status.FAILED)
        store.commit([failed, a_task(run_no, 2, path="each[0].a")])
        again: list[Record] = [failed, a_task(run_no, 3, path="each[0].a")]
        store.commit([*again, Discard(run_no, visit_no=1), Discard(run_no, under="each[0]")])
        assert list(store.items(run_no, 1)) == again[:1]
        assert list(store.tasks(run_no, within="each[0]")) == again[1:]

    @pytest.mark.parametrize(
        "refused",
        [{"index": 1}, {"index": 9, "label": "\ud800"}],
        ids=["taken", "no text"],
    )
    def test_a_refused_commit_takes_nothing_back(
        self, store: Store, refused: dict[str, Any]
    ) -> None:
        """All that was recorded is still there, and may be taken back later."""
        run_no = store.create_run(a_run())
        failed = an_item(run_no, 0, status=Status.FAILED, output=None)
        before: list[Record] = [
            a_task(run_no, 2, path="each[0].a", output=LONG_RESULT),
            an_event(run_no, 1),
            failed,
            an_item(run_no, 1),
            an_item(run_no, 0, visit_no=2, output=LONG_RESULT),
        ]
        store.commit(before)
        discards = [Discard(run_no, visit_no=1), Discard(run_no, under="each[0]")]
        with pytest.raises(RecordRefusedError):
            store.commit([*discards, an_item(run_no, **refused)])
        assert list(store.export("run-1")) == [a_run(run_no=run_no), *before]
        with pytest.raises(RecordRefusedError):
            store.commit([failed])
        store.commit([*discards, failed])
        assert list(store.items(run_no, 1)) == [failed, an_item(run_no, 1)]
        assert list(store.tasks(run_no, within="each[0]")) == []

    def test_taking_back_what_is_not_there_is_no_error(self, store: Store) -> None:
        """A process may have died after it had taken it back."""
        run_no = store.create_run(a_run())
        store.commit([Discard(run_no, visit_no=1), Discard(run_no, under="each[0]")])
        assert list(store.export("run-1")) == [a_run(run_no=run_no)]


def _tasks(store: Store, run_id: str) -> list[VisitRecord]:
    """All visits of a run, those within children too."""
    return [record for record in store.export(run_id) if isinstance(record, VisitRecord)]
