"""Texts of workflows are checked over the API, by themselves alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fanwise.model import Role
from fanwise.server import validating
from fanwise.server.token_making import new_token_text
from fanwise.server.validating import Verdict
from tests.server.served import Reply, Served, decoded, serving

PATH = "/api/v1/workflows/validate"
GOOD = """\
name: report
parameters: {day: {required: true}}
on:
  nightly: {schedule: {cron: "0 2 * * *", except: [{file: /no}]}, parameters: {day: mon}}
tasks:
  - {name: a, action: site.act, limit: api}
  - {name: b, action: ./other.yaml, needs: [a]}
"""


@pytest.fixture
def served(tmp_path: Path):
    (tmp_path / "fanwise.yaml").write_text("limits: {api: {concurrency: 2}}\n")
    (tmp_path / "actions.py").write_text("raise AssertionError\n")
    with serving(tmp_path) as made:
        yield made


def validated(served: Served, text: str | bytes, type: str = "application/yaml") -> Reply:
    body = text if isinstance(text, bytes) else text.encode()
    token = str(new_token_text(served.store, "tests", Role.RUN))  # it has its own rate
    return served.ask(PATH, method="POST", token=token, headers={"Content-Type": type}, body=body)


def test_a_text_is_checked_without_the_files_that_it_names(served: Served) -> None:
    """Neither a workflow, nor dates, nor a pack is read; the project's limits are known."""
    found = decoded(validated(served, GOOD), Verdict)
    assert found | {"warnings": []} == {
        "is_good": True,
        "tasks": 2,
        "parameters": 1,
        "problems": [],
        "warnings": [],
    }
    assert validated(served, '{"name": "a", "tasks": []}', "application/json").status == 200


def test_every_problem_is_told_with_its_place(served: Served) -> None:
    """All at once, each with its remedy."""
    text = GOOD.replace("needs: [a]", "needs: [aa]").replace("limit: api", "limit: apis")
    found = decoded(validated(served, text), Verdict)
    assert not found["is_good"]
    assert [(each["line"], each["code"]) for each in found["problems"]] == [
        (6, "unknown-limit"),
        (7, "unknown-task"),
    ]
    assert all(each["file"] == "workflow" and each["hint"] for each in found["problems"])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "not-a-workflow"),
        (b"\xff\xfe\xfa", "bad-encoding"),
        (b"a: &a [*a]", "bad-yaml"),
        (b"[" * 5_000, "too-deep"),
    ],
)
def test_what_is_no_workflow_is_a_problem(served: Served, text: bytes, code: str) -> None:
    """And no fault of the server."""
    assert validated(served, text).json["problems"][0]["code"] == code


def test_a_text_that_is_too_large_or_of_another_type_is_refused(served: Served) -> None:
    """Before it is read."""
    assert validated(served, "a" * (2**20 + 1)).code == "too-large"
    assert validated(served, GOOD, "text/html").code == "bad-type"


def test_texts_that_take_long_keep_no_other_request(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many at once are checked one after another, and others are answered meanwhile."""
    begun, go_on = threading.Event(), threading.Event()
    load, at_once, most = validating.load, 0, 0

    def held(text: bytes, **options: object) -> object:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        begun.set()
        go_on.wait()
        at_once -= 1
        return load(text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(validating, "load", held)
    with ThreadPoolExecutor(20) as threads:
        asked = [threads.submit(validated, served, GOOD) for _ in range(20)]
        try:
            begun.wait()
            assert [served.ask("/api/v1/runs").status for _ in range(3)] == [200] * 3
        finally:
            go_on.set()
        assert [each.result().status for each in asked] == [200] * 20
    assert most == 1
