"""Streams of events: the present state first, then each change, for as long as one may look."""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import fanwise
from fanwise.errors import StoreError
from fanwise.model import Role
from fanwise.ports import Heads
from fanwise.server import events, looks, topics
from fanwise.server.token_making import new_token_text
from fanwise.server.watch import Watch
from fanwise.testing.records import a_task, an_item
from tests.server.served import Served, serving

FLOW = "name: one\ntasks: [{name: a, action: core.echo, input: {value: 1}}]\n"
Events = Iterator[tuple[str, Any]]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "one.yaml").write_text(FLOW)
    with serving(tmp_path) as made:
        yield made


@contextmanager
def streaming(served: Served, query: str, token: str = "read") -> Iterator[Events]:
    """The events of a stream, until the client goes away at the end of the block."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    authorization = f"Bearer {served.tokens.get(token, token)}"
    connection.request("GET", f"/api/v1/events?{query}", headers={"Authorization": authorization})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    try:
        yield _events(response)
    finally:
        response.close()
        connection.close()


def _events(response: http.client.HTTPResponse) -> Events:
    kind = ""
    for line in response:
        name, _, text = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = text
        elif name == "data":
            yield kind, json.loads(text)


def start(served: Served, run_id: str) -> None:
    assert served.post("/api/v1/runs", {"workflow": "one", "run_id": run_id}).status == 202


def test_a_stream_begins_with_the_present_state(served: Served) -> None:
    """And tells what changes, also by another process; a deleted run is gone."""
    start(served, "a")
    with streaming(served, "topic=runs&topic=run:a") as found:
        assert next(found)[0] == "hello"
        kind, data = next(found)
        assert (kind, [each["run_id"] for each in data["runs"]]) == ("runs", ["a"])
        kind, data = next(found)
        assert (kind, data["run_id"], data["status"]) == ("run", "a", "pending")
        assert "parameters" not in data
        served.post("/api/v1/runs/a/cancel", {})
        told = dict([next(found), next(found)])
        assert told["run"]["status"] == "cancelled"
        assert told["runs"]["runs"][0]["status"] == "cancelled"
        fanwise.run(
            str(served.folder / "one.yaml"), run_id="b", store=str(served.folder / "runs.db")
        )
        while True:
            kind, data = next(found)
            if data["runs"][0]["run_id"] == "b" and data["runs"][0]["status"] == "succeeded":
                break
        served.ask("/api/v1/runs/a", method="DELETE")
        with streaming(served, "topic=run:a") as gone:
            assert [next(gone)[0], next(gone)] == ["hello", ("gone", {"run_id": "a"})]


def test_a_stream_tells_of_no_run_that_is_hidden(served: Served) -> None:
    """It is as if the run weren't there."""
    start(served, "a")
    token = str(new_token_text(served.store, "other", Role.READ, workflows=["other"]))
    with streaming(served, "topic=runs&topic=run:a", token) as found:
        assert [next(found)[0], next(found), next(found)] == [
            "hello",
            ("runs", {"runs": []}),
            ("gone", {"run_id": "a"}),
        ]


def test_a_server_that_stops_says_so_to_its_streams(tmp_path: Path) -> None:
    """And doesn't wait for them."""
    (tmp_path / "one.yaml").write_text(FLOW)
    with serving(tmp_path) as served:
        stream = streaming(served, "topic=runs")
        found = stream.__enter__()
        assert [next(found)[0], next(found)[0]] == ["hello", "runs"]
    assert next(found) == ("bye", {"reason": "restart", "retry_s": 2})
    stream.__exit__(None, None, None)


