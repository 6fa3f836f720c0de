"""Figures of runs that are under way, were interrupted or retried, from their records."""

from __future__ import annotations

import heapq
import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fanwise.model import (
    ItemCounts,
    ItemOutcome,
    RecordedEvent,
    RunRecord,
    Status,
    VisitRecord,
)
from fanwise.reports.overview import (
    driven_s,
    driven_times,
    steps_of,
    timed_overview,
    visit_span,
)
from fanwise.reports.progress import ItemProgress, item_progress
from fanwise.reports.sessions import Sessions, sessions_of
from fanwise.reports.timing import run_time, spell_times, spells_of
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.stores import MemoryStore
from fanwise.wiring import runs_of


def a_run(store: MemoryStore, **changes: object) -> RunRecord:
    values = {"id": "r", "status": Status.SUCCEEDED, "started_at": 100.0, **changes}
    record = RunRecord(
        0, workflow="w", file="w.yaml", definition="", parameters=b"{}", created_at=100.0, **values
    )
    return replace(record, run_no=store.create_run(record))


def begun(store: MemoryStore, run_no: int, *starts: tuple[str, float, float]) -> None:
    """Record events from which on a process drove the run: kind, time, seconds before."""
    store.commit(
        [
            RecordedEvent(run_no, seq, kind, json.dumps({"at": at, "since_s": since_s}).encode())
            for seq, (kind, at, since_s) in enumerate(starts, 1)
        ]
    )


def an_item(index: int, started_at: float, duration_s: float, **changes: object) -> ItemOutcome:
    values = {"status": Status.SUCCEEDED, "attempts": 1, **changes}
    return ItemOutcome(1, 1, index, values["status"], values["attempts"], started_at, duration_s)


def test_the_time_between_two_sessions_is_not_driven():
    """A run of two seconds that is retried an hour later for one was driven for three."""
    store = MemoryStore()
    run = a_run(store, ended_at=3_701.0)
    begun(store, run.run_no, ("RunStarted", 100.0, 0.0), ("RunStarted", 3_700.0, 2.0))
    sessions = sessions_of(store, run, 3.0, 3_701.0)
    assert list(sessions.parts) == [(100.0, 102.0), (3_700.0, 3_701.0)]
    assert (sessions.driven_s, sessions.is_rerun) == (3.0, True)
    assert [sessions.before(at) for at in (101.0, 1_000.0, 3_700.5)] == [1.0, 2.0, 2.5]


def test_an_interrupted_run_ends_with_the_last_sign_of_life():
    """Hours later it has taken no longer."""
    store = MemoryStore()
    run = a_run(store, status=Status.RUNNING)
    begun(store, run.run_no, ("RunStarted", 100.0, 0.0), ("RunResumed", 200.0, 6.0))
    sessions = sessions_of(store, run, 9.0, 99_999.0)
    assert list(sessions.parts) == [(100.0, 106.0), (200.0, 203.0)]


def test_a_run_was_driven_for_as_long_as_its_records_reach():
    """A process that is killed before its first sign of life leaves no other trace."""
    store = MemoryStore()
    run = a_run(store, status=Status.RUNNING)
    begun(store, run.run_no, ("RunStarted", 100.0, 0.0), ("RunResumed", 200.0, 0.0))
    visit = VisitRecord(1, 1, "t", 1, Status.RUNNING, True, None, 100.0)
    store.commit([visit, an_item(0, 101.0, 2.0), an_item(1, 200.0, 5.0)])
    assert driven_s(runs_of(store), run, 99_999.0) == 3.0 + 5.0


def test_a_run_of_an_earlier_version_is_one_session():
    """Its events have no times."""
    store = MemoryStore()
    run = a_run(store, ended_at=130.0)
    store.commit([RecordedEvent(run.run_no, 1, "RunStarted", b"{}")])
    assert list(sessions_of(store, run, None, 130.0).parts) == [(100.0, 130.0)]


