"""Runs as pictures show them, two runs beside each other, and answers that a client has already."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import fanwise
from fanwise.model import Role
from fanwise.server import run_views, views
from fanwise.server.token_making import new_token_text
from tests.server.served import Served, decoded, serving

FLOW = """\
name: checks
parameters: {bad: {type: integer}, word: {default: lost}}
tasks:
  - name: hosts
    action: core.echo
    input: {value: "{{ range(6) | list }}"}
  - name: check
    needs: [hosts]
    with-items: "{{ task.hosts.output.value }}"
    action: ./one.yaml
    input: {code: "{{ 3 if item < parameters.bad else 0 }}", word: "{{ parameters.word }}"}
    on-item-error: continue
finally:
  - {name: tell, action: core.echo, input: {value: 1}}
"""
ONE = """\
name: one
parameters: {code: {type: integer}, word: {}}
tasks:
  - {name: look, action: core.shell, input: {command: [sh, -c, "exit {{ parameters.code }}"]}}
"""
LOOP = """\
name: loop
vars: {turns: 0}
tasks:
  - name: turn
    action: core.echo
    input: {value: 1}
    publish: {turns: "{{ vars.turns + 1 }}"}
    next: [{when: "{{ vars.turns < 210 }}", do: turn}]
"""
RUNS = "/api/v1/runs"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    for name, text in (("checks", FLOW), ("one", ONE), ("loop", LOOP)):
        (folder / f"{name}.yaml").write_text(text)
    store = str(folder / "runs.db")
    flow = str(folder / "checks.yaml")
    fanwise.run(flow, {"bad": 0}, run_id="well", store=store)
    fanwise.run(flow, {"bad": 2}, run_id="ill", store=store)
    with serving(folder, store) as made:
        yield made


def test_a_graph_is_told_and_drawn(served: Served) -> None:
    """With the state of each task; raw drawings are to be saved."""
    found = decoded(served.ask(f"{RUNS}/ill/graph"), run_views.GraphView)
    nodes = {node["task"]: node for node in found["nodes"]}
    assert [(name, nodes[name]["status"]) for name in nodes] == [
        ("hosts", "succeeded"),
        ("check", "failed"),
        ("tell", "succeeded"),
    ]
    assert nodes["check"]["items"] == {"total": 6, "done": 6, "succeeded": 4, "failed": 2}
    assert nodes["tell"]["ending"] == "finally"
    ids = {node["id"]: node["task"] for node in found["nodes"]}
    assert [(ids[e["source"]], ids[e["target"]]) for e in found["edges"]] == [("hosts", "check")]
    drawn = served.ask(f"{RUNS}/ill/graph.svg")
    assert drawn.headers["Content-Type"] == "image/svg+xml"
    assert "sandbox" in drawn.headers["Content-Security-Policy"]
    assert drawn.body.startswith(b"<svg")


def test_a_timeline_is_told(served: Served) -> None:
    """Of a run with the visits that led to its end, and of a child."""
    found = decoded(served.ask(f"{RUNS}/ill/timeline"), run_views.TimelineView)
    assert [(lane["path"], lane["is_critical"]) for lane in found["lanes"]] == [
        ("hosts", True),
        ("check", True),
        ("tell", True),
    ]
    assert all(lane["parts"] for lane in found["lanes"])
    within = served.ask(f"{RUNS}/ill/timeline?within=check[1]")
    (lane,) = decoded(within, run_views.TimelineView)["lanes"]
    assert (lane["path"], lane["status"]) == ("check[1].look", "failed")
    assert served.ask(f"{RUNS}/ill/timeline?within=hosts").code == "task-not-found"


def test_a_timeline_of_very_many_visits_folds_them(served: Served) -> None:
    """None is left out of the count, and few lanes are told."""
    fanwise.run(
        str(served.folder / "loop.yaml"), run_id="loop", store=str(served.folder / "runs.db")
    )
    lanes = decoded(served.ask(f"{RUNS}/loop/timeline"), run_views.TimelineView)["lanes"]
    assert sum(lane["visits"] for lane in lanes) == 210
    assert any(lane["visits"] > 1 and "path" not in lane for lane in lanes)
    assert len(lanes) < 210


def test_two_runs_are_compared(served: Served) -> None:
    """By definitions, parameters, tasks and kinds of errors."""
    found = decoded(served.ask("/api/v1/compare?a=well&b=ill"), run_views.ComparisonView)
    assert (found["a"]["status"], found["b"]["status"]) == ("succeeded", "failed")
    assert found["definition"] == []
    assert found["parameters"] == [{"name": "bad", "a": 0, "b": 2}]
    check = next(each for each in found["tasks"] if each["name"] == "check")
    assert (check["a"]["items"]["failed"], check["b"]["items"]["failed"]) == (0, 2)
    (kind,) = found["kinds"]
    assert (kind["task"], kind["a"], kind["b"]) == ("check", 0, 2)
    assert served.ask("/api/v1/compare?a=well&b=none").code == "run-not-found"
    assert served.ask("/api/v1/compare?a=well").code == "bad-request"


def test_a_hidden_run_is_compared_with_nothing(served: Served) -> None:
    """Nor is it drawn."""
    token = str(new_token_text(served.store, "some", Role.READ, workflows=["loop"]))
    for path in ("/api/v1/compare?a=well&b=ill", f"{RUNS}/ill/graph", f"{RUNS}/ill/timeline"):
        assert served.ask(path, token=token).code == "run-not-found"


def test_items_are_found_by_the_kind_of_their_errors(served: Served) -> None:
    """By its number within the task; and durations are told as a histogram."""
    task = f"{RUNS}/ill/tasks/check"
    (kind,) = served.ask(f"{task}/kinds").json["kinds"]
    found = served.ask(f"{task}/items?kind={kind['number']}").json["items"]
    assert [item["index"] for item in found] == [0, 1]
    assert served.ask(f"{task}/items?kind={kind['number'] + 1}").json["items"] == []
    times = decoded(served.ask(f"{task}/times"), views.TimesView)
    assert (times["count"], sum(times["histogram"]["counts"])) == (6, 6)
    assert times["is_sampled"] is False


TAGGED = [
    f"{RUNS}/ill",
    f"{RUNS}/ill/graph",
    f"{RUNS}/ill/timeline",
    f"{RUNS}/ill/tasks",
    f"{RUNS}/ill/tasks/check",
    f"{RUNS}/ill/tasks/check/tiles",
    f"{RUNS}/ill/tasks/check/cells?tiles=0-0",
    f"{RUNS}/ill/tasks/check/items?limit=2",
    f"{RUNS}/ill/tasks/check/kinds",
]


@pytest.mark.parametrize("path", TAGGED)
def test_an_answer_that_a_client_has_is_not_sent_again(served: Served, path: str) -> None:
    """It shows the tag of the answer; another tag, or none, gets the whole."""
    whole = served.ask(path)
    tag = whole.headers["ETag"]
    for known in (tag, f'"x", W/{tag}'):
        again = served.ask(path, headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    other = served.ask(path, headers={"If-None-Match": '"x"'})
    assert (other.status, other.body) == (200, whole.body)
    hidden = str(new_token_text(served.store, "some", Role.READ, workflows=["loop"]))
    assert served.ask(path, token=hidden, headers={"If-None-Match": tag}).code == "run-not-found"


def test_a_change_of_a_run_changes_its_tag(served: Served) -> None:
    """Also one that leaves its records as they are, such as an order that waits."""
    flow = str(served.folder / "checks.yaml")
    fanwise.run(flow, {"bad": 1}, run_id="again", store=str(served.folder / "runs.db"))
    before = {path: served.ask(f"{RUNS}/again{path}").headers["ETag"] for path in ("", "/tasks")}
    assert served.post(f"{RUNS}/again/retry", {}).status == 202
    for path, tag in before.items():
        assert served.ask(f"{RUNS}/again{path}", headers={"If-None-Match": tag}).status == 200
    waits = served.ask(f"{RUNS}/again").headers["ETag"]
    assert served.ask(f"{RUNS}/again", headers={"If-None-Match": waits}).status == 304