def test_a_client_that_goes_away_leaves_nothing(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """No traceback, and no stream."""
    with caplog.at_level(logging.WARNING):
        with streaming(served, "topic=runs") as found:
            next(found)
        for number in range(3):  # changes that it is to be told
            start(served, f"run-{number}")
            with streaming(served, "topic=runs") as found:
                next(found)
    assert caplog.records == []


@pytest.mark.parametrize(
    "query",
    [
        *("", "topic=", "topic=run:", "topic=x", "&".join(["topic=runs"] * 21)),
        *("topic=task:a", "topic=task:/b", "topic=logs:", "topic=logs:a@x", "topic=waits:a"),
    ],
)
def test_a_topic_that_makes_no_sense_is_refused(served: Served, query: str) -> None:
    """Before anything is streamed."""
    assert served.ask(f"/api/v1/events?{query}").code == "bad-request"


ITEMS = """\
name: items
tasks:
  - name: each
    with-items: {range: 4}
    action: core.shell
    input: {command: [sh, -c, "echo {{ item }} is seen; exit {{ item % 2 }}"]}
"""


def ran_items(served: Served, run_id: str) -> None:
    (served.folder / "items.yaml").write_text(ITEMS)
    store = str(served.folder / "runs.db")
    fanwise.run(str(served.folder / "items.yaml"), run_id=run_id, store=store)


def test_a_stream_tells_of_a_task(served: Served) -> None:
    """Its counts, its tiles and its kinds of errors; and its run, once that is deleted."""
    ran_items(served, "r")
    with streaming(served, "topic=task:r/each") as found:
        assert next(found)[0] == "hello"
        told = dict(next(found) for _ in range(3))
        assert told["task"]["items"] == {"total": 4, "done": 4, "succeeded": 2, "failed": 2}
        assert (told["task"]["status"], told["task"]["per_s"]) == ("failed", None)
        assert told["tiles"]["tiles"] == [[0, 2, 2, 0]]
        assert (told["kinds"]["failed"], told["kinds"]["kinds"][0]["count"]) == (2, 2)
        served.ask("/api/v1/runs/r", method="DELETE")
        assert next(found) == ("gone", {"run_id": "r"})


def test_a_task_is_told_once_it_starts(served: Served) -> None:
    """Until then there is nothing to tell of it; of tiles just those that have changed come."""
    start(served, "r")
    run = served.store.run("r")
    assert run is not None
    with streaming(served, "topic=task:r/a&topic=run:r") as found:
        assert [next(found)[0], next(found)[0]] == ["hello", "run"]
        visit = a_task(run.run_no, 1, path="a", has_items=True)
        items = [an_item(run.run_no, index) for index in (0, 1_000)]
        served.store.commit([visit, *items])
        tiles = next(data for kind, data in found if kind == "tiles")
        assert tiles["tiles"] == [[0, 1, 0, 0], [1, 1, 0, 0]]
        served.store.commit([an_item(run.run_no, 1_001)])
        tiles = next(data for kind, data in found if kind == "tiles")
        assert tiles["tiles"] == [[1, 2, 0, 0]]


def test_logs_are_followed_from_a_cursor(served: Served) -> None:
    """Of a run, a task or an item, each part once."""
    ran_items(served, "r")
    with streaming(served, "topic=logs:r") as found:
        assert next(found)[0] == "hello"
        logs = [next(found)[1] for _ in range(4)]
    assert sorted(each["text"] for each in logs) == [f"{n} is seen\n" for n in range(4)]
    after = f"topic=logs:r/each@{logs[2]['cursor']}&topic=logs:r/each[3]"
    with streaming(served, after) as found:
        assert next(found)[0] == "hello"
        assert [next(found)[1]["path"] for _ in range(2)] == [logs[3]["path"], "each[3]"]


def test_logs_that_take_many_looks_are_told_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look after the other, without a pause."""
    monkeypatch.setattr(topics, "_MOST_LOGS", 1)
    ran_items(served, "r")
    assert told_logs(served, "topic=logs:r") == [f"{n} is seen\n" for n in range(4)]


def test_no_log_is_lost_where_the_store_is_away_for_a_moment(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as for another topic, after the logs were read; it is asked again after a while."""
    monkeypatch.setattr(topics, "_MOST_LOGS", 1)
    monkeypatch.setattr(looks, "_FRESH_S", 0.0)  # so each look asks the store
    ran_items(served, "r")
    waits_open, are_away = served.store.waits_open, iter([False, True, True])
    await_change, acts = Watch.await_change, list[str]()

    async def waits(watch: Watch, *given: Any) -> Heads:
        acts.append("wait")
        return await await_change(watch, *given)

    def sometimes(**given: Any) -> Any:
        acts.append("look")
        if next(are_away, False):
            raise StoreError("away")
        return waits_open(**given)

    monkeypatch.setattr(Watch, "await_change", waits)
    monkeypatch.setattr(served.store, "waits_open", sometimes)
    told = told_logs(served, "topic=logs:r&topic=waits")
    assert told == [f"{n} is seen\n" for n in range(4)]
    assert next(are_away, None) is None
    assert acts[:6] == ["look", "look", "wait", "look", "wait", "look"]


def told_logs(served: Served, query: str) -> list[str]:
    """The texts of the first four logs that a stream tells, sorted."""
    with streaming(served, query) as found:
        return sorted(next(data["text"] for kind, data in found if kind == "log") for _ in range(4))


def test_open_questions_and_triggers_are_told(served: Served, monkeypatch) -> None:
    """They change with no run that one could name, so they are looked at from time to time."""
    monkeypatch.setattr(events, "_LOOK_S", 0.05)
    with streaming(served, "topic=waits&topic=triggers") as found:
        assert [next(found)[0], next(found), next(found)] == [
            "hello",
            ("waits", {"waits": []}),
            ("triggers", {"triggers": []}),
        ]
        (served.folder / "asks.yaml").write_text(
            "name: asks\ntasks: [{name: ask, action: core.ask, input: {prompt: Go on?}}]\n"
        )
        store = str(served.folder / "runs.db")
        fanwise.run(str(served.folder / "asks.yaml"), run_id="q", store=store)
        kind, data = next(found)
        assert (kind, [each["path"] for each in data["waits"]]) == ("waits", ["ask"])


def test_topics_tell_of_no_run_that_is_hidden(served: Served) -> None:
    """Nor of its tasks, logs and questions."""
    ran_items(served, "r")
    token = str(new_token_text(served.store, "other", Role.READ, workflows=["other"]))
    with streaming(served, "topic=task:r/each&topic=logs:r&topic=waits", token) as found:
        assert [next(found) for _ in range(4)][1:] == [
            ("gone", {"run_id": "r"}),
            ("gone", {"run_id": "r"}),
            ("waits", {"waits": []}),
        ]
