"""Runs that may not overlap, runs that repeat others, and the list of limits."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from fanwise.model import RunLimit, RunOrigin, ShareWish, Status
from fanwise.stores import Store, open_store
from fanwise.testing.ownership_contract import an_owner
from fanwise.testing.records import a_run

FLOW = """
name: nightly
parameters: {n: {type: integer, default: 1}}
concurrency: 1
tasks: [{name: a, action: core.echo, input: {value: "{{ parameters.n }}"}}]
"""
DEDUPE = """
parameters: {n: {type: integer, default: 1}}
dedupe: {key: "{{ parameters.n }}", for: 1d}
tasks: [{name: a, action: core.noop}]
"""


@pytest.fixture(autouse=True)
def flow(write) -> None:
    skip = FLOW.replace("concurrency: 1", "concurrency: {limit: 1, when-full: skip}")
    write(**{"nightly.yaml": FLOW, "skip.yaml": skip, "order.yaml": DEDUPE})


def store() -> Store:
    return open_store(os.environ["FANWISE_STORE"])


@pytest.fixture
def held(folder: Path) -> int:
    """A run of `nightly` with the slot, which was interrupted; its number."""
    with store() as opened:
        engine_no = opened.enroll(an_owner())
        origin = RunOrigin(limit=RunLimit("nightly"))
        run = a_run("other", workflow="nightly", status=Status.RUNNING, origin=origin)
        run_no = opened.create_run(run, engine_no)
        opened.release(run_no, 1)
        return run_no


@pytest.mark.parametrize(
    ("option", "says"),
    [(["--no-queue"], "interrupted"), (["--wait", "0.2s"], "has waited for 0.2")],
)
def test_a_run_that_would_overlap_fails_with_1(fanwise, held, option, says) -> None:
    """It names who has the slot, and the way to free it; nothing is recorded."""
    told = fanwise("run", "nightly.yaml", "--run-id", "mine", *option)
    assert told.status == 1
    assert 'at most 1 run of "nightly" at a time, and run other has the slot' in told.err
    assert says in told.err
    assert "fanwise resume other, or fanwise cancel other" in told.err
    assert "mine" not in fanwise("runs").out


def test_a_run_that_would_wait_behind_too_many_fails_with_1(fanwise, held, monkeypatch) -> None:
    """Nothing is recorded, and it doesn't wait."""
    fanwise("submit", "nightly.yaml", "--run-id", "first")
    monkeypatch.setenv("FANWISE_LIMIT_QUEUED", "1")
    told = fanwise("run", "nightly.yaml", "--run-id", "mine")
    assert told.status == 1
    assert "1 runs of nightly wait already, as many as the limit `queued` allows" in told.err
    assert "mine" not in fanwise("runs").out


def test_a_run_that_is_resumed_or_retried_waits_for_a_slot_as_well(fanwise, held) -> None:
    """With the same options."""
    with store() as opened:
        origin = RunOrigin(limit=RunLimit("nightly"))
        for run_id, status in (("paused", Status.PAUSED), ("failed", Status.FAILED)):
            text = FLOW.lstrip()
            run = a_run(run_id, status=status, definition=text, file="nightly.yaml", origin=origin)
            opened.create_run(run)
    assert fanwise("resume", "paused", "--no-queue").status == 1
    assert fanwise("retry", "failed", "--no-queue").status == 1
    assert fanwise("cancel", "paused").status == 0  # what is to end waits for nobody


def test_a_run_that_is_skipped_is_found_with_the_reason(fanwise, held) -> None:
    """As cancelled, whether it was run or submitted."""
    assert fanwise("run", "skip.yaml", "--run-id", "one").status == 1
    told = fanwise("submit", "skip.yaml", "--run-id", "two")
    assert (told.status, told.out) == (0, "two\n")
    assert "It isn't run" in told.err
    for run_id in ("one", "two"):
        shown = json.loads(fanwise("show", run_id, "--json").out)
        assert (shown["status"], shown["error"]["type"]) == ("cancelled", "RunSkipped")
        assert "run other has the slot" in shown["error"]["message"]


def test_a_run_that_was_skipped_is_retried_as_a_whole(fanwise, held) -> None:
    """Once there is a slot for it; from then on it has a start."""
    fanwise("run", "skip.yaml", "--run-id", "one")
    assert fanwise("retry", "one", "--no-queue").status == 1
    with store() as opened:
        origin = RunOrigin(limit=RunLimit("nightly"))
        opened.commit([a_run("other", run_no=held, status=Status.FAILED, origin=origin)], {held: 1})
    assert fanwise("retry", "one", "--no-queue").status == 0
    assert json.loads(fanwise("show", "one", "--json").out)["started_at"] is not None


