"""Runs are started, paused, resumed, cancelled, retried and deleted over the API.

An engine in this process takes what the server has left for engines, as `fanwise work` does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import fanwise
from fanwise.engine.taking import Takings
from fanwise.model import Claim, Role, RunRecord
from fanwise.ports import Observer
from fanwise.server import project_views
from fanwise.server.token_making import new_token_text
from fanwise.telemetry.traces.spans import run_spans
from fanwise.wiring import open_taking, read_settings
from tests.server.served import Reply, Served, decoded, serving

FLOW = """\
name: check
on: {nightly: {schedule: {cron: "0 2 * * *", timezone: UTC}, parameters: {ok: true}}}
parameters:
  ok: {type: boolean, default: true}
  token: {secret: true}
tasks:
  - {name: first, action: core.echo, input: {value: "{{ parameters.ok }}"}}
  - {name: second, action: core.shell, needs: [first], input: {command: [test, -e, "flag"]}}
output: "{{ task.first.output.value }}"
"""
ASKS = """\
name: asks
tasks: [{name: ask, action: core.ask, input: {prompt: Go on?, options: [approve, reject]}}]
output: "{{ task.ask.output.choice }}"
"""
ASKS_SOME = """\
name: asks_some
tasks:
  - {name: a, action: core.ask, needs: [], timeout: 1h, input: {prompt: "?", who: [run]}}
  - {name: b, action: core.ask, needs: [], timeout: 1h, input: {prompt: "?", not-starter: true}}
"""
TRACED = """\
name: traced
tasks:
  - {name: told, action: core.shell, input: {command: [sh, -c, "printf $TRACEPARENT"]}}
"""
MANY = """\
name: many
tasks:
  - {name: a, with-items: {range: 9}, action: core.echo, input: {value: "{{ item }}"}}
output: "{{ task.a.output }}"
"""
PACK = """\
from pathlib import Path

Path(__file__).with_name("imported").touch()
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "check.yaml").write_text(FLOW)
    (tmp_path / "asks.yaml").write_text(ASKS)
    (tmp_path / "asks_some.yaml").write_text(ASKS_SOME)
    (tmp_path / "traced.yaml").write_text(TRACED)
    (tmp_path / "many.yaml").write_text(MANY)
    (tmp_path / "actions.py").write_text(PACK)
    with serving(tmp_path) as made:
        yield made


class _Ends(Takings):
    def __init__(self) -> None:
        self.one = threading.Semaphore(0)

    def observe(self, claim: Claim) -> Observer:
        ends = self

        class Ended(Observer):
            def run_ended(self, run: fanwise.Run) -> None:
                ends.one.release()

        return Ended()


@contextmanager
def working(served: Served) -> Iterator[None]:
    """A block at the end of which one run that waits for an engine has been taken to its end."""
    ends, loops = _Ends(), []
    settings = read_settings(
        store=str(served.folder / "runs.db"), environment={"HOME": str(served.folder)}
    )
    ready = threading.Event()

    async def work() -> None:
        with open_taking(settings, queues=["default"], takings=ends) as taking:
            loops.append((asyncio.get_running_loop(), taking))
            ready.set()
            await taking.work()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    ready.wait()
    try:
        yield
        assert ends.one.acquire(timeout=60)
    finally:
        ((loop, taking),) = loops
        loop.call_soon_threadsafe(taking.stop)
        thread.join()


def run_of(served: Served, run_id: str) -> RunRecord:
    found = served.store.run(run_id)
    assert found is not None
    return found


def start(served: Served, body: dict[str, Any], **options: Any) -> Reply:
    return served.post("/api/v1/runs", body, **options)


