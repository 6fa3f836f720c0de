"""Whatever is committed, a store reads the same as a simple model of it."""

from __future__ import annotations

from collections import Counter
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_model import StoreModel

from fanwise.errors import RecordRefusedError
from fanwise.model import (
    ErrorInfo,
    ItemCounts,
    ItemOutcome,
    LogEntry,
    RecordedEvent,
    Status,
    VisitRecord,
)
from fanwise.stores import open_store
from fanwise.testing.store_contract import a_run, an_item
from fanwise.values import encode

RUNS, TASKS = 2, 3

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(texts, parts, max_size=3),
    max_leaves=5,
)
results = values.map(encode) | st.integers(4_080, 4_110).map(lambda size: encode("x" * size))
times = st.floats(0, 2e9)
errors = st.builds(ErrorInfo, texts, texts, values, st.none() | texts)

items = st.builds(
    ItemOutcome,
    run_no=st.integers(1, RUNS),
    visit_no=st.integers(1, TASKS),
    index=st.integers(0, 15) | st.integers(0, 2**40),
    status=st.sampled_from([Status.SUCCEEDED, Status.FAILED, Status.CANCELLED]),
    attempts=st.integers(1, 2**31),
    started_at=times,
    duration_s=times,
    output=st.none() | results,
    error=st.none() | results,
    label=st.none() | texts,
)

# A task keeps its place for life; the last one is always in the way of the first.
PLACES = {1: ("a", 1), 2: ("b[1].c", 2), TASKS: ("a", 1)}


def task(visit_no, **values):
    path, visit = PLACES[visit_no]
    return VisitRecord(visit_no=visit_no, path=path, visit=visit, **values)


tasks = st.builds(
    task,
    run_no=st.integers(1, RUNS),
    visit_no=st.sampled_from([*PLACES]),
    status=st.sampled_from(Status),
    has_items=st.booleans(),
    due_at=st.none() | times,
    started_at=st.none() | times,
    ended_at=st.none() | times,
    attempts=st.integers(0, 9),
    output=st.none() | results,
    error=st.none() | errors,
    items=st.none() | st.builds(ItemCounts, *[st.integers(0, 2**40)] * 3),
)
events = st.builds(
    RecordedEvent,
    run_no=st.integers(1, RUNS),
    seq=st.integers(1, 5),
    kind=texts,
    data=results,
)
runs = st.builds(
    a_run,
    run_no=st.just(1),
    workflow=texts,
    definition=texts,
    parameters=results,
    status=st.sampled_from(Status),
    started_at=st.none() | times,
    output=st.none() | results,
    error=st.none() | errors,
    tags=st.sampled_from([(), ("a",), ("a", "b"), ("A", "b", "c=1")]),
)
logs = st.builds(
    LogEntry,
    run_no=st.integers(1, RUNS),
    visit_no=st.integers(1, TASKS),
    index=st.none() | st.integers(0, 15),
    attempt=st.integers(1, 3),
    path=st.sampled_from(["a", "a[1]", "a[1].b", "a[12]", "A", "a_"]) | texts,
    at=times,
    text=texts,
)
commits = st.lists(st.lists(items | tasks | events | runs | logs, max_size=6), max_size=6)


def readings(store):
    """Everything that a store can be asked for."""
    yield store.run("run-1"), store.run("run-2"), list(store.run_ids()), list(store.runs())
    yield [list(store.runs(tags=tags)) for tags in (["a"], ["b", "A"])]
    yield [list(store.runs(status=status, since=0.0)) for status in Status]
    for run_no in range(1, RUNS + 1):
        yield list(store.tasks(run_no)), list(store.events(run_no))
        yield list(store.logs(run_no))
        yield list(store.new_logs(run_no, after=2, limit=2))
        yield list(store.newest_logs(run_no, before=4, limit=2))
        for under in ("a", "a[1]"):
            found = list(store.logs(run_no, under=under, limit=2))
            yield found, list(store.logs(run_no, under=under, after=found[-1] if found else None))
        for visit_no in range(1, TASKS + 1):
            yield list(store.outputs(run_no, visit_no, 2, 2**39))
            yield list(store.items(run_no, visit_no, after=3, limit=2))
            yield list(store.items(run_no, visit_no, slower_s=1.0, until=9))
            for status in (None, *Status):
                yield list(store.items(run_no, visit_no, status=status))


@settings(deadline=None, max_examples=40)
@given(commits)
def test_a_store_and_its_model_read_the_same(groups):
    """After a random history of commits they are equal, also where they refuse one."""
    with TemporaryDirectory() as folder, open_store(f"{folder}/fanwise.db") as store:
        require_equal(store, groups)


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(commits)
def test_a_store_on_postgres_and_the_model_read_the_same(postgres_url, groups):
    """In the same order too: text is compared by its bytes on every store."""
    with open_store(postgres_url()) as store:
        require_equal(store, groups)


def require_equal(store, groups):
    model = StoreModel()
    for each in (store, model):
        for number in range(RUNS):
            each.create_run(a_run(f"run-{number + 1}"))
    for group in groups:
        assert committed(store, group) == model.commit(group)
        assert list(readings(store)) == list(readings(model))


def committed(store, group):
    """Whether the store took the group."""
    try:
        store.commit(group)
    except RecordRefusedError:
        return False
    return True


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_durations_of_very_many_items_are_sampled_evenly(tmp_path, request, kind):
    """Whatever period the items have, each of its places has its part in the sample."""
    is_file = kind == "sqlite"
    url = str(tmp_path / "fanwise.db") if is_file else request.getfixturevalue("postgres_url")()
    with open_store(url) as store:
        for visit_no, period in enumerate((2, 3, 100, 128), start=1):
            store.commit(
                [
                    an_item(1, index, visit_no=visit_no, duration_s=float(index % period))
                    for index in range(50_000)
                ]
            )
            times = store.item_times(1, visit_no)
            assert times.count == 50_000
            assert times.is_sampled
            assert 19_000 < len(times.durations) < 21_000
            found = Counter(times.durations)
            assert len(found) == period
            even = len(times.durations) / period
            assert all(0.9 < count / even < 1.1 for count in found.values())