def test_limits_are_listed_with_who_has_them(fanwise, held) -> None:
    """How many slots there are, how many wait, and which run keeps one without being driven."""
    fanwise("submit", "nightly.yaml", "--run-id", "waits")
    told = fanwise("limits")
    assert told.status == 0
    assert told.out.splitlines()[1].split() == ["nightly", "1", "1", "1", "other"]
    assert "Run other was interrupted, and keeps its slot until: fanwise resume other" in told.err
    assert json.loads(fanwise("limits", "--json").out) == {
        "workflow": "nightly",
        "key": "",
        "used": 1,
        "slots": 1,
        "waiting": 1,
        "runs": ["other"],
        "interrupted": ["other"],
    }
    assert "slot" in fanwise("show", "waits").out


def test_without_limits_the_list_says_so(fanwise, folder) -> None:
    """And once the last run that was under one is over."""
    assert fanwise("run", "nightly.yaml").status == 0
    assert fanwise("limits").out == "No limits in use.\n"


def test_a_repeat_gives_the_run_that_is_there(fanwise) -> None:
    """None is made, by `run` and by `submit`, and that is no error."""
    assert fanwise("run", "order.yaml", "--run-id", "first").status == 0
    again = fanwise("run", "order.yaml")
    assert (again.status, again.out) == (0, "")
    assert "Run first has the same key" in again.err
    assert json.loads(fanwise("run", "order.yaml", "--json").out)["run_id"] == "first"
    told = fanwise("submit", "order.yaml")
    assert (told.status, told.out) == (0, "first\n")
    assert "none was made" in told.err
    assert fanwise("submit", "order.yaml", "-p", "n=2", "--run-id", "other").out == "other\n"


def test_a_called_workflow_takes_no_slot(fanwise, write) -> None:
    """So a parent and its child of one key never wait for each other."""
    child = "name: outer\nconcurrency: 1\ntasks: [{name: a, action: core.noop}]"
    outer = "name: outer\nconcurrency: 1\ntasks: [{name: call, action: ./child.yaml}]"
    write(**{"child.yaml": child, "outer.yaml": outer})
    assert fanwise("run", "outer.yaml", "--no-queue").status == 0


CHILD = """
name: child
concurrency: {limit: 1, children: true}
tasks: [{name: a, action: core.noop}]
"""
CALLS = """
name: outer
tasks: [{name: call, action: ./child.yaml, with-items: {range: 3}}]
"""


def test_a_called_workflow_may_take_slots(fanwise, write) -> None:
    """Its runs that an item calls are one at a time then, and leave nothing behind."""
    write(**{"child.yaml": CHILD, "outer.yaml": CALLS})
    assert fanwise("run", "outer.yaml", "--run-id", "mine").status == 0
    with store() as opened:
        run = opened.run("mine")
        assert run is not None
        steps = sorted(
            (step.started_at, step.ended_at)
            for index in range(3)
            for step in opened.tasks(run.run_no, within=f"call[{index}]")
        )
        assert len(steps) == 3
        assert all(ended <= began for (_, ended), (began, _) in pairwise(steps))
    assert fanwise("limits").out == "No limits in use.\n"


def test_a_called_workflow_waits_for_a_run_of_its_own(fanwise, write, held) -> None:
    """That is told once, though three items wait."""
    child = CHILD.replace("name: child", "name: nightly")
    write(**{"child.yaml": child, "outer.yaml": CALLS + "timeout: 1s"})
    told = fanwise("run", "outer.yaml")
    assert told.status == 1
    assert told.err.count("has no slot") == 1
    assert "run other has the slot" in told.err


