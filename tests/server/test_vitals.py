"""The state of a server for other programs: metrics, readiness, and lines about requests."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from fanwise.errors import StoreError
from fanwise.server.readiness import Readiness
from fanwise.service.clock import TriggerClock
from fanwise.telemetry.serving import ServerCounts
from fanwise.testing.stores import MemoryStore
from tests.server.served import Served, serving


def test_metrics_need_a_token_and_have_no_paths(served: Served):
    """Only routes: a path that somebody makes up is no label."""
    assert served.ask("/metrics", token=None).status == 401
    served.ask("/made/up?query=secret")
    served.ask("/api/v1/version")
    answer = served.ask("/metrics", token="read")
    assert answer.headers["Content-Type"].startswith("text/plain")
    text = answer.body.decode()
    for line in (
        'fanwise_http_requests_total{method="GET",route="none",status="404"} 1.0',
        'fanwise_http_requests_total{method="GET",route="/api/v1/version",status="200"} 1.0',
        'fanwise_http_requests_total{method="GET",route="/metrics",status="401"} 1.0',
        'fanwise_http_seconds_count{route="/api/v1/version"} 1.0',
        "fanwise_engines 0.0",
        "fanwise_workers 0.0",
        "fanwise_runs_ready 0.0",
    ):
        assert line in text
    assert "made" not in text
    assert "secret" not in text


def test_an_answer_is_a_line_without_its_query(tmp_path: Path):
    """With the route, the path, and the id that the answer has."""
    told = []

    def take(event: str, **fields: object) -> None:
        told.append({"event": event, **fields})

    with serving(tmp_path, access_log=take) as served:
        answer = served.ask("/api/v1/version?token=secret")
    (line,) = told
    assert line["event"] == "request"
    assert line["path"] == line["route"] == "/api/v1/version"
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert "secret" not in str(line)


def test_a_server_that_can_serve_says_so_to_all(served: Served):
    """A supervisor has no token, and may ask by an address that the server has no name for."""
    for host in (served.host, "10.1.2.3:8420"):
        answer = served.ask("/readyz", token=None, headers={"Host": host})
        assert (answer.status, answer.json) == (200, {"ready": True})
    assert served.ask("/x-readyz", token=None).status == 404


def test_a_server_whose_clock_goes_is_healthy(served: Served, monkeypatch):
    """A minute without a look is too long: its triggers don't fire any more."""
    answer = served.ask("/healthz", token=None, headers={"Host": "10.1.2.3:8420"})
    assert (answer.status, answer.json) == (200, {"healthy": True})
    monkeypatch.setattr(TriggerClock, "silent_s", 61.0)
    answer = served.ask("/healthz", token=None)
    assert (answer.status, answer.json) == (503, {"healthy": False})


class Asked(MemoryStore):
    """A store that answers as it is told."""

    def __init__(self, answer: bool | Exception | threading.Event) -> None:
        super().__init__()
        self.asked = 0
        self.answer = answer

    @property
    def place(self) -> str:
        return "memory"

    def is_current(self) -> bool:
        self.asked += 1
        if isinstance(self.answer, threading.Event):
            self.answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return bool(self.answer)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(True, None), (False, "revision"), (StoreError("gone"), "store")],
)
def test_what_keeps_a_server_from_serving_is_one_word(answer, reason: str | None):
    """The reason says no more than which part it is."""
    state = asyncio.run(Readiness().ask(Asked(answer), ServerCounts()))
    assert (state.ready, state.reason) == (reason is None, reason)


def test_a_store_that_does_not_answer_is_asked_once_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """However often somebody wants to know; the threads would run out."""
    monkeypatch.setattr("fanwise.server.readiness._STORE_S", 0.01)
    store = Asked(threading.Event())

    async def ask() -> list[str | None]:
        readiness = Readiness()
        states = [await readiness.ask(store, ServerCounts()) for _ in range(3)]
        store.answer.set()
        return [state.reason for state in states]

    assert asyncio.run(ask()) == ["store"] * 3
    assert store.asked == 1


def test_a_server_that_is_to_have_processes_waits_for_one():
    """A balancer sends no work to a server that has none to do it."""
    counts = ServerCounts(needs_workers=True)
    assert asyncio.run(Readiness().ask(Asked(True), counts)).reason == "workers"
