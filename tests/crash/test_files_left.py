"""Processes that may open few files."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

FANWISE = [sys.executable, "-m", "fanwise"]
WORDS = "may open no more files"
# Far more commands than fit begin before the first of them ends.
SHELLS = """\
tasks:
  - name: each
    action: core.shell
    with-items: {range: 60}
    concurrency: 60
    tolerate: 100%
    input: {command: [sleep, "1"]}
"""
REQUESTS = """\
tasks:
  - name: each
    action: core.http
    with-items: {range: 60}
    concurrency: 60
    tolerate: 100%
    input: {url: "http://127.0.0.1:1/"}
"""


def run(folder: Path, text: str, files: int) -> subprocess.CompletedProcess[str]:
    """Run a workflow in a process that may have so many files open at once."""
    (folder / "few.yaml").write_text(text)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return subprocess.run(
        [*FANWISE, "run", "few.yaml", "--run-id", "r"],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "FANWISE_STORE": str(folder / "runs.db")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard)),
        text=True,
    )


def errors(folder: Path) -> set[str]:
    """The messages of the errors that the items of the run have recorded."""
    done = subprocess.run(
        [*FANWISE, "items", "r", "each", "--status", "failed", "--json"],
        capture_output=True,
        check=True,
        env={**os.environ, "FANWISE_STORE": str(folder / "runs.db")},
    )
    return {json.loads(line)["error"]["message"] for line in done.stdout.splitlines()}


def test_commands_without_files_left_fail_and_say_so(tmp_path: Path) -> None:
    """The attempts fail, and the run goes on."""
    assert run(tmp_path, SHELLS, 40).returncode == 0
    assert errors(tmp_path) == {"core.shell: too many open files."}


@pytest.mark.parametrize("files", [6, 8, 10, 12, 16, 24])
def test_however_few_files_there_are_it_is_told_in_a_line(tmp_path: Path, files: int) -> None:
    """The run ends as runs do, or stops as for a store that fails, and no traceback comes."""
    done = run(tmp_path, REQUESTS, files)
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert done.returncode in (0, 2), done.stderr
    if done.returncode == 2:
        lines = [line for line in done.stderr.splitlines() if "has started" not in line]
        assert len(lines) == 1, done.stderr
        assert WORDS in lines[0] or "too many open files" in lines[0].lower(), done.stderr
