"""`fanwise logs`: what actions have printed and logged."""

import json
import re

import pytest

FLOW = """\
name: numbers
tasks:
  - name: start
    action: my.say
    input: {n: -1}
  - name: each
    action: my.say
    with-items: {range: 250}
    label: "no {{ item }}"
    input: {n: "{{ item }}"}
    retry: {count: 1, delay: 1ms}
    tolerate: 1
  - name: call
    action: ./child.yaml
    with-items: [x, y]
  - name: silent
    action: core.noop
    with-items: [1]
"""
CHILD = """\
tasks: [{name: greet, action: my.say, input: {n: 3}}]
"""
ACTIONS = """\
import logging
import fanwise

@fanwise.action("my.say")
async def say(n: int) -> None:
    print(f"number {n}")
    if n == 7:
        logging.getLogger("my.log").warning("one\\rtwo\\x1b[31m\\tthree")
        raise ValueError("seven")
"""


@pytest.fixture(autouse=True)
def ran(fanwise, write):
    write(**{"flow.yaml": FLOW, "child.yaml": CHILD, "actions.py": ACTIONS})
    return fanwise("run", "flow.yaml", "--run-id", "alpha-1")


def test_a_run_prints_none_of_it_and_says_where_it_is(fanwise, ran, write):
    """Standard error is for progress and the summary; a silent run has no logs to name."""
    assert ran.status == 0
    assert "number" not in ran.err.replace("numbers", "")
    assert "\nLogs: fanwise logs alpha-1\n" in ran.err
    write(**{"silent.yaml": "tasks: [{name: silent, action: core.noop}]"})
    assert "Logs:" not in fanwise("run", "silent.yaml").err


def test_logs_tell_task_index_label_and_attempt_before_each_line(fanwise):
    """Tasks in the order of their starts, items by their indexes, over several pages."""
    lines = fanwise("logs", "alpha").out.splitlines()
    assert lines[0] == "start  number -1"
    assert lines[1:8] == [f"each[{n}] no {n}  number {n}" for n in range(7)]
    assert lines[8:14] == [
        "each[7] no 7  number 7",
        "each[7] no 7  WARNING my.log: one",
        "each[7] no 7  two    three",
        "each[7] no 7 attempt 2  number 7",
        "each[7] no 7 attempt 2  WARNING my.log: one",
        "each[7] no 7 attempt 2  two    three",
    ]
    assert lines[14:-2] == [f"each[{n}] no {n}  number {n}" for n in range(8, 250)]
    assert sorted(lines[-2:]) == ["call[0].greet  number 3", "call[1].greet  number 3"]


def test_logs_of_one_task_or_item_are_its_own_and_of_what_runs_inside(fanwise):
    """`TASK` and `TASK[INDEX]`; of a workflow that is called, its steps."""
    assert fanwise("logs", "alpha-1", "start").out == "start  number -1\n"
    assert fanwise("logs", "alpha-1", "each[8]").out == "each[8] no 8  number 8\n"
    assert len(fanwise("logs", "alpha-1", "each").out.splitlines()) == 250 + 5
    assert len(fanwise("logs", "alpha-1", "call").out.splitlines()) == 2
    assert fanwise("logs", "alpha-1", "call[1]").out == "call[1].greet  number 3\n"
    assert fanwise("logs", "alpha-1", "call[1].greet").out == "call[1].greet  number 3\n"


def test_logs_as_json_are_a_line_for_each_attempt(fanwise):
    """With the text as it was written, and nothing that a terminal could obey."""
    told = fanwise("logs", "alpha-1", "each[7]", "--json")
    first, second = map(json.loads, told.out.splitlines())
    assert list(first) == ["path", "index", "label", "attempt", "started_at", "text"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("started_at"))
    assert first == {
        "path": "each[7]",
        "index": 7,
        "label": "no 7",
        "attempt": 1,
        "text": "number 7\nWARNING my.log: one\rtwo\x1b[31m\tthree\n",
    }
    assert second["attempt"] == 2
    assert "\x1b" not in told.out


def test_nothing_logged_is_said(fanwise):
    """An item that wrote nothing, and with --json no line."""
    assert fanwise("logs", "alpha-1", "silent").out == "No logs.\n"
    assert fanwise("logs", "alpha-1", "silent[0]").out == "No logs.\n"
    assert fanwise("logs", "alpha-1", "silent", "--json").out == ""


def test_an_unknown_task_is_one_line_with_the_nearest(fanwise):
    """So are an item of a task without items, and an unknown run."""
    for task in ("eahc", "eahc[3]"):
        told = fanwise("logs", "alpha-1", task)
        assert told.status == 2
        assert told.err == 'the run alpha-1 has recorded no task "eahc". Did you mean "each"?\n'
    assert 'the task "start" has no items' in fanwise("logs", "alpha-1", "start[0]").err
    assert 'Did you mean "alpha-1"?' in fanwise("logs", "alpah-1").err
