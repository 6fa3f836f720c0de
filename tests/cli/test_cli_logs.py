"""`fanwise logs`: what actions have printed and logged."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

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
SLOW = """\
tasks:
  - {name: wait, action: my.wait}
  - name: shell
    action: core.shell
    input:
      script: |
        echo the script has begun
        until [ -e read-2 ]; do sleep 0.01; done
        echo the script ends
"""
LOUD = """\
tasks:
  - name: say
    action: my.tell
    with-items: [a, b]
    input: {token: "{{ secrets.TOKEN }}"}
"""
COMMAND = (sys.executable, "-m", "fanwise")
ACTIONS = """\
import asyncio
import logging
from pathlib import Path
import fanwise

@fanwise.action("my.wait")
async def wait() -> None:
    print("the action has begun")
    while not Path("read-1").exists():
        await asyncio.sleep(0.01)

@fanwise.action("my.tell")
def tell(token: str) -> None:
    print("the token is", token)
    raise ValueError("no")

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
    lines = without_times(fanwise("logs", "alpha").out).splitlines()
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
    assert shown(fanwise, "start") == "start  number -1\n"
    assert shown(fanwise, "each[8]") == "each[8] no 8  number 8\n"
    assert len(fanwise("logs", "alpha-1", "each").out.splitlines()) == 250 + 5
    assert len(fanwise("logs", "alpha-1", "call").out.splitlines()) == 2
    assert shown(fanwise, "call[1]") == "call[1].greet  number 3\n"
    assert shown(fanwise, "call[1].greet") == "call[1].greet  number 3\n"


def test_following_a_run_that_is_over_shows_all_of_it_and_ends(fanwise):
    """In the order in which lines came; a task or an item can be followed alone."""
    told = fanwise("logs", "alpha-1", "--follow")
    assert sorted(told.out.splitlines()) == sorted(fanwise("logs", "alpha-1").out.splitlines())
    assert told.err == "Run alpha-1 has succeeded.\n"
    alone = fanwise("logs", "alpha-1", "each[7]", "-f").out
    assert alone == fanwise("logs", "alpha-1", "each[7]").out


def test_a_task_that_there_is_not_is_refused_also_where_it_is_followed(fanwise):
    """Once the run is over, as nothing can come any more."""
    told = fanwise("logs", "alpha-1", "nothing", "--follow")
    assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)
    assert told.err == fanwise("logs", "alpha-1", "nothing").err


def test_a_run_is_followed_from_another_process_while_it_runs(fanwise, write):
    """Its action ends only once the line is read, which it has printed."""
    write(**{"slow.yaml": SLOW, "actions.py": ACTIONS})
    running = subprocess.Popen([*COMMAND, "run", "slow.yaml", "--run-id", "slow-1"])
    while fanwise("show", "slow-1").status:
        pass
    seen = []
    with subprocess.Popen(
        [*COMMAND, "logs", "slow-1", "--follow"], stdout=subprocess.PIPE, text=True
    ) as following:
        for _ in ("wait", "shell"):
            seen.append(without_times(following.stdout.readline()))
            Path(f"read-{len(seen)}").touch()
        assert without_times(following.stdout.read()) == "shell  the script ends\n"
    assert seen == ["wait  the action has begun\n", "shell  the script has begun\n"]
    assert (running.wait(), following.wait()) == (0, 0)


def test_ctrl_c_ends_the_following_and_leaves_the_run_alone(fanwise, write):
    """With 130 and no word."""
    write(**{"slow.yaml": SLOW, "actions.py": ACTIONS})
    running = subprocess.Popen([*COMMAND, "run", "slow.yaml", "--run-id", "slow-2"])
    while fanwise("show", "slow-2").status:
        pass
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*COMMAND, "logs", "slow-2", "-f"], **pipes) as following:
        following.stdout.readline()
        following.send_signal(signal.SIGINT)
        assert following.communicate() == ("", "")
    assert following.returncode == 130
    for number in (1, 2):
        Path(f"read-{number}").touch()
    assert running.wait() == 0


def test_verbose_shows_masked_lines_with_their_task_and_item(fanwise, write, monkeypatch):
    """Whatever drives the run; without it they are only recorded."""
    monkeypatch.setenv("FANWISE_SECRET_TOKEN", "s3cret-t0ken")
    write(**{"loud.yaml": LOUD, "actions.py": ACTIONS})
    runs = fanwise("run", "loud.yaml", "--run-id", "loud", "--verbose"), fanwise("retry", "loud")
    retried = fanwise("retry", "loud", "--verbose")
    for told in (runs[0], retried):
        assert told.status == 1
        assert "\nsay[1]  the token is ***\n" in without_times(told.err)
    assert "token" not in runs[1].err
    assert all("s3cret" not in told.err for told in (*runs, retried))


def shown(fanwise, path):
    return without_times(fanwise("logs", "alpha-1", path).out)


def without_times(lines):
    """Lines of logs without the time at the head of each."""
    return re.sub(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", "", lines)


def test_logs_as_json_are_a_line_for_each_attempt(fanwise):
    """With the text as it was written, and nothing that a terminal could obey."""
    told = fanwise("logs", "alpha-1", "each[7]", "--json")
    first, second = map(json.loads, told.out.splitlines())
    assert list(first) == ["path", "index", "label", "attempt", "written_at", "text"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("written_at"))
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