def test_sessions_reach_to_the_ends_of_what_began_in_them():
    """A process may die later than its last sign of life, yet before the next session."""
    sessions = Sessions([(0.0, 3.0), (10.0, 12.0)])
    assert list(sessions.covering([(1.0, 5.0), (11.0, 14.0)]).parts) == [(0.0, 5.0), (10.0, 14.0)]
    assert sessions.covering([(1.0, 11.0)]).parts[0] == (0.0, 10.0)


@pytest.mark.parametrize(
    ("status", "counts", "total", "expected"),
    [
        (Status.RUNNING, None, 9, ItemProgress(9, 3, 1, 1, 6)),
        (Status.RUNNING, None, None, ItemProgress(None, 3, 1, 1, 6)),
        (Status.RUNNING, ItemCounts(9, 1, 0), None, ItemProgress(9, 3, 1, 1, 6)),
        (Status.CANCELLED, None, 9, ItemProgress(9, 3, 1, 1, 6)),
        (Status.SUCCEEDED, ItemCounts(9, 9, 0), None, ItemProgress(9, 9, 9, 0, 12)),
    ],
)
def test_items_are_counted_until_their_visit_ends(status, counts, total, expected):
    """The counts of an earlier pause are old by then."""
    store = MemoryStore()
    store.commit(
        [
            an_item(0, 100.0, 1.0),
            an_item(1, 100.0, 1.0, status=Status.FAILED, attempts=4),
            an_item(2, 100.0, 1.0, status=Status.CANCELLED),
        ]
    )
    visit = VisitRecord(
        1, 1, "t", 1, status, True, None, 100.0, attempts=12, items=counts, items_total=total
    )
    assert item_progress(store, visit) == expected


def test_a_visit_without_items_or_start_has_no_progress():
    """It has nothing to count."""
    store = MemoryStore()
    assert item_progress(store, VisitRecord(1, 1, "t", 1, Status.RUNNING, started_at=1.0)) is None
    assert item_progress(store, VisitRecord(1, 1, "t", 1, Status.PENDING, has_items=True)) is None


def test_a_task_in_work_takes_no_more_of_the_time_than_there_is():
    """Also if its process died before it gave a sign of life: its items were run, so it was."""
    store = MemoryStore()
    run = a_run(store, status=Status.RUNNING)
    begun(store, run.run_no, ("RunStarted", 100.0, 0.0))
    store.commit([an_item(0, 100.0, 1.0), an_item(1, 101.0, 1.5)])
    visit = VisitRecord(1, 1, "t", 1, Status.RUNNING, has_items=True, started_at=100.0)
    sessions = sessions_of(store, run, 0.0, 100.0)
    found = spells_of([visit], spell_times(store, [visit], sessions, 100.0))
    sessions = sessions.covering(part for spell in found for part in spell.parts)
    timing = run_time(store, found, sessions, {})
    assert (timing.span_s, timing.driven_s, timing.tasks[0].span_s) == (2.5, 2.5, 2.5)


def _worked(starts: Sequence[float], spans: Sequence[Sequence[float]], slots: int):
    """Items that so many slots have run, each as soon as a slot was free, session by session."""
    items, ends = [], []
    for start, durations in zip(starts, spans, strict=True):
        free = [start] * slots
        for duration_s in durations:
            at = heapq.heappop(free)
            heapq.heappush(free, at + duration_s)
            items.append(an_item(len(items), at, duration_s))
        ends.append(max(free))
    return items, ends


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=8), min_size=1, max_size=4),
    st.integers(1, 4),
    st.sampled_from(["RunResumed", "RunStarted"]),
    st.floats(0.0, 1.0),
)
def test_never_more_items_seem_to_run_at_once_than_there_are_slots(spans, slots, kind, heard):
    """Over crashes, resumes and retries, and however early the last sign of life came."""
    store = MemoryStore()
    starts = [100.0 + 1_000.0 * no for no in range(len(spans))]
    items, ends = _worked(starts, spans, slots)
    store.commit(items)
    run = a_run(store, ended_at=ends[-1])
    driven = [0.0]
    for start, end in zip(starts, ends, strict=True):
        driven.append(driven[-1] + heard * (end - start))
    kinds = ["RunStarted", *[kind] * (len(spans) - 1)]
    begun(store, run.run_no, *zip(kinds, starts, driven[:-1], strict=True))
    began = starts[-1] if kind == "RunStarted" else starts[0]
    visit = VisitRecord(1, 1, "t", 1, Status.SUCCEEDED, True, None, began, ends[-1], len(items))
    sessions = sessions_of(store, run, driven[-1], ends[-1])
    found = spells_of([visit], spell_times(store, [visit], sessions, ends[-1]))
    sessions = sessions.covering(part for spell in found for part in spell.parts)
    time = run_time(store, found, sessions, {})
    (task,) = time.tasks
    assert task.at_once is not None
    assert task.at_once <= slots * (1 + 1e-6)
    assert task.span_s <= time.driven_s + 1e-6
    assert task.span_s == pytest.approx(
        sum(end - start for start, end in zip(starts, ends, strict=True)), abs=1e-6
    )
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(sessions.parts))