def test_a_run_is_started_and_an_engine_takes_it(served: Served) -> None:
    """It has its parameters, tags and id; this process has imported nothing of the author's."""
    (served.folder / "flag").touch()
    asked = {"workflow": "check", "parameters": {"ok": False}, "tags": ["eu"], "run_id": "mine"}
    reply = start(served, asked, token="run")
    started = decoded(reply, project_views.StartedRun)
    assert started == {"run_id": "mine", "is_new": True, "skipped": None}
    assert reply.headers["Location"] == "/api/v1/runs/mine"
    assert not (served.folder / "imported").exists()
    assert served.ask("/api/v1/runs/mine").json["status"] == "pending"
    with working(served):
        pass
    run = served.ask("/api/v1/runs/mine").json
    assert (run["status"], run["output"], run["tags"]) == ("succeeded", False, ["eu"])
    assert run_of(served, "mine").origin.actions
    assert start(served, asked).code == "run-exists"


def test_a_start_can_be_checked_first(served: Served) -> None:
    """Nothing is made."""
    body = {"workflow": "check", "parameters": {"ok": False}}
    checked = decoded(served.post("/api/v1/runs/check", body), project_views.CheckedRun)
    assert checked == {"workflow": "check", "parameters": {"ok": False, "token": None}}
    assert served.ask("/api/v1/runs").json["runs"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"workflow": "../check.yaml"}, "unknown-workflow"),
        ({"workflow": "check", "parameters": {"ok": "maybe"}}, "bad-parameter"),
        ({"workflow": "check", "parameters": {"more": 1}}, "bad-parameter"),
        ({"workflow": "check", "parameters": {"token": "hunter2"}}, "bad-parameter"),
        ({"workflow": "check", "run_id": "../x"}, "usage"),
        ({"workflow": "check", "tags": ["a b"]}, "usage"),
        ({"workflow": "check", "like": "nobody"}, "not-found"),
        ({"workflow": "check", "definition": "tasks: []"}, "bad-request"),
        ({}, "bad-request"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(served: Served, body: Any, code: str) -> None:
    """And makes nothing; no value is told, and no definition is taken from outside."""
    reply = start(served, body)
    assert reply.code == code
    assert b"hunter2" not in reply.body
    assert served.ask("/api/v1/runs").json["runs"] == []


def test_a_run_is_started_like_another_one(served: Served) -> None:
    """With what is given anew in the place of its parameters."""
    start(served, {"workflow": "check", "parameters": {"ok": False}, "run_id": "a"})
    start(served, {"workflow": "check", "like": "a", "run_id": "b"})
    start(served, {"workflow": "check", "like": "a", "parameters": {"ok": True}, "run_id": "c"})
    given = [served.ask(f"/api/v1/runs/{each}").json["parameters"]["ok"] for each in "abc"]
    assert given == [False, False, True]


def test_a_request_with_a_key_makes_one_run(served: Served) -> None:
    """However often and at once it is sent; another request or another token is apart."""
    key = {"Idempotency-Key": "order-7"}
    body = {"workflow": "check"}
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: start(served, body, headers=key), range(20)))
    assert {reply.status for reply in replies} == {202}
    assert len({reply.json["run_id"] for reply in replies}) == 1
    assert [reply.json["is_new"] for reply in replies].count(True) == 1
    replayed = [reply for reply in replies if reply.headers.get("Idempotent-Replayed") == "true"]
    assert len(replayed) == 19
    other = start(served, {"workflow": "check", "parameters": {"ok": False}}, headers=key)
    assert (other.status, other.code) == (422, "key-reused")
    assert start(served, body, headers=key, token="run").json["is_new"]
    assert start(served, body, headers={"Idempotency-Key": "x" * 101}).status == 400


