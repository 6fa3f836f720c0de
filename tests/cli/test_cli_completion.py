"""`fanwise completion`: what bash is told at the tab key, by a real bash."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fanwise as library
from fanwise.model import Status
from fanwise.stores import open_store
from fanwise.testing.records import a_run

BASH = shutil.which("bash")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    each = {"name": "each", "action": "core.noop", "with-items": [1]}
    size = {"size": {"choices": ["s", "m"], "default": "s"}, "key": {"secret": True}}
    flow = {
        "name": "flow",
        "parameters": size,
        "tasks": [{"name": "a", "action": "core.noop"}, each],
    }
    given = {"key": "hunter2"}
    library.run(flow, given, store=str(folder / "runs.db"), run_id="run-1", tags=["nightly"])
    library.run({**flow, "name": "two words"}, given, store=str(folder / "runs.db"), run_id="run-2")
    fields = {"percent": {"type": "integer", "default": 5}, "now": {"type": "boolean"}}
    asked = {"prompt": "Go on?", "options": ["yes", "never"], "answer": fields}
    asks = {"name": "asks", "tasks": [{"name": "sure", "action": "core.ask", "input": asked}]}
    library.run(asks, store=str(folder / "runs.db"), run_id="ask-1")
    with open_store(str(folder / "runs.db")) as recorded:
        recorded.create_run(a_run("run-3", workflow="flow", status=Status.PAUSED, ended_at=1.0))
        recorded.create_run(
            a_run("run-4", workflow="flow", status=Status.RUNNING)
        )  # driven by nobody
    return str(folder / "runs.db")


def words_of(line: str) -> list[str]:
    """The words of a command line, of which the last one is to be completed."""
    return [*shlex.split(line), *([""] if line.endswith(" ") else [])]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("fanwise ru", ["run", "runs"]),
        ("fanwise items --sta", ["--status"]),
        ("fanwise runs --status p", ["pending", "paused"]),
        ("fanwise runs --before run-", ["run-4", "run-3", "run-2", "run-1"]),
        ("fanwise items run-1 ", ["each"]),
        ("fanwise items nothing ", []),
        ("fanwise logs run-1 ", ["a", "each"]),
        ("fanwise runs --tag ", ["nightly"]),
        ("fanwise runs --workflow ", ["flow", "asks"]),
        ("fanwise show run-", ["run-4", "run-3", "run-2", "run-1"]),
        ("fanwise resume run-", ["run-4", "run-3"]),
        ("fanwise cancel ", ["run-4", "run-3"]),
        ("fanwise pause ", []),
        ("fanwise retry ", ["run-2", "run-1"]),
        ("fanwise retry run-1 -p ", ["size=", "key="]),
        ("fanwise retry run-1 -p size=", ["size=s", "size=m"]),
        ("fanwise retry run-1 -p size=s -p ", ["key="]),
        ("fanwise resume run-1 -p ", ["key="]),
        ("fanwise resume run-1 -p key=", []),
        ("fanwise answer ask-1 ", ["sure"]),
        ("fanwise answer run-1 ", []),
        ("fanwise answer ask-1 sure ", ["yes", "never"]),
        ("fanwise answer ask-1 sure yes -p ", ["percent=", "now="]),
        ("fanwise answer ask-1 sure -p percent=3 -p now=", ["now=true", "now=false"]),
        ("fanwise approve ask-1 other -p ", []),
        ("fanwise prune run-1 ", ["run-3", "run-2"]),
        ("fanwise retry run-1 --from ", ["a", "each"]),
        ("fanwise runs --status in", ["interrupted"]),
        ("fanwise demo m", ["monitor"]),
        ("fanwise bench fan", ["fanout"]),
        ("fanwise actions core.ht", ["core.http"]),
        ("fanwise show --store none.db ", []),
        ("fanwise run fl", []),
    ],
)
def test_what_fanwise_and_its_store_know_is_completed(
    fanwise, monkeypatch: pytest.MonkeyPatch, store: str, line: str, offered: list[str]
):
    """Commands, options and their values; ids, tasks, workflows and tags; files are the shell's."""
    words = words_of(line)
    monkeypatch.setenv("FANWISE_STORE", store)
    monkeypatch.setenv("_FANWISE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    told = fanwise()
    assert told.out.split() == offered
    assert told.err == ""


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("fanwise run f", ["flow.yaml", "flows/"]),
        ("fanwise run flows/", ["flows/inner.yml"]),
        ("fanwise run ./fl", ["./flow.yaml", "./flows/"]),
        ("fanwise submit flow.y", ["flow.yaml"]),
        ("fanwise graph none/", []),
        ("fanwise run flow.yaml -p ", ["region=", "count="]),
        ("fanwise run flow.yaml -p region=eu -p ", ["count="]),
        ("fanwise submit flow.yaml -p c", ["count="]),
        ("fanwise run -p ", []),
        ("fanwise run flow.yaml -p region=", []),
        ("fanwise submit typed.yaml -p size=", ["size=s", "size=m"]),
        ("fanwise run typed.yaml -p size=m", ["size=m"]),
        ("fanwise run typed.yaml -p n=", ["n=1", "n=2"]),
        ("fanwise run typed.yaml -p dry=", ["dry=true", "dry=false"]),
        ("fanwise run typed.yaml -p wet=t", ["wet=true"]),
        ("fanwise retry gone --file typed.yaml -p s", ["size="]),
        ("fanwise run other.yaml -p ", []),
    ],
)
def test_workflows_and_their_parameters_are_completed(
    fanwise, folder: Path, monkeypatch: pytest.MonkeyPatch, line: str, offered: list[str]
):
    """Other files aren't offered while there is a workflow, nor parameters that are given."""
    (folder / "flow.yaml").write_text(
        "parameters: {region: {type: string}, count: {type: integer}}\n"
        "tasks: [{name: a, action: my.own}]\n"
    )
    (folder / "other.yaml").write_text("services: {}\n")
    (folder / "typed.yaml").write_text(
        "parameters: {size: {choices: [s, m]}, n: {choices: [1, 2]}, dry: {type: boolean}, "
        "wet: {default: false}}\ntasks: [{name: a, action: my.own}]\n"
    )
    (folder / "actions.py").write_text("raise SystemExit('nobody asked for this')\n")
    (folder / "flows").mkdir()
    (folder / "flows" / "inner.yml").write_text("tasks: []\n")
    words = words_of(line)
    monkeypatch.setenv("_FANWISE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    told = fanwise()
    assert told.out.split() == offered
    assert told.err == ""


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("fanwise sho", "show"),
        ("fanwise show run", "run-4 run-3 run-2 run-1"),
        ("fanwise run f", ""),
        ("fanwise retry run-1 -p size =", "s m"),
        ("fanwise retry run-1 -p size = m", "m"),
        ("fanwise show --store sqlite : ///{store} run", "run-4 run-3 run-2 run-1"),
    ],
)
def test_bash_asks_fanwise(folder: Path, store: str, line: str, offered: str):
    """As its script says; where fanwise knows nothing, bash goes on to files.

    Bash gives the parts around a `=` or `:` as words of their own.
    """
    (folder / "fanwise").write_text(f'#!/bin/sh\nexec {sys.executable} -m fanwise "$@"\n')
    (folder / "fanwise").chmod(0o755)
    words = words_of(line.format(store=store))
    script = f"""
source <(fanwise completion bash)
COMP_WORDS=({shlex.join(words)})
COMP_CWORD={len(words) - 1}
_fanwise_completion fanwise
echo "${{#COMPREPLY[@]}} ${{COMPREPLY[*]}}"
"""
    done = subprocess.run(
        [BASH, "--norc", "-c", script],
        env={**os.environ, "FANWISE_STORE": store, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{len(offered.split())} {offered}\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_for_fanwise(fanwise, shell: str):
    """Which evaluates nothing of what fanwise answers."""
    told = fanwise("completion", shell)
    assert told.status == 0
    assert "_FANWISE_COMPLETE=complete_bash" in told.out
    assert "eval" not in told.out


def test_an_unknown_shell_is_the_commands_fault(fanwise):
    """It says which there are."""
    told = fanwise("completion", "tcsh")
    assert told.status == 2
    assert "fish" in told.err
