"""`fanwise show`, `items` and `runs`: looking at what is recorded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fanwise as library

NOOP = {"name": "a", "action": "core.noop"}
FLOW = """\
name: numbers
parameters: {secret: {type: string, secret: true}, plain: {type: string, default: seen}}
tasks:
  - name: each
    action: my.check
    with-items: {range: 1200}
    label: "no {{ item }}"
    input: {n: "{{ item }}"}
    tolerate: 100%
  - name: last
    action: my.check
    input: {n: 7}
"""
ACTIONS = """\
import fanwise

@fanwise.action("my.check")
async def check(n: int) -> dict:
    if n % 100 == 7:
        return {}[n]
    return {"n": n, "text": "\\x9bred"}
"""


@pytest.fixture(autouse=True)
def runs(fanwise, write):
    write(**{"flow.yaml": FLOW, "actions.py": ACTIONS})
    assert fanwise("run", "flow.yaml", "-p", "secret=hunter2", "--run-id", "alpha-1").status == 1


def test_show_tells_a_run_from_its_records(fanwise):
    """Status, tasks with counts, parameters without secrets, failures, and the author's lines."""
    told = fanwise("show", "alpha-1")
    assert told.status == 0
    assert "Run alpha-1 of numbers  failed" in told.out
    assert 'plain: "seen"' in told.out
    assert "hunter2" not in told.out
    assert "12 items of each failed" in told.out
    assert "last failed here:\nTraceback" in told.out
    assert "return {}[n]" in told.out


def test_show_as_json_is_what_run_gave(fanwise):
    """The same object as that of `run --json`, with the file and the parameters."""
    run = json.loads(fanwise("run", "flow.yaml", "--run-id", "beta", "--json").out)
    shown = json.loads(fanwise("show", "beta", "--json").out)
    assert shown.pop("file") == str(Path("flow.yaml").absolute())
    assert shown.pop("parameters") == {"secret": None, "plain": "seen"}
    assert shown.pop("tags") == []
    assert (shown.pop("trigger"), shown.pop("waits"), shown.pop("wake_at")) == (None, [], None)
    assert [shown.pop(name) for name in ("queue", "priority", "tries", "why")] == [None] * 4
    assert list(shown.pop("timing")["tasks"]) == ["each", "last"]
    assert shown == run


def test_show_as_json_has_the_output_of_a_task(fanwise, write):
    """As it is recorded; of a task with items there is none but those of its items."""
    tasks = (
        "[{name: a, action: my.check, input: {n: 3}}, {name: b, action: core.noop, when: false}]"
    )
    write(**{"flow.yaml": f"tasks: {tasks}\n"})
    assert fanwise("run", "flow.yaml", "--run-id", "beta").status == 0
    shown = json.loads(fanwise("show", "beta", "--json").out)["tasks"]
    assert shown["a"]["output"] == {"n": 3, "text": "\x9bred"}
    assert shown["b"]["output"] is None
    assert json.loads(fanwise("show", "alpha-1", "--json").out)["tasks"]["each"]["output"] is None


@pytest.mark.parametrize("workflow", [{"tasks": [NOOP]}, json.dumps({"tasks": [NOOP]}, indent=1)])
def test_show_names_no_file_of_a_run_without_a_file(fanwise, folder: Path, workflow):
    """It was given as a map, or as a text; the folder is where its paths begin."""
    library.run(workflow, store=str(folder / "runs.db"), run_id="beta")
    assert f"\nFile: none; given from Python in {folder}\n" in fanwise("show", "beta").out


def test_a_run_is_found_by_the_beginning_of_its_id(fanwise):
    """If no other id begins so."""
    assert "Run alpha-1 of" in fanwise("show", "alph").out
    fanwise("run", "flow.yaml", "--run-id", "alpha-2")
    told = fanwise("show", "alph")
    assert told.status == 2
    assert '2 runs have an id that begins with "alph": alpha-2, alpha-1.' in told.err
    assert fanwise("show", "alpha-1").status == 0