def test_a_failed_run_is_retried(served: Served) -> None:
    """First it is told what would run again; then just that does, by the engine that takes it."""
    start(served, {"workflow": "check", "run_id": "a"})
    with working(served):
        pass
    assert served.ask("/api/v1/runs/a").json["status"] == "failed"
    told = decoded(served.ask("/api/v1/runs/a/retry"), project_views.RetryPlan)
    assert [(each["task"], each["is_kept"], each["reason"]) for each in told["tasks"]] == [
        ("first", True, None),
        ("second", False, "failed"),
    ]
    (served.folder / "flag").touch()
    asked = served.post("/api/v1/runs/a/retry", {})
    assert decoded(asked, project_views.ChangedRun)["asked"] == "retry"
    assert served.post("/api/v1/runs/a/retry", {}).code == "run-driven"
    with working(served):
        pass
    run = served.ask("/api/v1/runs/a").json
    assert run["status"] == "succeeded"
    visits = served.ask("/api/v1/runs/a/tasks").json["visits"]
    assert [(each["path"], each["visit"]) for each in visits] == [("first", 1), ("second", 1)]
    assert served.post("/api/v1/runs/a/retry", {}).code == "nothing-to-retry"
    assert served.post("/api/v1/runs/a/retry", {"from_task": "third"}).code == "task-not-found"
    assert served.post("/api/v1/runs/a/retry", {"from_task": "second"}).status == 202
    with working(served):
        pass
    visits = served.ask("/api/v1/runs/a/tasks").json["visits"]
    assert [(each["path"], each["visit"]) for each in visits][-1:] == [("second", 2)]


def test_a_run_that_waits_is_cancelled_at_once(served: Served) -> None:
    """No engine is needed, and none takes it."""
    start(served, {"workflow": "check", "run_id": "a"})
    assert served.post("/api/v1/runs/a/pause", {}).code == "run-not-driven"
    assert served.post("/api/v1/runs/a/resume", {}).code == "run-driven"
    asked = decoded(served.post("/api/v1/runs/a/cancel", {}), project_views.ChangedRun)
    assert asked == {"run_id": "a", "status": "cancelled", "asked": "cancel"}
    assert served.post("/api/v1/runs/a/cancel", {}).code == "run-over"
    assert served.post("/api/v1/runs/a/resume", {}).code == "run-over"


def test_a_question_is_answered_once(served: Served) -> None:
    """Of two answers at once one counts, and the other one is told so."""
    start(served, {"workflow": "asks", "run_id": "a"})
    with working(served):
        pass
    (wait,) = decoded(served.ask("/api/v1/waits"), project_views.WaitList)["waits"]
    assert (wait["run_id"], wait["path"], wait["question"]["prompt"]) == ("a", "ask", "Go on?")
    path = "/api/v1/runs/a/answers"
    assert served.post(path, {"path": "ask", "choice": "maybe"}).code == "bad-parameter"
    assert served.post(path, {"path": "none", "choice": "approve"}).code == "wait-not-found"
    for name in ("\0", " ", "a" * 201):
        assert served.post(path, {"path": "ask", "choice": "approve", "by": name}).code == "usage"
    with ThreadPoolExecutor(2) as threads:
        replies = list(
            threads.map(
                lambda choice: served.post(path, {"path": "ask", "choice": choice}),
                ["approve", "reject"],
            )
        )
    assert sorted(reply.status for reply in replies) == [200, 409]
    (counts,) = [reply for reply in replies if reply.status == 200]
    answered = decoded(counts, project_views.AnsweredView)
    (late,) = [reply for reply in replies if reply.status == 409]
    assert late.code == "wait-settled"
    assert "admin" in late.json["detail"]
    with working(served):
        pass
    assert served.ask("/api/v1/runs/a").json["output"] == answered["answer"]["choice"]


def test_an_answer_before_its_question_is_kept(served: Served) -> None:
    """A run that no engine has taken yet asks it, and goes on with the answer at once."""
    start(served, {"workflow": "asks", "run_id": "a"})
    path = "/api/v1/runs/a/answers"
    assert served.post(path, {"path": "none", "choice": "approve"}).code == "wait-not-found"
    assert served.post(path, {"path": "ask", "choice": "maybe"}).code == "bad-parameter"
    kept = decoded(
        served.post(path, {"path": "ask", "choice": "reject"}), project_views.AnsweredView
    )
    assert kept == {"run_id": "a", "path": "ask", "by": "admin", "at": None, "answer": None}
    with working(served):
        pass
    assert served.ask("/api/v1/runs/a").json["output"] == "reject"


