"""A server that goes away is waited for: nothing is lost and nothing written twice."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from answers import Loss, Way, losing_way

from benchmarks.postgres_server import PostgresServer
from fanwise.errors import LeaseLostError, RunExistsError, StoreError
from fanwise.model import EndedRun, RequestKind, RunRequest, ShareWish, Status
from fanwise.stores import Store, open_store
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import LONG_RESULT, a_run, a_task, an_event, an_item


@pytest.fixture
def way(postgres: PostgresServer) -> Iterator[Way]:
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        losing_way(Path(folder), postgres.folder) as way,
    ):
        yield way


@pytest.fixture
def store(postgres: PostgresServer, postgres_url: Callable[..., str], way: Way) -> Iterator[Store]:
    """A store whose connections pass through `way`."""
    url = postgres_url().replace(str(postgres.folder), str(way.folder))
    with open_store(url) as store:
        yield store


TROUBLES = [PostgresServer.end_sessions, PostgresServer.restart, PostgresServer.crash]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_store_goes_on_after_its_sessions_have_ended(
    postgres: PostgresServer, postgres_url: Callable[..., str], trouble: Callable[..., None]
) -> None:
    """Whatever comes next: a commit, a read, a lease, a snapshot."""
    works: list[Callable[[Store, int], object]] = [
        lambda store, turn: store.commit([an_item(1, turn)]),
        lambda store, _: store.items(1, 1),
        lambda store, _: store.outputs(1, 1, 0, 5),
        lambda store, _: store.recorded_items(1, 1),
        lambda store, _: [*store.export("run-0")],
        lambda store, _: store.enroll(an_owner()),
        lambda store, turn: store.create_run(a_run(f"run-{turn}")),
        lambda store, _: store.size(),
        lambda store, _: [*store.delete_orphans()],
    ]
    with open_store(postgres_url()) as store:
        store.create_run(a_run("run-0"))
        for number, work in enumerate(works):
            work(store, 2 * number + 1)  # so that all sessions are there
            trouble(postgres)
            work(store, 2 * number + 2)
        assert [item.index for item in store.items(1, 1)] == [1, 2]
        assert list(store.run_ids()) == ["run-14", "run-13", "run-0"]


@pytest.mark.parametrize("loss", ["answer", "request"])
def test_a_commit_without_an_answer_happens_once(store: Store, way: Way, loss: Loss) -> None:
    """It is settled by its own rows, whatever kinds of records it has, and few or many of them."""
    run_no = store.create_run(a_run())
    groups = [
        [an_item(run_no, 0), an_item(run_no, 1, label="b")],
        [an_item(run_no, 2, label="c")],
        [an_item(run_no, 3, output=LONG_RESULT)],
        [an_event(run_no, 1), a_task(run_no)],
        [a_task(run_no, status=Status.SUCCEEDED)],
        [an_item(run_no, index) for index in range(10, 510)],
        [a_run(run_no=run_no, status=Status.RUNNING, tags=("a", "b"))],
    ]
    for group in groups:
        way.lose(loss)
        store.commit(group)
    assert way.lost == len(groups)
    assert [item.index for item in store.items(run_no, 1)] == [0, 1, 2, 3, *range(10, 510)]
    assert len(list(store.events(run_no))) == 1
    assert [task.status for task in store.tasks(run_no)] == [Status.SUCCEEDED]
    assert [run.tags for run in store.runs()] == [("a", "b")]


@pytest.mark.parametrize("loss", ["answer", "request"])
def test_a_change_without_an_answer_has_the_result_that_it_had(
    store: Store, way: Way, loss: Loss
) -> None:
    """A new run, a lease taken and given back, a request, a run deleted."""
    engine_no = store.enroll(an_owner())
    way.lose(loss)
    run_no = store.create_run(a_run())
    with pytest.raises(RunExistsError):
        store.create_run(a_run())
    way.lose(loss)
    lease = store.acquire(run_no, engine_no)
    assert lease is not None
    assert (lease.token, lease.engine_no) == (1, engine_no)
    assert store.acquire(run_no, engine_no) is None
    way.lose(loss)
    store.send(run_no, RunRequest(RequestKind.PAUSE))
    assert {request.kind for request in store.requests(run_no)} == {RequestKind.PAUSE}
    way.lose(loss)
    store.release(run_no, 1)
    assert store.inbox(engine_no).tokens == {}
    way.lose(loss)
    over = EndedRun(run_no, "run-1", "monitor", Status.SUCCEEDED, 1.0)
    store.commit([a_run(run_no=run_no, status=Status.SUCCEEDED)])
    way.lose(loss)
    assert store.delete_run(over)
    assert store.run("run-1") is None
    assert way.lost == 6


def test_a_lease_that_was_lost_in_an_outage_is_told(
    postgres: PostgresServer, postgres_url: Callable[..., str]
) -> None:
    """The old owner writes nothing once it is back."""
    url = postgres_url()
    with open_store(url) as store, open_store(url) as other:
        run_no = store.create_run(a_run(), store.enroll(an_owner()))
        store.commit([an_item(run_no, 0)], {run_no: 1})
        postgres.restart()
        other.acquire(run_no, other.enroll(an_owner("b")), after=1)
        with pytest.raises(LeaseLostError):
            store.commit([an_item(run_no, 1)], {run_no: 1})
        assert [item.index for item in other.items(run_no, 1)] == [0]


def test_no_engine_is_silent_for_longer_than_the_server_has_been_up(
    postgres: PostgresServer, postgres_url: Callable[..., str]
) -> None:
    """So no run is taken from an engine that couldn't beat since the server was away."""
    url = postgres_url()
    with open_store(url) as store:
        engine_no = store.enroll(an_owner())
        run_no = store.create_run(a_run(), engine_no)
        with postgres.connect() as connection:
            name = url.partition("search_path%3D")[2]
            connection.execute(f"UPDATE {name}.engines SET beat_at = beat_at - 1e6".encode())
        postgres.restart()
        lease = store.lease(run_no)
        assert lease is not None
        assert 0 <= lease.silent_s < 1e5
        store.beat(engine_no)
        assert store.lease(run_no) != lease


