"""`core.emit`: events of a run's actions, each once, and without secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fanwise
from fanwise.model import EVENT, Arrival, Run, Status
from fanwise.stores import open_store

EMITS = """
parameters: {token: {secret: true, required: true}}
tasks:
  - name: tell
    action: core.emit
    with-items: "{{ range(30) }}"
    input:
      name: order.paid
      key: "k{{ item % 2 }}"
      data: {n: "{{ item }}", token: "{{ parameters.token }}"}
output: "{{ task.tell.output }}"
"""
TWICE = """
tasks:
  - {name: a, action: core.emit, input: {name: x, id: same, data: 1}}
  - {name: b, action: core.emit, input: {name: x, id: same, data: 2}}
output: [ "{{ task.a.output.is_new }}", "{{ task.b.output.is_new }}" ]
"""
ITSELF = """
tasks:
  - {name: a, action: core.emit, input: {name: paid, key: k, data: 5}, next: [b]}
  - {name: b, action: core.wait, timeout: 1m, input: {event: paid, key: k}}
output: "{{ task.b.output.payload }}"
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "fanwise.db")


def emitted(url: str, name: str, id: str) -> Arrival:
    with open_store(url) as store:
        found = store.arrival(EVENT, name, id)
    assert found is not None
    return found


def test_each_item_emits_one_event(url: str) -> None:
    """Under its idempotency key, masked, and with the run as its sender."""
    run = fanwise.run(EMITS, {"token": "hunter2-hunter2"}, store=url)
    assert run.status is Status.SUCCEEDED
    assert all(each["is_new"] for each in run.output)
    assert len({each["id"] for each in run.output}) == 30
    found = emitted(url, "order.paid", run.output[0]["id"])
    assert (found.key, found.by, found.depth) == ("k0", f"run {run.id}", 1)
    assert json.loads(found.data) == {"n": 0, "token": "***"}


def test_an_id_that_is_known_changes_nothing(url: str) -> None:
    """The first event stays."""
    assert fanwise.run(TWICE, store=url).output == [True, False]
    assert emitted(url, "x", "same").data == b"1"


def test_a_wait_of_the_same_run_takes_the_event(url: str) -> None:
    """It came after the run began."""
    run: Run = fanwise.run(ITSELF, store=url)
    assert run.output == 5


def test_what_cannot_be_emitted_fails_its_task(url: str) -> None:
    """With the reason, and nothing is recorded."""
    for name, reason in (("fanwise.x", "fanwise itself"), ("a*", "A *"), ("", "1 to 200")):
        text = f"tasks:\n  - {{name: a, action: core.emit, input: {{name: '{name}'}}}}"
        error = fanwise.run(text, store=url).tasks["a"].error
        assert error is not None
        assert error.type == "InputError"
        assert reason in f"{error}"
