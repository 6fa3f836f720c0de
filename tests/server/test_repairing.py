"""Runs are retried with repaired definitions over the API, where a server takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import fanwise
from fanwise.errors import DefinitionError
from fanwise.server import project_views
from tests.server.served import Served, decoded, serving
from tests.server.test_control import working

BROKEN = """\
name: job
tasks:
  - {name: list, action: core.echo, input: {value: [1, 2, 3]}}
  - name: each
    needs: [list]
    with-items: "{{ task.list.output.value }}"
    action: core.echo
    input: {value: "{{ 6 // (item - 2) }}"}
    on-item-error: continue
  - {name: last, needs: [each], action: my.missing}
output: "{{ task.each.output }}"
"""
REPAIRED = BROKEN.replace("item - 2", "item").replace("my.missing", "core.noop")
PACK = """\
from pathlib import Path

Path(__file__).with_name("imported").touch()
"""
PATH = "/api/v1/runs/a/repair"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "job.yaml").write_text(BROKEN)
    with serving(tmp_path, takes_definitions=True) as made:
        yield made


def test_a_run_is_retried_with_a_repaired_definition(served: Served) -> None:
    """Also one that no engine could drive; what had succeeded is kept, and the run has it then."""
    served.post("/api/v1/runs", {"workflow": "job", "run_id": "a"})
    with working(served):
        pass
    assert served.ask("/api/v1/runs/a").json["error"]["type"] == "CannotRun"
    half = BROKEN.replace("my.missing", "core.fail")
    assert served.post(PATH, {"definition": half}).status == 202
    with working(served):
        pass
    assert served.ask("/api/v1/runs/a").json["status"] == "failed"
    told = decoded(served.post(f"{PATH}/check", {"definition": REPAIRED}), project_views.RetryPlan)
    assert [(each["task"], each["is_kept"], each["failed_items"]) for each in told["tasks"]] == [
        ("list", True, 0),
        ("each", False, 1),
        ("last", False, 0),
    ]
    asked = served.post(PATH, {"definition": REPAIRED})
    assert decoded(asked, project_views.ChangedRun)["asked"] == "retry"
    with working(served):
        pass
    run = served.ask("/api/v1/runs/a").json
    assert (run["status"], run["output"]) == (
        "succeeded",
        [{"value": -6}, {"value": 3}, {"value": 6}],
    )
    assert served.ask("/api/v1/runs/a/definition").json["files"][0]["text"] == REPAIRED
    items = served.ask("/api/v1/runs/a/tasks/each/items").json["items"]
    assert [each["attempts"] for each in items] == [1, 1, 1]


def test_a_definition_with_problems_changes_nothing(served: Served) -> None:
    """They are told with their places."""
    served.post("/api/v1/runs", {"workflow": "job", "run_id": "a"})
    with working(served):
        pass
    for path in (PATH, f"{PATH}/check"):
        reply = served.post(path, {"definition": REPAIRED.replace("[each]", "[eech]")})
        assert reply.code == "bad-workflow"
        (problem,) = reply.json["problems"]
        assert (problem["line"], problem["code"]) == (10, "unknown-task")
    remote = fanwise.connect(served.origin, served.tokens["admin"])
    with pytest.raises(DefinitionError, match=r"job.yaml:3:\d+  unknown-task"):
        remote.retry("a", definition="name: job\ntasks:\n  - {name: b, needs: [c], action: d.e}\n")
    assert served.ask("/api/v1/runs/a").json["status"] == "failed"


def test_a_definition_is_refused_unless_the_server_takes_them(tmp_path: Path) -> None:
    """From administrators alone; nothing of it is imported in this process in either case."""
    (tmp_path / "job.yaml").write_text(BROKEN)
    (tmp_path / "actions.py").write_text(PACK)
    body = {"definition": REPAIRED}
    with serving(tmp_path) as served:
        served.post("/api/v1/runs", {"workflow": "job", "run_id": "a"})
        served.post("/api/v1/runs/a/cancel", {})
        for path in (PATH, f"{PATH}/check"):
            assert served.post(path, body).code == "no-inline"
        assert served.post("/api/v1/runs/a/retry", body).code == "bad-request"
        assert served.post("/api/v1/runs", {"workflow": "job", **body}).code == "bad-request"
        text = served.ask("/api/v1/runs/a/definition").json["files"][0]["text"]
        assert text == BROKEN
    with serving(tmp_path, takes_definitions=True) as served:
        assert served.post(PATH, body, token="run").code == "forbidden"
        assert served.post(PATH, body).status == 202
    assert not (tmp_path / "imported").exists()
