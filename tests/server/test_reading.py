"""Reading runs, tasks, items and logs over the API: what was recorded, page by page."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

import fanwise
from fanwise.model import Role, Status
from fanwise.server import project_views, views
from fanwise.server.page.views import home
from fanwise.server.token_making import new_token_text
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_run, a_task, an_event, an_item
from fanwise.values import encode
from tests.server.served import Served, decoded, serving

FLOW = """\
name: monitor
description: Looks at hosts.
parameters:
  hosts: {type: array, default: []}
  token: {secret: true}
tasks:
  - name: check
    with-items: "{{ parameters.hosts }}"
    label: "{{ item.name }}"
    action: core.shell
    input: {command: [sh, -c, "echo {{ item.name }} is seen; exit {{ item.status }}"]}
    on-item-error: continue
  - name: report
    needs: [check]
    action: core.echo
    input: {value: "<img src=x onerror=alert(1)>"}
output: "{{ task.report.output.value }}"
"""
OTHER = "name: other\ntasks: [{name: a, action: core.echo, input: {value: 1}}]\n"
HOSTS = [{"name": f"host-{n}", "status": 3 if n in (4, 7) else 0} for n in range(10)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a store with three runs."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "monitor.yaml").write_text(FLOW)
    (folder / "other.yaml").write_text(OTHER)
    store = str(folder / "runs.db")
    given = {"hosts": HOSTS, "token": "hunter2-canary"}
    fanwise.run(str(folder / "monitor.yaml"), given, run_id="first", tags=["nightly"], store=store)
    fanwise.run(str(folder / "other.yaml"), run_id="second", store=store)
    fanwise.run(str(folder / "monitor.yaml"), run_id="third", store=store)
    with serving(folder, store) as made:
        yield made


def test_runs_are_listed_the_newest_first(served: Served) -> None:
    """And found by each of the conditions."""
    listed = decoded(served.ask("/api/v1/runs"), views.RunList)
    assert [each["run_id"] for each in listed["runs"]] == ["third", "second", "first"]
    assert listed["next"] is None
    for query, expected in {
        "status=failed": ["first"],
        "status=failed&status=succeeded": ["third", "second", "first"],
        "status=running": [],
        "status=interrupted": [],
        "workflow=other": ["second"],
        "workflow=other&workflow=monitor&limit=200": ["third", "second", "first"],
        "tag=nightly": ["first"],
        "since=1h": ["third", "second", "first"],
        "since=2100-01-01": [],
        "until=1h": [],
        "text=SECO": ["second"],
        "text=ItemsFailed": ["first"],
    }.items():
        found = served.ask(f"/api/v1/runs?{query}")
        assert [each["run_id"] for each in found.json["runs"]] == expected, query


def test_runs_are_read_page_by_page(served: Served) -> None:
    """A cursor leads on, under the same conditions alone."""
    first = served.ask("/api/v1/runs?limit=2&since=1h").json
    assert [each["run_id"] for each in first["runs"]] == ["third", "second"]
    rest = served.ask(f"/api/v1/runs?limit=1&since=1h&cursor={first['next']}").json
    assert [each["run_id"] for each in rest["runs"]] == ["first"]
    assert rest["next"] is None
    for query in (f"since=2h&cursor={first['next']}", "cursor=forged", "cursor=%00", "cursor=WzFd"):
        assert served.ask(f"/api/v1/runs?{query}").code == "bad-cursor"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "status=lost",
        "since=soon",
        "until=",
        "more=1",
        "text=a&text=b",
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(served: Served, query: str) -> None:
    """By its name."""
    reply = served.ask(f"/api/v1/runs?{query}")
    assert (reply.status, reply.code) == (400, "bad-request")
    assert query.partition("=")[0] in reply.json["detail"]


def test_runs_are_counted_by_status(served: Served) -> None:
    """Under the same conditions."""
    counted = decoded(served.ask("/api/v1/runs/counts"), views.RunCounts)
    assert counted == {"counts": {"succeeded": 2, "failed": 1}, "is_capped": False}
    assert served.ask("/api/v1/runs/counts?workflow=other").json["counts"] == {"succeeded": 1}


def test_a_run_is_told_with_its_tasks(served: Served) -> None:
    """Secrets are told nowhere; outputs of tasks are asked for by themselves."""
    reply = served.ask("/api/v1/runs/first")
    run = decoded(reply, views.RunView)
    assert (run["status"], run["workflow"], run["tags"]) == ("failed", "monitor", ["nightly"])
    assert run["parameters"]["token"] is None
    assert run["tasks"]["check"]["items"] == {
        "total": 10,
        "done": 10,
        "succeeded": 8,
        "failed": 2,
    }
    assert "output" not in run["tasks"]["report"]
    assert run["driver"] is None
    assert run["timing"] is None
    timed = decoded(served.ask("/api/v1/runs/first?timing=true"), views.RunView)["timing"]
    assert set(timed["tasks"]) <= set(run["tasks"])
    for path in ("", "/definition", "/tasks", "/logs", "/events", "/export", "/tasks/check/items"):
        assert b"hunter2-canary" not in served.ask(f"/api/v1/runs/first{path}").body


def test_the_definition_of_a_run_is_told(served: Served) -> None:
    """As it was when the run started."""
    found = decoded(served.ask("/api/v1/runs/first/definition"), views.Definition)
    assert found["files"] == [{"file": str(served.folder / "monitor.yaml"), "text": FLOW}]


def test_what_isnt_there_is_told_with_a_suggestion(served: Served) -> None:
    """And with the code of the error."""
    assert served.ask("/api/v1/runs/firts").code == "run-not-found"
    assert "first" in served.ask("/api/v1/runs/firts").json["hint"]
    assert served.ask("/api/v1/runs/first/tasks/chekc").code == "task-not-found"
    for path in (
        "first/tasks/check/items/10",
        "first/tasks/check/items/-1",
        "first/tasks/check/items/99999999999999999999",
        "first/tasks/check/items/x",
        "first/tasks/check/items/4/output",
    ):
        assert served.ask(f"/api/v1/runs/{path}").code == "not-found"
    for name in ("%27%3B--", "..%2f..%2fetc", "a" * 3_000, "%00", "%ff"):
        assert served.ask(f"/api/v1/runs/{name}").status in (400, 404)


def test_visits_are_told(served: Served) -> None:
    """With the output of each apart."""
    visits = decoded(served.ask("/api/v1/runs/first/tasks"), views.VisitList)["visits"]
    assert (visits[0]["path"], visits[0]["status"]) == ("check", "failed")
    one = decoded(served.ask("/api/v1/runs/third/tasks/report"), views.VisitView)
    assert (one["status"], one["has_items"]) == ("succeeded", False)


def test_raw_outputs_are_never_run_by_a_browser(served: Served) -> None:
    """They are to be saved, in a sandbox, whatever they hold."""
    reply = served.ask("/api/v1/runs/third/tasks/report/output")
    assert reply.json == {"value": "<img src=x onerror=alert(1)>"}
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in reply.headers["Content-Security-Policy"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert served.ask("/api/v1/runs/first/tasks/check/output").code == "usage"


def test_items_are_found_by_conditions(served: Served) -> None:
    """In the order of their indexes, page by page."""
    path = "/api/v1/runs/first/tasks/check/items"
    found = decoded(served.ask(f"{path}?limit=4"), views.ItemList)
    assert [each["index"] for each in found["items"]] == [0, 1, 2, 3]
    assert found["items"][0]["output"]["stdout"] == "host-0 is seen\n"
    rest = served.ask(f"{path}?limit=10&cursor={found['next']}").json
    assert [each["index"] for each in rest["items"]] == [4, 5, 6, 7, 8, 9]
    assert rest["next"] is None
    for query, expected in {
        "status=failed": [4, 7],
        "error=ShellFailed": [],
        "label=host-3": [3],
        "slower_s=1000": [],
        "after=7": [8, 9],
        "after=2&until=4": [3, 4],
        "status=failed&after=4": [7],
        "index=7": [7],
        "index=6-&index=2-3&index=3": [2, 3, 6, 7, 8, 9],
        "index=3-8&status=failed&after=4": [7],
        "index=3-&until=5": [3, 4, 5],
        "index=8&until=5": [],
    }.items():
        reply = served.ask(f"{path}?{query}")
        assert [each["index"] for each in reply.json["items"]] == expected, query
    first = served.ask(f"{path}?index=1&index=4-&limit=2").json
    following = served.ask(f"{path}?index=1&index=4-&limit=2&cursor={first['next']}").json
    assert [each["index"] for each in first["items"] + following["items"]] == [1, 4, 5, 6]
    saved = served.ask(f"{path}.jsonl?index=8-").body.splitlines()
    assert [json.loads(line)["index"] for line in saved] == [8, 9]
    assert served.ask(f"{path}?index=-1").code == "usage"
    failed = decoded(served.ask(f"{path}/4"), views.ItemView)
    assert (failed["label"], failed["status"]) == ("host-4", "failed")
    assert failed["error"]["type"]
    assert served.ask("/api/v1/runs/first/tasks/report/items").code == "usage"


def test_a_long_output_is_cut_in_lists(tmp_path) -> None:
    """And whole where it is asked for."""
    (tmp_path / "long.yaml").write_text(
        "name: long\ntasks: [{name: a, with-items: [1], action: core.echo,"
        " input: {value: \"{{ 'x' * 9000 }}\"}}]\n"
    )
    store = str(tmp_path / "runs.db")
    fanwise.run(str(tmp_path / "long.yaml"), run_id="long", store=store)
    with serving(tmp_path, store) as served:
        path = "/api/v1/runs/long/tasks/a/items"
        (item,) = decoded(served.ask(path), views.ItemList)["items"]
        assert item["output"] is None
        assert item["output_begins"].startswith('{"value":"xxx')
        assert len(item["output_begins"]) == 2_048
        assert served.ask(f"{path}/0").json["output"] == {"value": "x" * 9_000}
        assert served.ask(f"{path}/0/output").json == {"value": "x" * 9_000}


def test_errors_are_told_by_their_kinds(served: Served) -> None:
    """With the first of each."""
    found = decoded(served.ask("/api/v1/runs/first/tasks/check/kinds"), views.KindList)
    assert (found["failed"], found["others"]) == (2, 0)
    assert (found["kinds"][0]["count"], found["kinds"][0]["index"]) == (2, 4)


def test_items_are_saved_as_files(served: Served) -> None:
    """As CSV and as lines of JSON, under the conditions."""
    path = "/api/v1/runs/first/tasks/check"
    reply = served.ask(f"{path}/items.csv?status=failed")
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert [row["index"] for row in rows] == ["4", "7"]
    assert reply.headers["Content-Type"].startswith("text/csv")
    lines = served.ask(f"{path}/items.jsonl").body.splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(10))
    logs = served.ask("/api/v1/runs/first/logs.txt").body.decode()
    exported = served.ask("/api/v1/runs/first/export").body.splitlines()
    assert json.loads(exported[0])["kind"] == "run"
    assert {json.loads(line)["kind"] for line in exported} >= {"run", "visit", "event", "item"}
    assert isinstance(logs, str)


def test_a_ticket_downloads_a_file_once(served: Served) -> None:
    """That file alone."""
    target = "/api/v1/runs/first/tasks/check/items.csv?status=failed"
    link = served.post("/api/v1/tickets", {"path": target}, token="read").json["path"]
    other = served.post("/api/v1/tickets", {"path": target}, token="read").json["path"]
    assert served.ask(other.replace("check", "report"), token=None).status == 401
    reply = served.ask(link, token=None)
    assert (reply.status, reply.body.count(b"\n")) == (200, 3)
    assert served.ask(link, token=None).status == 401
    me = served.post("/api/v1/tickets", {"path": "/api/v1/me"}, token="read").json["path"]
    assert served.ask(me, token=None).status == 401


def test_events_are_read_page_by_page(served: Served) -> None:
    """In their order."""
    first = decoded(served.ask("/api/v1/runs/first/events?limit=2"), views.EventList)
    rest = served.ask(f"/api/v1/runs/first/events?cursor={first['next']}").json
    numbers = [each["seq"] for each in [*first["events"], *rest["events"]]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert first["events"][0]["kind"] == "RunStarted"


def test_logs_are_followed_by_their_cursor(served: Served) -> None:
    """Asking again from the end gives nothing, and the same cursor."""
    found = decoded(served.ask("/api/v1/runs/first/logs?limit=200"), views.LogList)
    again = served.ask(f"/api/v1/runs/first/logs?limit=200&cursor={found['next']}").json
    assert again == {"logs": [], "next": found["next"]}


def test_logs_are_found_by_a_text_and_from_their_end(served: Served) -> None:
    """In the order in which they came; following goes on behind the last of all logs."""
    path = "/api/v1/runs/first/logs"
    texts = [each["text"] for each in served.ask(path).json["logs"]]

    def found(query: str) -> list[str]:
        listed = decoded(served.ask(f"{path}?{query}"), views.LogList)
        return [each["text"] for each in listed["logs"]]

    assert found("tail=3") == texts[-3:]
    assert found("tail=200") == texts
    some = [text for text in texts if "host-3" in text]
    assert some
    assert found("contains=HOST-3") == some
    assert found("contains=host-&tail=2") == [each for each in texts if "host-" in each][-2:]
    assert found("contains=nothing") == []
    assert found("under=check[3]&tail=5") == some
    last = served.ask(f"{path}?tail=1").json["next"]
    assert served.ask(f"{path}?tail=1&cursor={last}").json == {"logs": [], "next": last}


def test_a_token_of_some_workflows_sees_no_others(served: Served) -> None:
    """In no list, by no name, in no count and in no suggestion."""
    token = str(new_token_text(served.store, "others", Role.ADMIN, workflows=["oth*"]))
    listed = served.ask("/api/v1/runs", token=token).json["runs"]
    assert [each["run_id"] for each in listed] == ["second"]
    assert served.ask("/api/v1/runs/counts", token=token).json["counts"] == {"succeeded": 1}
    workflows = served.ask("/api/v1/workflows", token=token).json["workflows"]
    assert [each["name"] for each in workflows] == ["other"]
    hidden = served.ask("/api/v1/runs/first", token=token)
    unknown = served.ask("/api/v1/runs/fourth", token=token)
    assert (hidden.status, hidden.code) == (unknown.status, unknown.code) == (404, "run-not-found")
    assert "first" not in served.ask("/api/v1/runs/firts", token=token).body.decode().replace(
        "firts", ""
    )
    assert served.ask("/api/v1/workflows/monitor", token=token).status == 404
    for path in ("/api/v1/engines", "/api/v1/limits"):
        assert served.ask(path, token=token).status == 403


def test_workflows_are_told_with_their_parameters(served: Served) -> None:
    """Those of the project that is served."""
    listed = decoded(served.ask("/api/v1/workflows"), project_views.WorkflowList)["workflows"]
    assert [each["name"] for each in listed] == ["monitor", "other"]
    assert listed[0]["parameters"]["token"]["secret"] is True
    one = decoded(served.ask("/api/v1/workflows/monitor"), project_views.WorkflowDetails)
    assert one["text"] == FLOW
    assert served.ask("/api/v1/workflows/unknown").code == "unknown-workflow"


def test_the_rest_is_told(served: Served) -> None:
    """Engines, limits and the store."""
    assert decoded(served.ask("/api/v1/engines"), project_views.EngineList)
    assert decoded(served.ask("/api/v1/limits"), project_views.LimitList)
    assert decoded(served.ask("/api/v1/store"), project_views.StoreView)["total_bytes"] > 0
    assert decoded(served.ask("/api/v1/waits"), project_views.WaitList) == {"waits": []}
    assert decoded(served.ask("/api/v1/triggers"), project_views.TriggerList)["triggers"] == []


def test_a_server_without_runs_says_how_to_make_one(tmp_path: Path) -> None:
    """At home and in the list of runs; a filter that leaves none says so instead."""
    with serving(tmp_path) as served:
        for path, words in (
            ("", "No runs yet."),
            ("runs", "No runs yet."),
            ("runs?q=status:failed", "No run matches these filters."),
        ):
            text = served.ask(f"/page/{path}").body.decode()
            assert words in text
            assert "Nothing needs you" not in text


def test_each_trigger_says_what_it_waits_for(tmp_path: Path) -> None:
    """Also one that has no times."""
    (tmp_path / "w.yaml").write_text(
        """