@pytest.mark.parametrize(
    ("child", "outer"),
    [
        (CHILD.replace("core.noop", "./child.yaml, when: false"), CALLS),
        (CHILD, CALLS.replace("name: outer", "name: child\nconcurrency: 1")),
    ],
)
def test_a_workflow_that_would_wait_for_its_own_slot_is_refused(
    fanwise, write, child, outer
) -> None:
    """Before anything runs, at the place of the limit."""
    write(**{"child.yaml": child, "outer.yaml": outer})
    told = fanwise("validate", "outer.yaml")
    assert told.status == 2
    assert "child.yaml:3:14  conflicting-keys" in told.out
    assert "would wait for its own slot" in told.out


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"key": '"{{ parameters.n }}"', "n": ""}, "1 to 200 characters"),
        ({"key": '"{{ parameters.n | length }}{{ 1 // 0 }}"', "n": "x"}, "flow.yaml:3"),
    ],
)
def test_a_key_that_cannot_be_one_is_told_with_its_place(fanwise, write, given, says) -> None:
    """Before anything is recorded."""
    write(
        **{
            "flow.yaml": "parameters: {n: {}}\ntasks: [{name: a, action: core.noop}]\n"
            f"concurrency: {{limit: 1, key: {given['key']}}}\n"
        }
    )
    for command in ("run", "submit"):
        told = fanwise(command, "flow.yaml", "-p", f"n={given['n']}")
        assert told.status == 2
        assert told.err.startswith("flow.yaml:3:") or "flow.yaml:3:" in told.err
        assert says in told.err


def test_the_priority_of_a_workflow_is_that_of_its_runs(fanwise, write) -> None:
    """Unless the command line says another."""
    write(
        **{
            "flow.yaml": "parameters: {n: {type: integer, default: 1}}\n"
            'priority: "{{ parameters.n * 10 }}"\ntasks: [{name: a, action: core.noop}]\n'
        }
    )
    fanwise("submit", "flow.yaml", "--run-id", "a", "-p", "n=3")
    fanwise("submit", "flow.yaml", "--run-id", "b", "--priority", "-5")
    listed = map(json.loads, fanwise("runs", "--json").out.splitlines())
    assert {each["run_id"]: each["priority"] for each in listed} == {"a": 30, "b": -5}
    assert fanwise("submit", "flow.yaml", "-p", "n=11").status == 2


def test_a_named_limit_holds_inside_called_workflows(fanwise, write, folder) -> None:
    """For a step of each of many children, whose workflow is plain otherwise."""
    write(
        **{
            "fanwise.yaml": "limits: {database: 2}",
            "actions.py": """
import asyncio
from pathlib import Path

import fanwise

running = []


@fanwise.action("my.query")
async def query() -> None:
    running.append(None)
    with Path("most.txt").open("a") as file:
        file.write(f"{len(running)}\\n")
    for _ in range(20):
        await asyncio.sleep(0)
    running.pop()
""",
            "child.yaml": "tasks: [{name: ask, action: my.query, limit: database}]",
            "outer.yaml": "tasks: [{name: each, action: ./child.yaml, with-items: {range: 12}}]",
        }
    )
    assert fanwise("run", "outer.yaml").status == 0
    seen = (folder / "most.txt").read_text().split()
    assert len(seen) == 12
    assert max(seen) == "2"


def test_named_limits_are_listed_with_the_engines_that_use_them(fanwise, folder) -> None:
    """With what each has of the slots."""
    with store() as opened:
        for engine_no, running in ((1, 3), (2, 0)):
            opened.exchange(engine_no, [ShareWish("database", 10, None, running, 3)])
    rows = [line.split() for line in fanwise("limits").out.splitlines()]
    assert rows == [
        ["LIMIT", "USED", "SLOTS", "ENGINE", "USES", "HAS"],
        ["database", "3", "10", "1", "3", "3"],
        ["database", "3", "10", "2", "0", "3"],
    ]
    assert json.loads(fanwise("limits", "--json").out) == {
        "limit": "database",
        "used": 3,
        "slots": 10,
        "engines": [
            {"engine": 1, "used": 3, "slots": 3},
            {"engine": 2, "used": 0, "slots": 3},
        ],
    }


def test_the_parameters_may_say_how_many_runs_there_are_at_a_time(fanwise, write) -> None:
    """Of a number that can't be one it says where it came from."""
    limit = 'concurrency: {limit: "{{ parameters.n }}", while-waiting: keep}'
    write(**{"many.yaml": FLOW.replace("concurrency: 1", limit)})
    assert fanwise("submit", "many.yaml", "-p", "n=7", "--run-id", "seven").status == 0
    with store() as opened:
        run = opened.run("seven")
        assert run is not None
        assert run.origin.limit == RunLimit("nightly", most=7, keeps_slot=True)
    told = fanwise("submit", "many.yaml", "-p", "n=0")
    assert told.status == 2
    assert told.err.startswith("many.yaml:4:22  concurrency.limit takes a whole number from 1 to")
