"""Children of a run, as `fanwise show` tells them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fanwise
from fanwise.cli.app import app

CHILD = """
parameters: {n: {}}
tasks:
  - {name: first, action: core.echo, input: {n: "{{ parameters.n }}"}}
  - {name: second, action: core.noop}
"""
MAIN = """
tasks:
  - {name: once, action: ./child.yaml, input: {n: 0}}
  - {name: each, action: ./child.yaml, with-items: [1, 2], input: {n: "{{ item }}"}}
"""


@pytest.fixture
def store(tmp_path: Path) -> str:
    (tmp_path / "child.yaml").write_text(CHILD)
    (tmp_path / "main.yaml").write_text(MAIN)
    store = str(tmp_path / "fanwise.db")
    fanwise.run(tmp_path / "main.yaml", store=store, run_id="r")
    return store


def show(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["show", *arguments])
    return result.exit_code, result.output


def test_the_steps_of_a_child_stand_under_the_task_that_ran_it(store: str) -> None:
    """Those of items don't: there may be millions."""
    status, output = show("r", "--store", store)
    steps = output[output.index("STEP") :].splitlines()
    assert status == 0
    assert [line.split()[0] for line in steps[1:5]] == ["once", "first", "second", "each"]
    assert steps[2].startswith("  first")


def test_the_steps_of_one_item_are_shown_by_its_path(store: str) -> None:
    status, output = show("r", "--within", "each[1]", "--store", store)
    assert status == 0
    assert [line.split()[0] for line in output.splitlines()] == ["STEP", "first", "second"]


def test_a_path_without_steps_says_what_is_meant(store: str) -> None:
    status, output = show("r", "--within", "each[7]", "--store", store)
    assert status != 0
    assert output == "" or "check[17]" in output


def test_the_steps_of_one_item_are_given_as_json(store: str) -> None:
    _, output = show("r", "--within", "each[1]", "--json", "--store", store)
    first, second = [json.loads(line) for line in output.splitlines()]
    assert (first["path"], first["output"]) == ("each[1].first", {"n": 2})
    assert (second["status"], second["error"]) == ("succeeded", None)