name: w
on:
  - {name: times, schedule: {cron: "30 2 * * *", timezone: Europe/Berlin}}
  - {name: events, event: orders.*}
  - {name: hook, webhook: {path: orders, secret: none}}
  - {name: files, file: {path: inbox, glob: "*.csv"}}
  - {name: runs, run: {workflow: [a, b], status: failed}}
  - {name: gone, missing: {event: alive, within: 5m}}
tasks: [{name: a, action: core.noop}]
"""
    )
    with serving(tmp_path) as served:
        text = served.ask("/page/triggers").body.decode()
    rules = re.findall(r"<dt>Rule</dt><dd[^>]*>([^<]*)", text)
    assert rules == [
        "30 2 * * * in Europe/Berlin",
        "event orders.*",
        "POST /hooks/orders",
        "file inbox/*.csv",
        "run of a or b failed",
        "no alive within 5 min",
    ]


def test_pages_tell_the_time_for_which_a_run_was_driven(tmp_path: Path) -> None:
    """Not that between two processes: neither of what is over, nor of what goes on."""
    with serving(tmp_path) as served:
        store, now = served.store, time.time()
        begun = now - 1_000.0
        run_no = store.create_run(a_run("r", status=Status.RUNNING, started_at=begun))
        sessions = (("RunStarted", begun, 0.0), ("RunResumed", now - 30.0, 20.0))
        at_work = a_task(run_no, started_at=begun + 5.0)
        store.commit(
            [
                *(
                    an_event(run_no, seq, kind=kind, data=encode({"at": at, "since_s": since_s}))
                    for seq, (kind, at, since_s) in enumerate(sessions, 1)
                ),
                at_work,
            ]
        )
        engine_no = store.enroll(an_owner())
        store.acquire(run_no, engine_no)
        store.release(run_no, 1)
        store.acquire(run_no, engine_no, after=1)
        for path, driven in (("runs/r", 50.0), ("runs/r/tasks/task_1", 45.0)):
            (since,) = re.findall(r'For</dt><dd><time[^>]*data-at="([0-9.]+)"', page(served, path))
            assert now - float(since) == pytest.approx(driven, abs=5.0)
        store.commit([replace(at_work, status=Status.SUCCEEDED, ended_at=now)])
        assert "<dt>Took</dt><dd>45" in page(served, "runs/r/tasks/task_1")


def test_chips_count_runs_as_they_are_shown_and_only_those_that_one_may_see(tmp_path: Path) -> None:
    """One that no process drives is interrupted, whatever its record says."""
    with serving(tmp_path) as served:
        store = served.store
        for number, (workflow, status) in enumerate(
            [("a", Status.RUNNING), ("a", Status.FAILED), ("b", Status.FAILED)]
        ):
            store.create_run(a_run(f"r{number}", workflow=workflow, status=status))
        driven = store.create_run(a_run("driven", workflow="b", status=Status.RUNNING))
        store.acquire(driven, store.enroll(an_owner()))
        mine = str(new_token_text(store, "mine", Role.READ, workflows=("b",)))
        found = {
            token: dict(
                re.findall(r'>(\w+)<span class="muted num">(\d+)<', page(served, "runs", token))
            )
            for token in ("read", mine)
        }
    assert found["read"] == {"all": "4", "running": "1", "failed": "2", "interrupted": "1"}
    assert found[mine] == {"all": "2", "running": "1", "failed": "1"}


def test_the_last_bar_of_durations_says_that_it_has_the_longer_ones(tmp_path: Path) -> None:
    """Few very slow items would else make a bar at each end of an empty picture."""
    with serving(tmp_path) as served:
        run_no = served.store.create_run(a_run("r"))
        for visit_no, longest_s in ((1, 0.3), (2, 9.0)):
            task = a_task(run_no, visit_no, has_items=True, started_at=0.0, ended_at=9.0)
            spans = [*(0.1 + at % 5 * 0.05 for at in range(200)), longest_s]
            items = [
                an_item(run_no, at, visit_no=visit_no, duration_s=each)
                for at, each in enumerate(spans)
            ]
            served.store.commit([replace(task, status=Status.SUCCEEDED), *items])
        axes = [
            re.findall(r"<span>([^<]*)</span></figcaption>", page(served, f"runs/r/tasks/{path}"))
            for path in ("task_1/times", "task_2/times")
        ]
    assert axes == [["300 ms"], ["300 ms and more"]]


def page(served: Served, path: str, token: str = "admin") -> str:
    """The fragment of a page."""
    return served.ask(f"/page/{path}", token=token).body.decode()


def test_a_workflow_tells_what_has_changed_since_its_latest_run(tmp_path: Path) -> None:
    """Line by line; of one that is the same, nothing."""
    store, file = str(tmp_path / "runs.db"), tmp_path / "w.yaml"
    file.write_text("name: w\ntasks:\n  - {name: a, action: core.noop}\n")
    fanwise.run(str(file), run_id="r", store=store)
    with serving(tmp_path, store) as served:
        assert "Changed since" not in served.ask("/page/workflows/w").body.decode()
    file.write_text(file.read_text().replace("name: a", "name: b"))
    with serving(tmp_path, store) as served:
        text = served.ask("/page/workflows/w").body.decode()
    assert '<span class="del">-  - {name: a, action: core.noop}</span>' in text
    assert '<span class="add">+  - {name: b, action: core.noop}</span>' in text


def test_home_counts_the_runs_of_a_day_by_what_became_of_them(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all workflows, and of those alone that a token sees; of very many the newest."""
    now = time.time()
    for number, (status, ago_s) in enumerate(
        [(Status.FAILED, 90_000), (Status.FAILED, 80_000), (Status.FAILED, 60), (Status.PAUSED, 9)]
    ):
        run = a_run(f"day-{number}", workflow="day", status=status, created_at=now - ago_s)
        served.store.create_run(run)
    one = str(new_token_text(served.store, "of the day", Role.READ, workflows=["day"]))
    text = " ".join(served.ask("/page/", token=one).body.decode().split())
    assert "<dt>Runs</dt><dd>3</dd>" in text
    assert '<dt>Failed</dt><dd class="bad">2</dd>' in text
    assert "<dt>In progress</dt><dd>1</dd>" in text
    assert "the last hour: 2 runs, 1 failed" in text
    assert "22 h ago: 1 run, 1 failed" in text
    assert "Only the newest" not in text
    monkeypatch.setattr(home, "MOST_COUNTED", 2)
    text = " ".join(served.ask("/page/", token=one).body.decode().split())
    assert "Only the newest 2 runs are counted" in text
    assert "22 h ago: not counted" in text