def test_a_parked_run_is_cancelled_by_the_next_engine(served: Served) -> None:
    """A run that nobody drives waits for one, with the order."""
    start(served, {"workflow": "asks", "run_id": "a"})
    with working(served):
        pass
    assert served.ask("/api/v1/runs/a").json["status"] == "waiting"
    asked = served.post("/api/v1/runs/a/cancel", {})
    assert asked.json == {"run_id": "a", "status": "pending", "asked": "cancel"}
    with working(served):
        pass
    assert served.ask("/api/v1/runs/a").json["status"] == "cancelled"


def test_a_run_of_the_command_line_is_retried_unless_it_has_secrets(served: Served) -> None:
    """Secret parameters aren't recorded, so no engine could know them."""
    store, file = str(served.folder / "runs.db"), str(served.folder / "check.yaml")
    fanwise.run(file, {"token": "hunter2"}, run_id="hidden", store=store)
    fanwise.run(file, run_id="plain", store=store)
    reply = served.post("/api/v1/runs/hidden/retry", {})
    assert (reply.status, reply.code) == (422, "bad-parameter")
    (served.folder / "flag").touch()
    assert served.post("/api/v1/runs/plain/retry", {}).status == 202
    with working(served):
        pass
    assert served.ask("/api/v1/runs/plain").json["status"] == "succeeded"


def test_a_run_is_deleted_with_all_of_it(served: Served) -> None:
    """Once it is over, by an administrator."""
    start(served, {"workflow": "check", "run_id": "a"})
    assert served.ask("/api/v1/runs/a", method="DELETE").code == "run-not-over"
    served.post("/api/v1/runs/a/cancel", {})
    assert served.ask("/api/v1/runs/a", method="DELETE", token="run").status == 403
    assert served.ask("/api/v1/runs/a", method="DELETE").status == 204
    assert served.ask("/api/v1/runs/a").code == "run-not-found"


def test_a_trigger_is_fired_paused_and_resumed(served: Served) -> None:
    """As from the command line."""
    path = "/api/v1/triggers/check/nightly"
    shown = decoded(served.ask(path), project_views.TriggerView)
    assert (shown["kind"], shown["paused_at"]) == ("schedule", None)
    assert shown["next"].endswith("T02:00:00Z")
    paused = served.post(f"{path}/pause", {"note": "moving"}).json
    assert (paused["note"], paused["next"]) == ("moving", None)
    fired = decoded(served.post(f"{path}/fire", {}, token="run"), project_views.FiredView)
    (run_id,) = fired["runs"]
    assert run_of(served, run_id).origin.trigger["by"] == "run"
    (fire,) = decoded(served.ask(f"{path}/fires"), project_views.FireList)["fires"]
    assert (fire["run_id"], fire["status"]) == (run_id, "ran")
    assert served.post(f"{path}/resume", {}).json["paused_at"] is None
    span = {"start": "2026-03-01", "end": "2026-03-03", "check": True}
    checked = decoded(served.post(f"{path}/backfill", span), project_views.InstantsView)
    assert checked["instants"] == ["2026-03-01T02:00:00Z", "2026-03-02T02:00:00Z"]
    made = served.post(f"{path}/backfill", {**span, "check": False}).json
    assert len(made["runs"]) == 2
    assert served.post(f"{path}/backfill", {**span, "check": False}).json["runs"] == []
    for body in ({"start": "x", "end": "y"}, {"start": "2026-03-01", "end": "2999-01-01"}):
        assert served.post(f"{path}/backfill", body).code == "usage"
    assert served.post("/api/v1/triggers/check/other/fire", {}).status == 404


@pytest.mark.parametrize("field", ["name", "key", "by"])
def test_a_signal_with_a_text_that_no_store_keeps_is_refused(served: Served, field: str) -> None:
    """It is told as what it is, and not as a fault of the store."""
    start(served, {"workflow": "asks", "run_id": "a"})
    for text in ("\0", "a" * 201):
        refused = served.post("/api/v1/runs/a/signals", {"name": "x", field: text})
        assert (refused.status, refused.code) == (400, "usage")


