"""The promises of every store, as tests: subclass `StoreContract`, give `open`, and run pytest.

    class TestMyStore(StoreContract):
        def open(self, folder: Path, now: Callable[[], float]) -> Store:
            return MyStore(folder / "store", now)

`open` gives a new and empty store, whose clock `now` is: seconds since the epoch. `folder` is an
empty folder of the test's own. A `conftest.py` with
`pytest.register_assert_rewrite("fanwise.testing.store_contract")` makes failures say more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fanwise.errors import RecordRefusedError, RunExistsError
from fanwise.model import (
    ErrorInfo,
    FailedAttempt,
    FileFingerprint,
    ItemCounts,
    Record,
    RunCount,
    Status,
)
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.finding_contract import FindingContract
from fanwise.testing.logs_contract import LogsContract
from fanwise.testing.records import (
    LONG_RESULT,
    a_run,
    a_task,
    an_event,
    an_item,
)
from fanwise.testing.resuming_contract import ResumingContract
from fanwise.values import FrozenDict, FrozenList


class StoreContract(FindingContract, LogsContract, ResumingContract):
    """The promises of `Journal`, `Records` and `Pages`; `open` is to be overridden."""

    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        """Open a new, empty store with this clock."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> ManualClock:
        """The clock of the store under test."""
        return ManualClock()

    @pytest.fixture
    def store(self, tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
        """The store under test."""
        with self.open(tmp_path, clock.now) as store:
            yield store

    # runs

    def test_a_new_run_gets_a_number_and_is_found_by_its_id(self, store: Store) -> None:
        """What `create_run` recorded is read back equal, under a number of its own."""
        first = store.create_run(a_run("a.b-c_1"))
        second = store.create_run(a_run("a.b-c_2"))
        assert first != second
        assert store.run("a.b-c_1") == a_run("a.b-c_1", run_no=first)
        assert store.run("a.b-c_2") == a_run("a.b-c_2", run_no=second)
        assert store.definition(second) == a_run().definition
        assert store.definition(second + 1) is None

    def test_the_newest_runs_are_counted_by_status(self, store: Store) -> None:
        """Those that conditions leave, for each workflow, and no more than are wanted."""
        for number, status in enumerate((Status.FAILED, Status.SUCCEEDED, Status.FAILED) * 2):
            store.create_run(
                a_run(
                    f"r{number}",
                    workflow="old" if number < 2 else "new",
                    status=status,
                    created_at=float(number),
                    tags=("odd",) if number % 2 else (),
                )
            )

        def as_set(found: Iterable[RunCount]) -> set[tuple[str, Status, int]]:
            return {(each.workflow, each.status, each.runs) for each in found}

        old = {("old", Status.FAILED, 1), ("old", Status.SUCCEEDED, 1)}
        new = {("new", Status.FAILED, 3), ("new", Status.SUCCEEDED, 1)}
        last = {("new", Status.FAILED, 1), ("new", Status.SUCCEEDED, 1)}
        odd = {("new", Status.FAILED, 2)}
        assert as_set(store.status_counts(most=9)) == old | new
        assert as_set(store.status_counts(most=2)) == last
        assert as_set(store.status_counts(workflow="old", most=9)) == old
        assert as_set(store.status_counts(since=4.0, most=9)) == last
        assert as_set(store.status_counts(tags=["odd"], since=3.0, most=9)) == odd

    def test_a_taken_id_is_refused_with_a_usage_error(self, store: Store) -> None:
        """Two runs never share an id, and the first one stays as it was."""
        number = store.create_run(a_run())
        with pytest.raises(RunExistsError, match="run-1"):
            store.create_run(a_run(workflow="other"))
        assert store.run("run-1") == a_run(run_no=number)

    @pytest.mark.parametrize("character", ["\0", "\udcff"], ids=["NUL", "surrogate"])
    def test_nothing_is_found_by_text_that_no_record_holds(
        self, store: Store, character: str
    ) -> None:
        """A run with such an id isn't made, and isn't found."""
        run_no = store.create_run(a_run())
        store.commit([an_item(run_no, 0, label="ab")])
        with pytest.raises(RecordRefusedError):
            store.create_run(a_run(f"run{character}"))
        assert store.run(f"run-1{character}") is None
        assert list(store.runs(workflow=f"monitor{character}", tags=[character])) == []
        assert list(store.items(run_no, 1, label=f"a{character}")) == []

    def test_ids_differ_by_case(self, store: Store) -> None:
        """`Run` and `run` are two runs."""
        numbers = {store.create_run(a_run("Run")), store.create_run(a_run("run"))}
        assert len(numbers) == 2

    def test_a_run_replaces_what_was_recorded_of_it(self, store: Store) -> None:
        """The last commit of a run is what is read, with all of its fields."""
        number = store.create_run(a_run())
        ended = a_run(
            run_no=number,
            status=Status.FAILED,
            started_at=1.5,
            ended_at=2.25,
            definition="tasks: [ü]\n# \U0001f9f5",
            parameters=b'{"name": "\xc3\xbc"}',
            output=LONG_RESULT,
            error=ErrorInfo("Timeout", "too long", data={"after": [1, None]}, traceback="line 1\n"),
            tags=("b", "c"),
        )
        store.commit([a_run(run_no=number, status=Status.RUNNING, tags=("a", "b"))])
        store.commit([ended])
        assert store.run("run-1") == ended

    def test_an_unknown_run_is_none_and_has_nothing(self, store: Store) -> None:
        """Reading what was never recorded gives nothing and raises nothing."""
        assert store.run("nothing") is None
        assert list(store.run_ids()) == []
        assert list(store.runs()) == []
        assert list(store.tasks(7)) == []
        assert list(store.events(7)) == []
        assert list(store.items(7, 1)) == []
        assert list(store.logs(7)) == []
        assert list(store.outputs(7, 1, 0, 100)) == []

    def test_runs_are_listed_the_newest_first(self, store: Store) -> None:
        """Lists leave the definition and the output out and stop at their limit."""
        for number in range(5):
            store.create_run(a_run(f"run-{number}", output=b"1"))
        assert list(store.run_ids()) == ["run-4", "run-3", "run-2", "run-1", "run-0"]
        listed = store.runs(limit=2)
        assert [run.id for run in listed] == ["run-4", "run-3"]
        assert listed[0] == a_run("run-4", run_no=listed[0].run_no, definition="")

    # tasks

    def test_tasks_are_read_in_their_order_with_all_fields(self, store: Store) -> None:
        """Tasks come in the order of their numbers, whatever the order of the commits."""
        run_no = store.create_run(a_run())
        first = a_task(
            run_no,
            1,
            path="check_17",
            visit=3,
            status=Status.FAILED,
            has_items=True,
            due_at=1.0,
            started_at=2.0,
            ended_at=3.5,
            attempts=4,
            error=ErrorInfo("NotFound", "no such host", data={"hosts": ["a"]}),
            items=ItemCounts(total=10, succeeded=7, failed=3),
            earlier=(FailedAttempt(1, 2.5, 0.5, "NotFound", "no such h\u00f6st"),),
        )
        second = a_task(run_no, 2, status=Status.SUCCEEDED, output=b'{"a": 1}')
        file = FileFingerprint(size_bytes=3, modified_at=1.5, sample="ab")
        counts = ItemCounts(total=1, succeeded=1, failed=0, bad_records=0)
        fourth = a_task(run_no, 4, path="file", source=file)
        fifth = a_task(run_no, 5, path="left_out", source=file, items=counts)
        sixth = a_task(run_no, 6, path="pipe", items=replace(counts, bad_records=2))
        seventh = a_task(run_no, 7, path="elsewhere", snapshot_bytes=28)
        eighth = replace(fifth, visit_no=8, path="all", snapshot_bytes=2)
        third = a_task(run_no, 3, has_items=True, items_total=10)
        store.commit([third, second, sixth, eighth, seventh, fifth, fourth])
        store.commit([first])
        tasks = [first, second, third, fourth, fifth, sixth, seventh, eighth]
        assert list(store.tasks(run_no)) == tasks

    def test_a_task_replaces_what_was_recorded_of_it(self, store: Store) -> None:
        """The last record of a task counts, within one commit and over several."""
        run_no = store.create_run(a_run())
        store.commit([a_task(run_no, status=Status.PENDING), a_task(run_no)])
        assert list(store.tasks(run_no)) == [a_task(run_no)]
        ended = a_task(run_no, status=Status.SUCCEEDED, output=b"1", attempts=2)
        store.commit([ended])
        assert list(store.tasks(run_no)) == [ended]

    def test_a_task_that_replaces_keeps_nothing_of_the_one_before(self, store: Store) -> None:
        """An error, counts, or a time at which it was due are gone if the last record has none."""
        run_no = store.create_run(a_run())
        counts = ItemCounts(total=3, succeeded=1, failed=2)
        failed = ErrorInfo("NotFound", "no such host")
        store.commit([a_task(run_no, due_at=1.0, error=failed, items=counts, output=LONG_RESULT)])
        ended = a_task(run_no, status=Status.SUCCEEDED, output=b"1", attempts=2)
        store.commit([ended])
        assert list(store.tasks(run_no)) == [ended]

    @pytest.mark.parametrize("outputs", [[LONG_RESULT, b"1"], [LONG_RESULT, None], [b"1", None]])
    def test_a_long_result_leaves_nothing_behind(
        self, store: Store, outputs: list[bytes | None]
    ) -> None:
        """A task's new result replaces the old one, whichever of them is long or missing."""
        run_no = store.create_run(a_run())
        for output in [*outputs, *reversed(outputs)]:
            store.commit([a_task(run_no, output=output)])
            assert [task.output for task in store.tasks(run_no)] == [output]

    def test_the_steps_of_children_are_read_apart_from_a_runs_own_tasks(self, store: Store) -> None:
        """`within` gives the steps directly in a child, and nothing from deeper or beside it."""
        run_no = store.create_run(a_run())
        paths = ["check", "check[1].a", "check[1].b", "check[10].a", "check[1].b.c", "checks"]
        store.commit([a_task(run_no, n, path=path) for n, path in enumerate(paths, 1)])
        assert [task.path for task in store.tasks(run_no)] == ["check", "checks"]
        within = store.tasks(run_no, within="check[1]")
        assert [task.path for task in within] == ["check[1].a", "check[1].b"]
        assert [task.path for task in store.tasks(run_no, within="check[1].b")] == ["check[1].b.c"]

    def test_a_visit_is_one_task(self, store: Store) -> None:
        """What is recorded of it later takes the place of what was, also under a new number."""
        run_no = store.create_run(a_run())
        store.commit([a_task(run_no, 1, path="a"), a_task(run_no, 2, path="a", visit=2)])
        store.commit([a_task(run_no, 3, path="a", visit=2)])
        assert [task.visit_no for task in store.tasks(run_no)] == [1, 3]

    def test_a_number_belongs_to_one_visit(self, store: Store) -> None:
        """Two visits of a run can't have the same number."""
        run_no = store.create_run(a_run())
        store.commit([a_task(run_no, 1, path="a")])
        with pytest.raises(RecordRefusedError):
            store.commit([a_task(run_no, 1, path="b")])
        assert [task.path for task in store.tasks(run_no)] == ["a"]

    # events

    def test_events_are_read_in_the_order_of_seq(self, store: Store) -> None:
        """All events of a run come back in their order, and no other run's."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        events = [an_event(run_no, seq, data=b'"%d"' % seq) for seq in range(1, 2_502)]
        store.commit([*reversed(events[1_000:]), an_event(other, 1)])
        store.commit(events[:1_000])
        assert list(store.events(run_no)) == events

    def test_an_event_is_recorded_once(self, store: Store) -> None:
        """A second event with the same number is refused."""
        run_no = store.create_run(a_run())
        store.commit([an_event(run_no, 1)])
        with pytest.raises(RecordRefusedError):
            store.commit([an_event(run_no, 1, kind="Other")])
        assert list(store.events(run_no)) == [an_event(run_no, 1)]

    # items

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"output": None},
            {"output": b"null"},
            {"output": b'""'},
            {"output": LONG_RESULT},
            {"output": b'"' + b"x" * 4_094 + b'"'},
            {"output": b'"' + b"x" * 4_095 + b'"'},
            {
                "output": None,
                "status": Status.FAILED,
                "error": b'{"type":"E","message":"\xc3\xbc"}',
            },
            {"output": None, "status": Status.CANCELLED, "attempts": 3},
            {"label": ""},
            {"label": "höst \U0001f9f5 'quoted' \"twice\"; --"},
            {"label": "a", "output": LONG_RESULT},
            {"item": b'{"host":"\xc3\xbc"}', "earlier": b"[]", "attempts": 2},
            {"output": LONG_RESULT, "item": b"1", "earlier": b"[]", "label": "a"},
            {"started_at": 1_753_000_000.123_456_7, "duration_s": 1e-9},
        ],
    )
    def test_an_item_is_read_back_equal(self, store: Store, changes: dict[str, Any]) -> None:
        """Whatever an outcome holds comes back, from a commit of one record and of many."""
        run_no = store.create_run(a_run())
        alone = an_item(run_no, 0, **changes)
        among = an_item(run_no, 2, **changes)
        store.commit([alone])
        store.commit([an_item(run_no, 1), among, an_item(run_no, 3)])
        assert list(store.items(run_no, 1)) == [
            alone,
            an_item(run_no, 1),
            among,
            an_item(run_no, 3),
        ]

    def test_items_are_paged_in_the_order_of_their_indexes(self, store: Store) -> None:
        """`after` and `limit` walk through a task's items, and through no other task's."""
        run_no = store.create_run(a_run())
        items = [an_item(run_no, index) for index in range(25)]
        store.commit([*reversed(items), an_item(run_no, 3, visit_no=2)])
        assert list(store.items(run_no, 1, limit=10)) == items[:10]
        assert list(store.items(run_no, 1, after=9, limit=10)) == items[10:20]
        assert list(store.items(run_no, 1, after=19, limit=10)) == items[20:]
        assert list(store.items(run_no, 1, after=24)) == []

    @pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
    def test_items_are_found_by_their_status(self, store: Store, status: Status) -> None:
        """With a status, pages hold the items that have it, in order."""
        run_no = store.create_run(a_run())
        statuses = [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED]
        items = [an_item(run_no, index, status=statuses[index % 3]) for index in range(30)]
        store.commit([*items, an_item(run_no, 0, visit_no=2, status=status)])
        wanted = [item for item in items if item.status is status]
        assert list(store.items(run_no, 1, status=status)) == wanted
        assert list(store.items(run_no, 1, status=status, limit=4)) == wanted[:4]
        after = wanted[3].index
        assert list(store.items(run_no, 1, status=status, after=after, limit=4)) == wanted[4:8]

    def test_outputs_are_those_recorded_between_two_indexes(self, store: Store) -> None:
        """Items without an output are left out; a null is an output."""
        run_no = store.create_run(a_run())
        outputs = [b"0", None, LONG_RESULT, b"null", b"4"]
        store.commit(
            [an_item(run_no, index, output=output) for index, output in enumerate(outputs)]
        )
        assert list(store.outputs(run_no, 1, 0, 4)) == [
            (0, b"0"),
            (2, LONG_RESULT),
            (3, b"null"),
        ]
        assert list(store.outputs(run_no, 1, 4, 1_000)) == [(4, b"4")]
        assert list(store.outputs(run_no, 1, 2, 2)) == []

    def test_outputs_end_with_the_one_that_reaches_the_limit(self, store: Store) -> None:
        """At least one output is given, and below the limit nothing is left out."""
        run_no = store.create_run(a_run())
        outputs = [b'"aa"', None, b'"bb"', LONG_RESULT, b"4"]
        store.commit(
            [an_item(run_no, index, output=output) for index, output in enumerate(outputs)]
        )
        size = len(LONG_RESULT)
        for limit_bytes, last in [(1, 0), (4, 0), (5, 2), (8, 2), (9, 3), (8 + size, 3)]:
            found = store.outputs(run_no, 1, 0, 5, limit_bytes=limit_bytes)
            wanted = [(i, out) for i, out in enumerate(outputs[: last + 1]) if out is not None]
            assert list(found) == wanted
        assert [i for i, _ in store.outputs(run_no, 1, 0, 5, limit_bytes=9 + size)] == [0, 2, 3, 4]
        assert [i for i, _ in store.outputs(run_no, 1, 3, 5, limit_bytes=1)] == [3]
        store.commit([an_item(run_no, 5)])  # A reading that ended early holds nothing up.

    def test_ten_thousand_items_go_into_one_commit(self, store: Store) -> None:
        """A commit may hold any number of records, of all kinds and in any order."""
        run_no = store.create_run(a_run())
        items = [
            an_item(run_no, index, label=None if index % 7 else f"host {index}")
            for index in range(10_000)
        ]
        records: list[Record] = [*items, a_task(run_no), an_event(run_no, 1)]
        store.commit(records)
        read = [*store.items(run_no, 1, limit=9_999), *store.items(run_no, 1, after=9_998)]
        assert read == items
        outputs = store.outputs(run_no, 1, 5_000, 6_000)
        assert list(outputs) == [(index, b"%d" % index) for index in range(5_000, 6_000)]

    def test_runs_keep_apart(self, store: Store) -> None:
        """Two runs may have the same tasks and items."""
        first, second = store.create_run(a_run("a")), store.create_run(a_run("b"))
        for run_no in (first, second):
            store.commit([a_task(run_no), an_item(run_no, 0, output=LONG_RESULT)])
        assert list(store.tasks(first)) == [a_task(first)]
        assert list(store.items(second, 1)) == [an_item(second, 0, output=LONG_RESULT)]

    # commits

    @pytest.mark.parametrize(
        "changes", [{}, {"output": LONG_RESULT}, {"label": "again"}, {"status": Status.FAILED}]
    )
    def test_a_second_outcome_of_an_item_is_refused(
        self, store: Store, changes: dict[str, Any]
    ) -> None:
        """An item's outcome is recorded once, and the first one stays."""
        run_no = store.create_run(a_run())
        store.commit([an_item(run_no, 5)])
        with pytest.raises(RecordRefusedError):
            store.commit([an_item(run_no, 5, **changes)])
        with pytest.raises(RecordRefusedError):
            store.commit([an_item(run_no, 6), an_item(run_no, 6, **changes)])
        assert list(store.items(run_no, 1)) == [an_item(run_no, 5)]

    def test_a_refused_record_leaves_nothing_of_its_commit(self, store: Store) -> None:
        """A commit is written as a whole or not at all, and the store still works."""
        run_no = store.create_run(a_run())
        store.commit([an_item(run_no, 3), a_task(run_no)])
        group: list[Record] = [
            a_run(run_no=run_no, status=Status.RUNNING),
            a_task(run_no, status=Status.SUCCEEDED, output=LONG_RESULT),
            a_task(run_no, 2),
            an_event(run_no, 1),
            *[an_item(run_no, index) for index in range(10)],
        ]
        with pytest.raises(RecordRefusedError):
            store.commit(group)
        assert store.run("run-1") == a_run(run_no=run_no)
        assert list(store.tasks(run_no)) == [a_task(run_no)]
        assert list(store.events(run_no)) == []
        assert list(store.items(run_no, 1)) == [an_item(run_no, 3)]
        store.commit(group[:4])
        assert len(store.tasks(run_no)) == 2

    @pytest.mark.parametrize(
        "changes",
        [
            {"output": b'"\xff"'},
            {"output": b'"\xff' + b"x" * 5_000 + b'"'},
            {"error": b"\xff"},
            {"label": "\ud800"},
            {"label": "a\0b"},
            {"label": "a\0b", "output": LONG_RESULT},
        ],
    )
    def test_text_that_is_not_unicode_is_refused(
        self, store: Store, changes: dict[str, Any]
    ) -> None:
        """Bytes that aren't UTF-8, halves of surrogate pairs and NUL harm only their own record."""
        run_no = store.create_run(a_run())
        with pytest.raises(RecordRefusedError) as caught:
            store.commit([an_item(run_no, 0), an_item(run_no, 1, **changes)])
        assert "xxx" not in str(caught.value)
        store.commit([an_item(run_no, 0)])
        assert list(store.items(run_no, 1)) == [an_item(run_no, 0)]

    def test_readers_in_other_threads_see_whole_commits(self, store: Store) -> None:
        """A reader beside the writer sees all of a commit or nothing of it."""
        run_no = store.create_run(a_run())
        groups = [range(start, start + 10) for start in range(0, 500, 10)]

        def write() -> None:
            for group in groups:
                store.commit([an_item(run_no, index) for index in group])

        with ThreadPoolExecutor() as threads:
            writer = threads.submit(write)
            while not writer.done():
                readings = [threads.submit(store.items, run_no, 1) for _ in range(3)]
                counts = [len(reading.result()) for reading in readings]
                assert [count % 10 for count in counts] == [0, 0, 0]
            writer.result()
        assert len(store.items(run_no, 1)) == 500

    def test_a_commit_at_once_is_whole_or_says_that_it_would_wait(self, store: Store) -> None:
        """Its records are all there or none is, and a refused one leaves nothing."""
        run_no = store.create_run(a_run())
        is_written = store.commit([an_event(run_no, 1), an_event(run_no, 2)], at_once_bytes=100)
        assert [event.seq for event in store.events(run_no)] == ([1, 2] if is_written else [])
        store.commit([an_event(run_no, 3)])
        with contextlib.suppress(RecordRefusedError):
            assert not store.commit([an_event(run_no, 4), an_event(run_no, 3)], at_once_bytes=100)
        assert [event.seq for event in store.events(run_no, after=2)] == [3]

    def test_an_empty_commit_is_allowed(self, store: Store) -> None:
        """Nothing to write is no error."""
        store.commit([])

    def test_the_data_of_errors_comes_back_frozen(self, store: Store) -> None:
        """What is read may be shared with a context at once."""
        run_no = store.create_run(a_run())
        store.commit([a_task(run_no, error=ErrorInfo("E", "m", data={"hosts": ["a"]}))])
        error = store.tasks(run_no)[0].error
        assert error is not None
        assert type(error.data) is FrozenDict
        assert type(error.data["hosts"]) is FrozenList
