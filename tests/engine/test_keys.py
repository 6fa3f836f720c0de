"""Keys of the store: a visit reads each once, a change is made once, and a secret stays one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from crashing import Case, Life, Stage, When

from fanwise.model import KvChange, Run, Status
from fanwise.testing.stores import MemoryStore
from fanwise.values import decode, encode

SOLO = """
vars: {first: "{{ kv.n | default(0) }}"}
tasks:
  - name: read
    action: test.do
    when: "{{ kv.n is defined or true }}"
    input: {value: "{{ kv.n | default(0) }}"}
    publish: {n: "{{ kv.n | default(0) }}"}
  - name: each
    action: test.do
    with-items: [1, 2]
    concurrency: 1
    input: {value: "{{ [item, kv.n] }}"}
output: ["{{ vars.first }}", "{{ vars.n }}", "{{ task.read.output }}", "{{ task.each.output }}"]
"""
CHILD = Case(
    """
tasks:
  - {name: call, action: ./steps.yaml, with-items: [1, 2], concurrency: 1, input: {n: "{{ item }}"}}
output: "{{ task.call.output }}"
""",
    {
        "steps.yaml": """
parameters: {n: {required: true}}
vars: {n: "{{ kv.n }}"}
tasks:
  - {name: a, action: test.do, input: {value: "{{ kv.n }}"}}
  - {name: b, action: test.do, input: {value: 1}}
output: ["{{ vars.n }}", "{{ task.a.output }}"]
"""
    },
)
COUNT = """
tasks:
  - name: add
    action: core.kv_set
    input: {name: n, value: "{{ kv.n + 1 }}", if_version: 1}
  - {name: end, action: test.do, input: {value: 1}}
"""


def put(life: Life, value: Any, name: str = "n") -> None:
    life.store.kv_change(KvChange(name=name, value=encode(value), by="test"))


def output(life: Life) -> Any:
    record = life.record()
    return None if record.output is None else decode(record.output)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_visit_that_starts_again_reads_what_it_has_read(tmp_path: Path, when: When) -> None:
    """Wherever the process dies, and however a key has changed meanwhile."""
    stage = Stage(Case(SOLO), tmp_path)
    life = stage.new_life()
    put(life, 7)
    life.start()
    most = life.commits
    assert output(life) == [7, 7, 7, [[1, 7], [2, 7]]]
    for at in range(1, most + 1):
        life = stage.new_life()
        put(life, 7)
        life.start(at=at, when=when)
        if life.store.run("r") is None:
            continue
        put(life, 8)
        life.go_on()
        first, published, read, each = output(life)
        assert published == read  # of one visit
        assert [items for items in each if items[1] != each[0][1]] == []
        assert [first, read, each[0][1]] == sorted([first, read, each[0][1]])
        assert life.replayed_status() is Status.SUCCEEDED


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_child_that_is_restored_reads_what_it_has_read(tmp_path: Path, when: When) -> None:
    """Its variables are evaluated again, with the same values."""
    stage = Stage(CHILD, tmp_path)
    life = stage.new_life()
    put(life, 7)
    life.start()
    assert output(life) == [[7, 7], [7, 7]]
    for at in range(2, life.commits):
        life = stage.new_life()
        put(life, 7)
        life.start(at=at, when=when)
        begun = life.rows()
        put(life, 8)
        life.go_on()
        for index, (variable, read) in enumerate(output(life)):
            assert variable <= read
            if any(row.path == f"call[{index}].a" for row in begun):
                assert (variable, read) == (7, 7)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_attempt_that_is_made_again_changes_a_key_once(tmp_path: Path, when: When) -> None:
    """It doesn't conflict with itself."""
    stage = Stage(Case(COUNT), tmp_path)
    life = stage.new_life()
    put(life, 1)
    life.start()
    for at in range(2, life.commits + 1):
        life = stage.new_life()
        put(life, 1)
        life.start(at=at, when=when)
        life.go_on()
        assert life.record().status is Status.SUCCEEDED
        entry = life.store.kv_entry("n")
        assert entry is not None
        assert (entry.value, entry.version) == (b"2", 2)


def test_a_retry_reads_again(tmp_path: Path) -> None:
    """So a key that was missing is found once it is set."""
    stage = Stage(
        Case('tasks: [{name: a, action: test.do, input: {value: "{{ kv.n }}"}}]'), tmp_path
    )
    life = stage.new_life()
    run = life.start()
    assert run is not None
    assert run.error is not None
    assert 'the store has no key "n". Set it with `fanwise kv set n VALUE`' in run.error.message
    put(life, 1)
    assert ended(life.retry()).status is Status.SUCCEEDED


def ended(run: Run | None) -> Run:
    assert run is not None
    return run


SECRET = """
tasks:
  - {name: use, action: test.do, input: {value: "<{{ kv.token }}>"}}
  - {name: late, action: test.do, input: {value: "{{ kv.token is defined }}"}}
  - name: tell
    action: test.do
    on-error: continue
    publish: {token: "{{ kv.token }}"}
output: "{{ task.use.output }}"
"""


def test_the_value_of_a_secret_is_recorded_under_its_key_alone(tmp_path: Path) -> None:
    """It is masked from its reading on, and refused where a value is recorded."""
    life = Stage(Case(SECRET), tmp_path).new_life(store := MemoryStore())
    store.kv_change(KvChange(name="token", value=b'"hunter2-x"', by="test", is_secret=True))
    run = ended(life.start())
    assert (run.status, run.output) == (Status.SUCCEEDED, "<***>")
    refused = run.tasks["tell"].error
    assert refused is not None
    assert 'the value of the key "token" is secret, and would be recorded here' in refused.message
    assert [each for each in store.export("r") if "hunter2-x" in repr(each)] == []
    assert len(store._database.read("SELECT 1 FROM kv_readings")) == 3
    readings = "SELECT 1 FROM kv_readings WHERE found LIKE '%hunter2%'"
    assert store._database.read(readings) == []


SETS_SECRET = """
tasks:
  - name: save
    action: core.kv_set
    input: {name: copy, value: "{{ kv.token }}", secret: %s}
"""


@pytest.mark.parametrize(("secret", "status"), [("true", "succeeded"), ("false", "failed")])
def test_a_secret_is_kept_as_a_secret_only(tmp_path: Path, secret: str, status: str) -> None:
    """A value that holds one is refused without `secret: true`."""
    life = Stage(Case(SETS_SECRET % secret), tmp_path).new_life(store := MemoryStore())
    store.kv_change(KvChange(name="token", value=b'"hunter2-x"', by="test", is_secret=True))
    assert ended(life.start()).status.value == status
    assert (store.kv_entry("copy") is None) == (status == "failed")


FAULTS = {
    'name: " n", value: 1': "a key is a text of 1 to 200 printable characters",
    'name: n, value: "{{ range(40000) | list }}"': "the limit is 65,536",
    "name: n, value: 1, ttl: 0": "is to last 0 s",
    "name: n, value: [1], secret: true": "can't be a secret",
    "name: n, value: 1, if_version: 3": 'the key "n" isn\'t set, and the change is for version 3',
}


@pytest.mark.parametrize("given", FAULTS)
def test_a_change_that_cannot_be_made_fails_its_task_in_one_line(
    tmp_path: Path, given: str
) -> None:
    """It says what is wrong, and changes nothing."""
    text = f"tasks: [{{name: a, action: core.kv_set, input: {{{given}}}}}]"
    life = Stage(Case(text), tmp_path).new_life()
    run = ended(life.start())
    assert run.error is not None
    assert FAULTS[given] in run.error.message
    assert list(life.store.kv_entries(limit=9)) == []
