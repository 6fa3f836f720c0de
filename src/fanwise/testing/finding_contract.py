"""Promises of every store about finding runs and items, as a part of `StoreContract`."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from fanwise.model import ItemTimes, ItemTotals, RecordedEvent, RunCount, Status
from fanwise.stores import Store
from fanwise.testing.records import a_run, an_item
from fanwise.values import encode


class FindingContract:
    """The promises of the filters of `Records`, and of `Records.item_times`."""

    def test_tags_are_recorded_with_a_new_run(self, store: Store) -> None:
        """They come back sorted, each once, alone and in a list, and are no other run's."""
        tags = ("A:1/x=y", "a-b.c_d", "nightly")
        number = store.create_run(a_run("a", tags=tags))
        store.create_run(a_run("b"))
        assert store.run("a") == a_run("a", run_no=number, tags=tags)
        assert [run.tags for run in store.runs()] == [(), tags]

    def test_runs_are_counted_by_the_span_in_which_they_were_made(self, store: Store) -> None:
        """By status and workflow; a span begins with its first moment, and ends before the next."""
        made = [
            (99.9, "a", Status.FAILED),
            (100.0, "a", Status.FAILED),
            (109.9, "a", Status.FAILED),
            (109.9, "b", Status.FAILED),
            (110.0, "a", Status.SUCCEEDED),
            (129.9, "a", Status.RUNNING),
            (130.0, "a", Status.RUNNING),
        ]
        for number, (at, workflow, status) in enumerate(made):
            run = a_run(f"run-{number}", workflow=workflow, status=status, created_at=at)
            store.create_run(run)
        counts = [
            RunCount(0, "a", Status.FAILED, 2),
            RunCount(0, "b", Status.FAILED, 1),
            RunCount(1, "a", Status.SUCCEEDED, 1),
            RunCount(2, "a", Status.RUNNING, 1),
        ]
        assert store.run_counts(100.0, 10.0, 3, most=5) == (100.0, counts)
        newest = [RunCount(0, "a", Status.FAILED, 1), *counts[1:]]
        assert store.run_counts(100.0, 10.0, 3, most=3) == (109.9, newest)
        assert store.run_counts(100.0, 10.0, 3, most=1) == (110.0, counts[2:])

    def test_unfinished_runs_come_whole_and_the_oldest_first(self, store: Store) -> None:
        """Those that are pending or running, and no others."""
        runs = [
            a_run(f"run-{status}", status=status, definition="tasks: []", tags=("a", "b"))
            for status in (Status.RUNNING, Status.FAILED, Status.PENDING, Status.PAUSED)
        ]
        numbers = [store.create_run(run) for run in runs]
        wanted = [replace(runs[place], run_no=numbers[place]) for place in (0, 2)]
        assert list(store.unfinished()) == wanted

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({}, [5, 4, 3, 2, 1, 0]),
            ({"status": Status.FAILED}, [4, 2, 0]),
            ({"status": Status.PAUSED}, []),
            ({"workflow": "even"}, [5, 4]),
            ({"workflow": "eve_"}, []),
            ({"since": 3.0}, [5, 4, 3]),
            ({"tags": ["odd"]}, [5, 3, 1]),
            ({"tags": ["few", "odd"]}, [1]),
            ({"tags": ["ODD"]}, []),
            ({"tags": ["few", "none"]}, []),
            ({"status": Status.FAILED, "since": 1.0, "tags": ["few"]}, [2]),
            ({"status": Status.FAILED, "workflow": "even"}, [4]),
            ({"limit": 2}, [5, 4]),
        ],
    )
    def test_runs_are_found_by_what_is_true_of_all_of_them(
        self, store: Store, filters: dict[str, Any], found: list[int]
    ) -> None:
        """By status, workflow, time and tags, and page by page."""
        numbers = []
        for place in range(6):
            tags = (*(["few"] if place in (1, 2) else []), *(["odd"] if place % 2 else []))
            run = a_run(
                f"run-{place}",
                status=Status.SUCCEEDED if place % 2 else Status.FAILED,
                workflow="even" if place > 3 else "other",
                created_at=float(place),
                tags=tags,
            )
            numbers.append(store.create_run(run))
        assert [int(run.id[-1]) for run in store.runs(**filters)] == found
        for last, following in pairwise(found):
            page = store.runs(**{**filters, "before": numbers[last], "limit": 1})
            assert [int(run.id[-1]) for run in page] == [following]

    @pytest.mark.parametrize("status", [None, Status.SUCCEEDED, Status.FAILED])
    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({"error": "Timeout"}, {1, 3}),
            ({"error": 'Time"ü'}, {5}),
            ({"error": "Time"}, set()),
            ({"label": "b_"}, {2, 3}),
            ({"label": "B"}, set()),
            ({"slower_s": 3.0}, {4, 5}),
            ({"after": 0, "until": 3}, {1, 2, 3}),
            ({"error": "Timeout", "label": "b", "slower_s": 2.5}, {3}),
            ({"until": 4, "limit": 1}, {0, 1}),
        ],
    )
    def test_items_are_found_by_what_is_true_of_all_of_them(
        self, store: Store, status: Status | None, filters: dict[str, Any], found: set[int]
    ) -> None:
        """By error, label, time and index, together with the status."""
        run_no = store.create_run(a_run())
        labels = ["a", "ab", "ab_c", "b_", "axc", None]
        errors = {1: "Timeout", 3: "Timeout", 5: 'Time"ü'}
        items = [
            an_item(
                run_no,
                index,
                status=Status.FAILED if index in errors else Status.SUCCEEDED,
                error=encode({"type": errors[index], "message": "m"}) if index in errors else None,
                label=label,
                duration_s=float(index),
            )
            for index, label in enumerate(labels)
        ]
        store.commit([*items, an_item(run_no, 0, visit_no=2, label="b_", duration_s=9.0)])
        wanted = [item for item in items if item.index in found and status in (None, item.status)]
        limit = filters.get("limit", 10)
        assert list(store.items(run_no, 1, status=status, **filters)) == wanted[:limit]

    def test_the_times_of_items_are_summed_up(self, store: Store) -> None:
        """How many, how long together and each, and the slowest ones."""
        run_no = store.create_run(a_run())
        assert store.item_times(run_no, 1) == ItemTimes()
        spans = {0: 0.5, 1: 4.0, 2: 0.25, 3: 2.0, 4: 4.0, 2_500: 3.0}  # the last in another tile
        items = {
            index: an_item(run_no, index, duration_s=span_s, label=f"no {index}")
            for index, span_s in spans.items()
        }
        store.commit([*items.values(), an_item(run_no, 0, visit_no=2, duration_s=9.0)])
        times = store.item_times(run_no, 1, slowest=3)
        assert (times.count, times.busy_s) == (6, 13.75)
        assert times.durations == (0.25, 0.5, 2.0, 3.0, 4.0, 4.0)
        assert times.slowest == tuple(replace(items[no], output=None) for no in (1, 4, 2_500))

    def test_items_are_counted_in_all_and_between_times(self, store: Store) -> None:
        """By the start of their last attempts; the later time isn't among them."""
        run_no = store.create_run(a_run())
        assert store.item_totals(run_no, 1) == ItemTotals()
        statuses = [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.SUCCEEDED]
        store.commit(
            [
                an_item(
                    run_no,
                    index,
                    status=status,
                    attempts=index + 1,
                    started_at=10.0 + index,
                    duration_s=0.5,
                )
                for index, status in enumerate(statuses)
            ]
        )
        assert store.item_totals(run_no, 1) == ItemTotals(4, 1, 2, 10, 2.0, 10.0, 13.5)
        between = store.item_totals(run_no, 1, between=(11.0, 13.0))
        assert between == ItemTotals(2, 1, 0, 5, 1.0, 11.0, 12.5)
        assert store.item_totals(run_no, 1, between=(20.0, 30.0)) == ItemTotals()

    @pytest.mark.parametrize("status", [None, Status.SUCCEEDED])
    def test_a_page_of_items_is_bounded_in_bytes(self, store: Store, status: Status | None) -> None:
        """It ends with the item that reaches the bound; beginnings of outputs count as such."""
        run_no = store.create_run(a_run())
        outputs = [encode("x" * size) for size in (10, 50_000, 10, 10)]
        items = [an_item(run_no, no, output=output) for no, output in enumerate(outputs)]
        store.commit(items)
        page = store.items(run_no, 1, status=status, limit_bytes=50_000)
        assert list(page) == items[:2]
        rest = store.items(run_no, 1, status=status, after=1, limit_bytes=50_000)
        assert list(rest) == items[2:]
        cut = store.items(run_no, 1, status=status, limit_bytes=50_000, beginning=4)
        assert [item.output for item in cut] == [b'"xxx'] * 4

    def test_events_from_which_on_a_process_drove_are_found(self, store: Store) -> None:
        """In their order, with their data."""
        run_no, other = store.create_run(a_run("a")), store.create_run(a_run("b"))
        kinds = ["RunStarted", "TaskEnded", "RunResumed", "Evaluated", "RunStarted"]
        events = [
            RecordedEvent(run_no, seq, kind, b'{"at":%d}' % seq)
            for seq, kind in enumerate(kinds, 1)
        ]
        store.commit([*events, RecordedEvent(other, 1, "RunStarted", b"{}")])
        assert list(store.driving_events(run_no)) == events[::2]