def test_a_token_of_some_workflows_changes_no_others(served: Served) -> None:
    """What it may not see it can't start, retry, answer or fire."""
    token = str(new_token_text(served.store, "asks", Role.ADMIN, workflows=["asks"]))
    start(served, {"workflow": "check", "run_id": "a"})
    for path, body in {
        "/api/v1/runs/a/cancel": {},
        "/api/v1/runs/a/retry": {},
        "/api/v1/runs/a/answers": {"path": "ask"},
        "/api/v1/runs/a/signals": {"name": "x"},
        "/api/v1/triggers/check/nightly/fire": {},
        "/api/v1/runs": {"workflow": "check"},
    }.items():
        assert served.post(path, body, token=token).status == 404, path
    assert start(served, {"workflow": "asks", "like": "a"}, token=token).status == 404
    assert served.ask("/api/v1/runs/a", method="DELETE", token=token).status == 404
    assert start(served, {"workflow": "asks"}, token=token).status == 202


def test_a_question_is_for_those_whom_it_names_and_not_for_who_has_started_the_run(
    served: Served,
) -> None:
    """Over HTTP names are those of tokens, whatever name an answer gives beside."""
    start(served, {"workflow": "asks_some", "run_id": "r"})
    with working(served):
        pass
    path = "/api/v1/runs/r/answers"
    for body in (
        {"path": "a"},
        {"path": "b"},
        {"path": "a", "by": "run"},
        {"path": "b", "by": "x"},
    ):
        refused = served.post(path, {"choice": "approve", **body})
        assert (refused.status, refused.code) == (403, "not-asked")
    for place in ("a", "b"):
        body = {"path": place, "choice": "approve"}
        assert served.post(path, body, token="run").status == 200


def test_a_run_goes_on_with_the_trace_of_its_request(served: Served) -> None:
    """By W3C's header, also once an engine has taken it; one that names no span is overlooked."""
    span = f"00-{7:032x}-{9:016x}-01"
    for run_id, header in (("a", span), ("b", "00-0-0-0"), ("c", f"00-{0:032x}-{9:016x}-01")):
        asked = {"workflow": "asks", "run_id": run_id}
        assert start(served, asked, headers={"traceparent": header}).status == 202
    assert [run_of(served, each).origin.traceparent for each in "abc"] == [span, "", ""]
    first, *others = (next(run_spans(served.store, run_of(served, each))) for each in "abc")
    assert (first.trace, first.parent, first.links) == (7, 9, ())
    assert [(each.parent, each.links) for each in others] == [(None, ()), (None, ())]
    with working(served):
        pass
    assert [run_of(served, each).origin.traceparent for each in "abc"] == [span, "", ""]


def test_actions_of_a_run_go_on_with_the_trace_of_its_request(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry has a trace of its own, and leads back."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    header = {"traceparent": f"00-{7:032x}-{9:016x}-01"}
    start(served, {"workflow": "traced", "run_id": "a"}, headers=header)
    with working(served):
        pass
    run = run_of(served, "a")
    root, task = run_spans(served.store, run)
    assert (root.trace, task.trace, task.parent) == (7, 7, root.id)
    (visit,) = served.ask("/api/v1/runs/a/tasks?outputs=true").json["visits"]
    assert visit["output"]["stdout"] == f"00-{7:032x}-{task.id:016x}-01"
    served.post("/api/v1/runs/a/retry", {"from_task": "told"})
    with working(served):
        pass
    again = next(run_spans(served.store, run_of(served, "a")))
    assert (again.trace == 7, again.parent, again.links) == (False, None, ((7, root.id),))


def test_a_run_is_tried_with_the_first_items(served: Served) -> None:
    """As many of each fan-out as the request says."""
    for items in (0, 10**10, "some"):
        assert start(served, {"workflow": "many", "items": items}).code == "bad-request"
    key = {"Idempotency-Key": "k"}
    asked = {"workflow": "many", "items": 2}
    run_id = start(served, asked, headers=key).json["run_id"]
    assert start(served, {**asked, "items": 3}, headers=key).code == "key-reused"
    with working(served):
        pass
    assert served.ask(f"/api/v1/runs/{run_id}").json["output"] == [{"value": 0}, {"value": 1}]