class Counting(MemoryStore):
    """A store that counts how often it sums up the items of a visit, and is asked for leases."""

    sums = 0
    leases_read = 0

    def leases(self, run_nos):
        self.leases_read += 1
        return super().leases(run_nos)

    def lease(self, run_no):
        self.leases_read += 1
        return super().lease(run_no)

    def item_totals(self, *args, **given):
        self.sums += 1
        return super().item_totals(*args, **given)


def test_the_times_of_listed_runs_are_read_together() -> None:
    """One look at the leases tells how long each was driven, however many they are."""
    store = Counting()
    runs = [
        a_run(store, id=f"run-{number}", started_at=100.0, ended_at=150.0) for number in range(20)
    ]
    engine_no = store.enroll(an_owner())
    for run in runs:
        store.acquire(run.run_no, engine_no)
        store.release(run.run_no, 1)
    times = driven_times(runs_of(store), runs, 200.0)
    assert times.keys() == {run.run_no for run in runs}
    assert store.leases_read == 1


def test_the_items_of_a_paused_run_are_counted_once() -> None:
    """For its progress, its times, its slowest items and its steps: they may be millions."""
    store = Counting()
    run = a_run(store, status=Status.PAUSED, ended_at=120.0)
    begun(store, run.run_no, ("RunStarted", 100.0, 0.0))
    visit = VisitRecord(1, 1, "t", 1, Status.PAUSED, True, None, 100.0, None, 0)
    store.commit([visit, an_item(0, 101.0, 2.0), an_item(1, 101.0, 5.0)])
    seen, time = timed_overview(runs_of(store), run, None, 200.0)
    assert time is not None
    assert (seen.progress["t"].done, time.tasks[0].items.count) == (2, 2)
    assert list(steps_of(store, seen, seen.visits).spells) == list(seen.spells)
    assert store.sums == 1


@pytest.mark.parametrize("has_items", [False, True])
def test_a_visit_was_driven_in_the_sessions_of_its_run(*, has_items: bool) -> None:
    """The time between them doesn't count; while it lasts, no look at its items is taken for it."""
    store = Counting()
    run = a_run(store, ended_at=230.0)
    begun(store, run.run_no, ("RunStarted", 100.0, 0.0), ("RunResumed", 200.0, 20.0))
    ended = VisitRecord(1, 1, "t", 1, Status.SUCCEEDED, has_items, None, 105.0, 225.0, 0)
    store.commit([ended, an_item(0, 105.0, 15.0), an_item(1, 201.0, 24.0)])
    assert visit_span(runs_of(store), run, ended, 300.0) == pytest.approx(15.0 + 25.0)
    store.sums = 0
    open_visit = replace(ended, status=Status.RUNNING, ended_at=None)
    assert visit_span(runs_of(store), run, open_visit, 300.0) == pytest.approx(15.0 + 30.0)
    assert visit_span(runs_of(store), run, replace(ended, started_at=None), 300.0) is None
    assert store.sums == 0