def test_no_share_is_given_away_that_could_not_be_renewed_since_the_server_was_away(
    postgres: PostgresServer, postgres_url: Callable[..., str]
) -> None:
    """The attempts under it may still run, so another engine would start too many."""
    url = postgres_url()
    wish = ShareWish("vendor", most=2, per_s=None, running=0, wants=2)
    with open_store(url) as store:
        assert store.exchange(1, [wish])["vendor"].slots == 2
        with postgres.connect() as connection:
            name = url.partition("search_path%3D")[2]
            connection.execute(f"UPDATE {name}.shares SET seen_at = seen_at - 1e6".encode())
        postgres.restart()
        assert store.exchange(2, [wish])["vendor"].slots == 0


def test_a_server_that_stays_away_is_an_error_after_the_wait_and_not_again_after_another(
    postgres: PostgresServer, postgres_url: Callable[..., str]
) -> None:
    """All connections share the time; once the server is back the store goes on."""
    with open_store(postgres_url("wait=300ms")) as store:
        run_no = store.create_run(a_run())
        postgres.stop()
        try:
            for work in (
                lambda: store.commit([an_item(run_no, 0)]),
                lambda: store.run("run-1"),
                lambda: store.enroll(an_owner()),
            ):
                with pytest.raises(StoreError, match="the server can't be reached") as caught:
                    work()
                assert "\n" not in str(caught.value)
                assert "?wait=5m waits longer" in str(caught.value)
        finally:
            postgres.start()
        store.commit([an_item(run_no, 0)])
        assert len(store.items(run_no, 1)) == 1


def test_closing_a_store_ends_its_waiting(
    postgres: PostgresServer, postgres_url: Callable[..., str]
) -> None:
    """Nobody waits for a server that nobody needs."""
    store = open_store(postgres_url("wait=1h"))
    store.create_run(a_run())
    postgres.stop()
    try:
        told: list[str] = []

        def read() -> None:
            try:
                store.run("run-1")
            except StoreError as error:
                told.append(str(error))

        reading = threading.Thread(target=read)
        reading.start()
        store.close()
        reading.join(60)
        assert not reading.is_alive()
        assert "the store has been closed" in told[0]
    finally:
        postgres.start()
