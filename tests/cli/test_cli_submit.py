"""Submitting runs, looking at those that wait, and at the engines that take them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import fanwise
from fanwise.stores import Store, open_store
from fanwise.testing.ownership_contract import an_owner

FLOW = """
parameters:
  n: {type: integer, required: true}
tasks:
  - {name: a, action: core.echo, input: {value: "{{ parameters.n }}"}}
output: "{{ task.a.output.value }}"
"""


@pytest.fixture(autouse=True)
def flow(write) -> None:
    write(**{"flow.yaml": FLOW})


def store() -> Store:
    return open_store(os.environ["FANWISE_STORE"])


def test_submit_prints_the_id_of_a_run_that_waits(fanwise, folder: Path) -> None:
    """With its parameters checked, its paths absolute, and its place in a queue."""
    told = fanwise("submit", "flow.yaml", "-p", "n=3", "--tag", "eu", "--queue", "q")
    assert (told.status, told.err) == (0, "")
    (run_id,) = told.out.split()
    (listed,) = map(json.loads, fanwise("runs", "--json", "--status", "pending").out.splitlines())
    assert (listed["run_id"], listed["status"], listed["tags"]) == (run_id, "pending", ["eu"])
    assert (listed["queue"], listed["priority"], listed["tries"], listed["why"]) == (
        "q",
        0,
        0,
        None,
    )
    shown = json.loads(fanwise("show", run_id, "--json").out)
    assert shown["file"] == str(folder / "flow.yaml")
    assert shown["parameters"] == {"n": 3}
    assert (shown["queue"], shown["status"]) == ("q", "pending")
    assert "Queue: q, priority 0" in fanwise("show", run_id).out
    assert "pending" in fanwise("runs").out


def test_no_more_runs_are_submitted_than_may_wait(fanwise, monkeypatch) -> None:
    """It says which limit it is, in one line."""
    monkeypatch.setenv("FANWISE_LIMIT_QUEUED", "1")
    assert fanwise("submit", "flow.yaml", "-p", "n=3").status == 0
    told = fanwise("submit", "flow.yaml", "-p", "n=3", "--run-id", "next")
    assert (told.status, told.out) == (1, "")
    assert told.err == (
        "run next isn't made: 1 runs of flow wait already, as many as the limit `queued` allows. "
        "Start engines with fanwise work, or set FANWISE_LIMIT_QUEUED.\n"
    )


def test_submit_tells_what_validate_warns_of(fanwise, write) -> None:
    """As `run` does, and makes the run."""
    write(**{"flow.yaml": "vars: {version: 3.10}\ntasks: [{name: a, action: core.noop}]\n"})
    told = fanwise("submit", "flow.yaml")
    assert told.status == 0
    assert "3.10" in told.err
    assert told.err == fanwise("run", "flow.yaml", "--dry-run").err


def test_submitting_once_gives_the_run_that_is_there(fanwise) -> None:
    """However often, and it says so."""
    first = json.loads(fanwise("submit", "flow.yaml", "-p", "n=3", "--once", "k", "--json").out)
    again = fanwise("submit", "flow.yaml", "-p", "n=4", "--once", "k")
    assert first["is_new"] is True
    assert again.out.split() == [first["run_id"]]
    assert "none was made" in again.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-p", "n=x"], 'the parameter "n" takes a whole number'),
        ([], 'the parameter "n" is required'),
        (["-p", "n=1", "--queue", "a b"], "can't be a queue"),
        (["-p", "n=1", "--queue", ""], "can't be a queue"),
        (["-p", "n=1", "--priority", "101"], "from -100 to 100"),
        (["-p", "n=1", "--once", ""], "1 to 200 characters"),
        (["-p", "n=1", "--run-id", "a/b"], "can't be the id of a run"),
    ],
)
def test_what_cannot_be_submitted_is_refused(fanwise, arguments: list[str], text: str) -> None:
    """In one line that quotes no value of a parameter, and nothing is recorded."""
    told = fanwise("submit", "flow.yaml", *arguments)
    assert (told.status, told.out) == (2, "")
    assert text in told.err
    assert len(told.err.splitlines()) == 1
    assert not Path(os.environ["FANWISE_STORE"]).exists()


@pytest.mark.parametrize("given", [[], ["-p", "token=hunter2"]])
def test_a_secret_parameter_is_refused(fanwise, write, given: list[str]) -> None:
    """It isn't recorded, so the run couldn't be driven; the line says what to do."""
    declared = "parameters: {token: {type: string, secret: true, required: true}}"
    text = f"{declared}\ntasks: [{{name: a, action: core.noop}}]"
    write(**{"secret.yaml": text})
    told = fanwise("submit", "secret.yaml", *given)
    assert told.status == 2
    assert 'the parameter "token" is secret' in told.err
    assert "secrets.NAME" in told.err
    assert "hunter2" not in told.err


def test_a_parameter_that_holds_a_secret_is_refused(fanwise, write, monkeypatch) -> None:
    """Masked, it would be another value; unmasked, it would be recorded."""
    monkeypatch.setenv("FANWISE_SECRET_KEY", "correct horse")
    write(**{"text.yaml": "parameters: {t: {type: string}}\ntasks: [{name: a, action: core.noop}]"})
    told = fanwise("submit", "text.yaml", "-p", "t=with correct horse inside")
    assert told.status == 2
    assert 'the parameter "t" holds a secret' in told.err
    assert "horse" not in told.err


def test_a_secret_of_the_workflow_need_not_be_known_where_it_is_submitted(fanwise, write) -> None:
    """It is that of the process which drives the run."""
    write(
        **{
            "s.yaml": "tasks:\n"
            "  - {name: a, action: core.shell, input: {script: 'true',"
            ' env: {K: "{{ secrets.KEY }}"}}}\n'
        }
    )
    assert fanwise("submit", "s.yaml").status == 0


def test_a_run_that_waits_can_be_cancelled_and_resumed_but_not_paused(fanwise) -> None:
    """Pausing says what holds; resuming drives it here, and it waits no more."""
    for run_id in ("a", "b"):
        fanwise("submit", "flow.yaml", "-p", "n=3", "--run-id", run_id)
    told = fanwise("pause", "a")
    assert told.status == 2
    assert 'run a is pending: it waits in the queue "default"' in told.err
    assert fanwise("cancel", "a").status == 0
    assert json.loads(fanwise("show", "a", "--json").out)["status"] == "cancelled"
    assert fanwise("resume", "b").out.strip() == "3"
    with store() as opened:
        places = opened.submissions([1, 2])
        assert not any(place.is_waiting for place in places.values())


def test_recover_and_prune_leave_runs_that_wait(fanwise) -> None:
    """They aren't interrupted, and they aren't over."""
    fanwise("submit", "flow.yaml", "-p", "n=3", "--run-id", "r")
    told = fanwise("recover")
    assert (told.status, told.err.splitlines()[0]) == (0, "0 interrupted runs.")
    assert fanwise("prune", "--keep", "0", "--status", "paused").out.strip() == "Nothing to delete."
    assert fanwise("runs", "--status", "interrupted").out.startswith("No runs.")
    assert fanwise("runs", "--status", "pending").out.startswith("RUN")


def test_engines_are_listed_with_what_they_drive(fanwise) -> None:
    """As a table, and as lines of JSON."""
    assert fanwise("submit", "flow.yaml", "-p", "n=3", "--run-id", "r").status == 0
    assert fanwise("engines").out.strip() == "No engines."
    with store() as opened:
        number = opened.enroll(an_owner())
        opened.claim(number, ["default"], 1)
    (line,) = fanwise("engines", "--json").out.splitlines()
    engine = json.loads(line)
    assert (engine["engine"], engine["pid"], engine["runs"]) == (number, 17, ["r"])
    assert engine["since"].endswith("Z")
    heading, row = fanwise("engines").out.splitlines()
    assert heading.split()[:3] == ["ENGINE", "HOST", "PROCESS"]
    assert row.split()[-2:] == ["1", "r"]


def test_python_submits_as_the_command_does(folder: Path) -> None:
    """The run is returned at once, and a known key gives the run that has it."""
    first = fanwise.submit("flow.yaml", {"n": 1}, queue="q", priority=-3, once="k", tags=["eu"])
    assert (first.status, first.is_interrupted, first.tags) == ("pending", False, ("eu",))
    assert first.parameters == {"n": 1}
    assert fanwise.submit("flow.yaml", {"n": 2}, once="k").id == first.id
    with pytest.raises(fanwise.FanwiseError, match="is pending: it waits in the queue"):
        fanwise.pause(first.id)
    with store() as opened:
        (place,) = opened.submissions([1]).values()
        assert (place.queue, place.priority, place.once) == ("q", -3, "k")
    with pytest.raises(fanwise.FanwiseError, match="whole number from -100"):
        fanwise.submit("flow.yaml", {"n": 2}, priority=1_000)
