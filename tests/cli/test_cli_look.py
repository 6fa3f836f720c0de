"""`weft show`, `items` and `runs`: looking at what is recorded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
import weft

@weft.action("my.check")
async def check(n: int) -> dict:
    if n % 100 == 7:
        return {}[n]
    return {"n": n, "text": "\\x9bred"}
"""


@pytest.fixture(autouse=True)
def runs(weft, write):
    write(**{"flow.yaml": FLOW, "actions.py": ACTIONS})
    assert weft("run", "flow.yaml", "-p", "secret=hunter2", "--run-id", "alpha-1").status == 1


def test_show_tells_a_run_from_its_records(weft):
    """Status, tasks with counts, parameters without secrets, failures, and the author's lines."""
    told = weft("show", "alpha-1")
    assert told.status == 0
    assert "Run alpha-1 of numbers  failed" in told.out
    assert 'plain: "seen"' in told.out
    assert "hunter2" not in told.out
    assert "12 items of each failed" in told.out
    assert "last failed here:\nTraceback" in told.out
    assert "return {}[n]" in told.out


def test_show_as_json_is_what_run_gave(weft):
    """The same object as that of `run --json`, with the file and the parameters."""
    run = json.loads(weft("run", "flow.yaml", "--run-id", "beta", "--json").out)
    shown = json.loads(weft("show", "beta", "--json").out)
    assert shown.pop("file") == str(Path("flow.yaml").absolute())
    assert shown.pop("parameters") == {"secret": None, "plain": "seen"}
    assert shown.pop("tags") == []
    assert list(shown.pop("timing")["tasks"]) == ["each", "last"]
    assert shown == run


def test_a_run_is_found_by_the_beginning_of_its_id(weft):
    """If no other id begins so."""
    assert "Run alpha-1 of" in weft("show", "alph").out
    weft("run", "flow.yaml", "--run-id", "alpha-2")
    told = weft("show", "alph")
    assert told.status == 2
    assert '2 runs have an id that begins with "alph": alpha-2, alpha-1.' in told.err
    assert weft("show", "alpha-1").status == 0


def test_an_unknown_run_is_one_line_with_the_nearest_ids(weft):
    """A slip is answered with what was meant."""
    told = weft("show", "alpah-1")
    assert told.status == 2
    assert told.err == 'the store has no run "alpah-1". Did you mean "alpha-1"?\n'
    assert weft("items", "alpah-1", "each").err == told.err


def test_unknown_tasks_and_tasks_without_items_are_one_line(weft):
    """So is a store that isn't there."""
    assert 'Did you mean "each"?' in weft("items", "alpha-1", "eahc").err
    assert 'task "last" has no items' in weft("items", "alpha-1", "last").err
    missing = weft("runs", "--store", "none.db")
    assert missing.status == 2
    assert missing.err.count("\n") == 1
    assert not Path("none.db").exists()


def test_items_as_json_is_a_line_for_each_item_by_index(weft):
    """All of them, over several pages, with the documented keys in their order."""
    lines = weft("items", "alpha-1", "each", "--json").out.splitlines()
    found = [json.loads(line) for line in lines]
    assert [item["index"] for item in found] == list(range(1200))
    assert list(found[0]) == [
        *("index", "status", "attempts", "output", "error", "started_at", "duration_s", "label")
    ]
    assert found[8]["output"] == {"n": 8, "text": "\x9bred"}
    assert found[7]["error"]["type"] == "KeyError"
    assert "return {}[n]" in found[7]["error"]["traceback"]
    assert "\x9b" not in "".join(lines)


def test_items_can_be_chosen_by_status_and_number(weft):
    """`--status` and `--limit` work together."""
    lines = weft("items", "alpha-1", "each", "--json", "--status", "failed", "--limit", "3").out
    assert [json.loads(line)["index"] for line in lines.splitlines()] == [7, 107, 207]


def test_items_for_people_show_a_traceback_once_for_each_place(weft):
    """Twelve items fail in the same line, which is shown for the first of them."""
    told = weft("items", "alpha-1", "each", "--status", "failed")
    assert told.out.count("Traceback") == 1
    assert "[7] no 7 failed here:" in told.out
    assert "KeyError: 107" in told.out


def test_items_for_people_say_when_there_are_more(weft):
    """Without `--limit` a hundred are shown."""
    told = weft("items", "alpha-1", "each").out
    assert told.endswith("\nMore: weft items alpha-1 each --after 99\n")
    assert "More:" not in weft("items", "alpha-1", "each", "--limit", "1200").out
    assert weft("items", "alpha-1", "each", "--status", "cancelled").out == "No items.\n"


def test_runs_lists_the_newest_first(weft):
    """Also as JSON, a line for each."""
    weft("run", "flow.yaml", "--run-id", "beta")
    assert [line.split()[0] for line in weft("runs").out.splitlines()] == ["RUN", "beta", "alpha-1"]
    assert json.loads(weft("runs", "--json", "--limit", "1").out)["run_id"] == "beta"


def test_looking_writes_nothing(weft, folder: Path):
    """A store that can't be written can still be looked at."""
    before = (folder / "runs.db").read_bytes()
    weft("show", "alpha-1")
    weft("items", "alpha-1", "each")
    assert (folder / "runs.db").read_bytes() == before


def test_a_closed_pipe_ends_the_command_quietly(folder: Path):
    """`weft items ... | head` leaves no traceback."""
    command = [sys.executable, "-m", "weft", "items", "alpha-1", "each", "--json"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 141


def test_a_full_disk_is_told(folder: Path):
    """Results that can't be written are an error, not a success."""
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "weft", "runs"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert b"standard output can't be written" in done.stderr
    assert done.stderr.count(b"\n") == 1