def test_the_input_of_an_item_is_given_again(served: Served) -> None:
    """As its templates give it from what is recorded; what can't be known says why."""
    reply = served.ask("/api/v1/runs/first/tasks/check/items/4/input", token="read")
    assert reply.json == {"command": ["sh", "-c", "echo host-4 is seen; exit 3"]}
    assert "attachment" in reply.headers["Content-Disposition"]
    for path, status, code in (
        ("first/tasks/check/items/99", 404, "not-found"),
        ("first/tasks/report/items/0", 400, "usage"),
        ("none/tasks/check/items/4", 404, "run-not-found"),
    ):
        refused = served.ask(f"/api/v1/runs/{path}/input")
        assert (refused.status, refused.code) == (status, code)


def test_the_input_of_an_item_in_a_called_workflow_is_given_again(tmp_path: Path) -> None:
    """By the API and on its page, with the parameters that the workflow was called with."""
    (tmp_path / "w.yaml").write_text(
        "name: w\ntasks: [{name: site, with-items: [a, b], action: site.yaml,"
        " input: {name: '{{ item }}'}}]\n"
    )
    (tmp_path / "site.yaml").write_text(
        "name: site\nparameters: {name: {}}\ntasks: [{name: host, with-items: [1, 2],"
        " action: core.echo, input: {value: '{{ parameters.name }}{{ item }}'}}]\n"
    )
    store = str(tmp_path / "runs.db")
    fanwise.run(str(tmp_path / "w.yaml"), run_id="r", store=store)
    with serving(tmp_path, store) as served:
        reply = served.ask("/api/v1/runs/r/tasks/site%5B1%5D.host/items/1/input")
        assert reply.json == {"value": "b2"}
        page = served.ask("/page/runs/r/items/site%5B1%5D.host%5B1%5D?input=true").body.decode()
        assert '<h2 id="h-input">Input</h2>' in page


def test_the_page_of_an_item_says_why_it_shows_no_input(tmp_path: Path) -> None:
    """Such as the file that has changed, and what to do."""
    (tmp_path / "hosts.csv").write_text("name\na\n")
    (tmp_path / "w.yaml").write_text(
        "name: w\ntasks: [{name: a, with-items: {csv: hosts.csv}, action: core.echo,"
        " input: {value: '{{ item.name }}'}}]\n"
    )
    store = str(tmp_path / "runs.db")
    fanwise.run(str(tmp_path / "w.yaml"), run_id="r", store=store)
    (tmp_path / "hosts.csv").write_text("name\nsomebody else\n")
    with serving(tmp_path, store) as served:
        reply = served.ask("/api/v1/runs/r/tasks/a/items/0/input")
        assert (reply.status, reply.code) == (409, "source-changed")
        text = served.ask("/page/runs/r/items/a%5B0%5D?input=true").body.decode()
        assert "has changed since a began to read its items" in text
        assert "once the file is as it was" in text
        assert "r/a[0]/1" in text  # the idempotency key, as actions see it
