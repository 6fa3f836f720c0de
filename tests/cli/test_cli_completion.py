"""`weft completion`: what bash is told at the tab key, by a real bash."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import weft as library

BASH = shutil.which("bash")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    each = {"name": "each", "action": "core.noop", "with-items": [1]}
    flow = {"name": "flow", "tasks": [{"name": "a", "action": "core.noop"}, each]}
    library.run(flow, store=str(folder / "runs.db"), run_id="run-1", tags=["nightly"])
    library.run({**flow, "name": "two words"}, store=str(folder / "runs.db"), run_id="run-2")
    return str(folder / "runs.db")


def words_of(line: str) -> list[str]:
    """The words of a command line, of which the last one is to be completed."""
    return [*shlex.split(line), *([""] if line.endswith(" ") else [])]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("weft ru", ["run", "runs"]),
        ("weft items --sta", ["--status"]),
        ("weft runs --status p", ["pending", "paused"]),
        ("weft runs --before run-", ["run-2", "run-1"]),
        ("weft items run-1 ", ["each"]),
        ("weft items nothing ", []),
        ("weft logs run-1 ", ["a", "each"]),
        ("weft runs --tag ", ["nightly"]),
        ("weft runs --workflow ", ["flow"]),
        ("weft resume run-", ["run-2", "run-1"]),
        ("weft cancel ", ["run-2", "run-1"]),
        ("weft retry run-1 --from ", ["a", "each"]),
        ("weft runs --status in", ["interrupted"]),
        ("weft demo m", ["monitor"]),
        ("weft bench fan", ["fanout"]),
        ("weft actions core.ht", ["core.http"]),
        ("weft show --store none.db ", []),
        ("weft run fl", []),
    ],
)
def test_what_weft_and_its_store_know_is_completed(
    weft, monkeypatch: pytest.MonkeyPatch, store: str, line: str, offered: list[str]
):
    """Commands, options and their values; ids, tasks, workflows and tags; files are the shell's."""
    words = words_of(line)
    monkeypatch.setenv("WEFT_STORE", store)
    monkeypatch.setenv("_WEFT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    told = weft()
    assert told.out.split() == offered
    assert told.err == ""


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [("weft sho", "show"), ("weft show run", "run-2 run-1"), ("weft run f", "")],
)
def test_bash_asks_weft(folder: Path, store: str, line: str, offered: str):
    """As its script says; where weft knows nothing, bash goes on to files."""
    (folder / "weft").write_text(f'#!/bin/sh\nexec {sys.executable} -m weft "$@"\n')
    (folder / "weft").chmod(0o755)
    words = words_of(line)
    script = f"""
source <(weft completion bash)
COMP_WORDS=({shlex.join(words)})
COMP_CWORD={len(words) - 1}
_weft_completion weft
echo "${{#COMPREPLY[@]}} ${{COMPREPLY[*]}}"
"""
    done = subprocess.run(
        [BASH, "--norc", "-c", script],
        env={**os.environ, "WEFT_STORE": store, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{len(offered.split())} {offered}\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_for_weft(weft, shell: str):
    """Which evaluates nothing of what weft answers."""
    told = weft("completion", shell)
    assert told.status == 0
    assert "_WEFT_COMPLETE=complete_bash" in told.out
    assert "eval" not in told.out


def test_an_unknown_shell_is_the_commands_fault(weft):
    """It says which there are."""
    told = weft("completion", "tcsh")
    assert told.status == 2
    assert "fish" in told.err