def test_an_unknown_run_is_one_line_with_the_nearest_ids(fanwise):
    """A slip is answered with what was meant."""
    told = fanwise("show", "alpah-1")
    assert told.status == 2
    assert told.err == 'the store has no run "alpah-1". Did you mean "alpha-1"?\n'
    assert fanwise("items", "alpah-1", "each").err == told.err


def test_unknown_tasks_and_tasks_without_items_are_one_line(fanwise):
    """So is a store that isn't there."""
    assert 'Did you mean "each"?' in fanwise("items", "alpha-1", "eahc").err
    assert fanwise("items", "alpha-1", "last").err == (
        'the task "last" has no items. Its output: fanwise show alpha-1 --json\n'
    )
    missing = fanwise("runs", "--store", "none.db")
    assert missing.status == 2
    assert missing.err.count("\n") == 1
    assert not Path("none.db").exists()


def test_items_as_json_is_a_line_for_each_item_by_index(fanwise):
    """All of them, over several pages, with the documented keys in their order."""
    lines = fanwise("items", "alpha-1", "each", "--json").out.splitlines()
    found = [json.loads(line) for line in lines]
    assert [item["index"] for item in found] == list(range(1200))
    assert list(found[0]) == [
        *("index", "status", "attempts", "output", "error", "started_at", "duration_s"),
        *("label", "item", "earlier"),
    ]
    assert found[8]["output"] == {"n": 8, "text": "\x9bred"}
    assert found[7]["error"]["type"] == "KeyError"
    assert "return {}[n]" in found[7]["error"]["traceback"]
    assert "\x9b" not in "".join(lines)


def test_items_can_be_chosen_by_status_and_number(fanwise):
    """`--status` and `--limit` work together."""
    lines = fanwise("items", "alpha-1", "each", "--json", "--status", "failed", "--limit", "3").out
    assert [json.loads(line)["index"] for line in lines.splitlines()] == [7, 107, 207]


def test_items_for_people_show_a_traceback_once_for_each_place(fanwise):
    """Twelve items fail in the same line, which is shown for the first of them."""
    told = fanwise("items", "alpha-1", "each", "--status", "failed")
    assert told.out.count("Traceback") == 1
    assert "[7] no 7 failed here:" in told.out
    assert "KeyError: 107" in told.out


def test_items_for_people_say_when_there_are_more(fanwise):
    """Without `--limit` a hundred are shown."""
    told = fanwise("items", "alpha-1", "each").out
    assert told.endswith("\nMore: fanwise items alpha-1 each --after 99\n")
    assert "More:" not in fanwise("items", "alpha-1", "each", "--limit", "1200").out
    assert fanwise("items", "alpha-1", "each", "--status", "cancelled").out == "No items.\n"


def test_runs_lists_the_newest_first(fanwise):
    """Also as JSON, a line for each."""
    fanwise("run", "flow.yaml", "--run-id", "beta")
    assert [line.split()[0] for line in fanwise("runs").out.splitlines()] == [
        "RUN",
        "beta",
        "alpha-1",
    ]
    assert json.loads(fanwise("runs", "--json", "--limit", "1").out)["run_id"] == "beta"


def test_looking_writes_nothing(fanwise, folder: Path):
    """A store that can't be written can still be looked at."""
    before = (folder / "runs.db").read_bytes()
    fanwise("show", "alpha-1")
    fanwise("items", "alpha-1", "each")
    assert (folder / "runs.db").read_bytes() == before


def test_a_closed_pipe_ends_the_command_quietly(folder: Path):
    """`fanwise items ... | head` leaves no traceback."""
    command = [sys.executable, "-m", "fanwise", "items", "alpha-1", "each", "--json"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 141


def test_a_full_disk_is_told(folder: Path):
    """Results that can't be written are an error, not a success."""
    for words in ("runs", "--version", "--help"):
        with Path("/dev/full").open("wb") as full:
            command = [sys.executable, "-m", "fanwise", words]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 2
        assert b"standard output can't be written" in done.stderr
        assert done.stderr.count(b"\n") == 1
