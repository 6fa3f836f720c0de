"""Ctrl-C and SIGTERM at moments when no run is driven."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FANWISE = [sys.executable, "-m", "fanwise"]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]

# Python imports it at its start. The process strikes itself when it imports the module STRIKE_AT.
SITE = """\
import os, sys

class Striking:
    def find_spec(self, name, *_):
        if name == os.environ["STRIKE_AT"]:
            os.kill(os.getpid(), int(os.environ["STRIKE_WITH"]))

sys.meta_path.insert(0, Striking())
"""
# Code that catches all there is, as some packages do while they look for others.
ACTIONS = """\
import os, time
import fanwise
try:
    os.kill(os.getpid(), int(os.environ["STRIKE_WITH"]))
    time.sleep(60)
except BaseException:
    pass

@fanwise.action("my.noop")
def noop() -> None: ...
"""
LONG = """\
tasks:
  - {name: each, action: core.echo, with-items: {range: 10000}, input: {value: "{{ item }}"}}
"""


@pytest.fixture
def strike(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Carry out a command that strikes itself, and return its status and what it has said."""

    def strike(number: int, module: str, *command: str) -> tuple[int, str]:
        environment = os.environ | {
            "STRIKE_AT": module,
            "STRIKE_WITH": str(int(number)),
            "PYTHONPATH": str(folder / "site"),
        }
        done = subprocess.run(
            [*FANWISE, *command], capture_output=True, check=False, text=True, env=environment
        )
        return done.returncode, done.stdout + done.stderr

    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    return strike


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("fanwise.cli.app", "--help"),
        ("typer", "runs"),
        ("fanwise.definition", "validate flow.yaml"),
        ("sqlite3", "show r1"),
        ("sqlite3", "db check"),
        ("fanwise.wiring", "items r1 each"),
        ("fanwise.stores", "export r1"),
        ("fanwise.stores", "prune --keep 0"),
        ("asyncio", "run flow.yaml"),
        ("tempfile", "demo logs"),
    ],
)
def test_a_signal_while_modules_are_imported_ends_the_command(
    fanwise, strike, write, module: str, command: str, number: int, status: int
):
    """At once, without a word, and with what shells give for that signal."""
    write(**{"flow.yaml": "tasks: [{name: each, action: core.noop}]\n"})
    assert fanwise("run", "flow.yaml", "--run-id", "r1").status == 0
    assert strike(number, module, *command.split()) == (status, "")


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_signal_while_actions_are_imported_ends_the_command(
    strike, write, command: str, number: int, status: int
):
    """Their code can't catch it."""
    write(**{"flow.yaml": "tasks: [{name: a, action: my.noop}]\n", "actions.py": ACTIONS})
    assert strike(number, "", command, "flow.yaml") == (status, "")


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize("command", ["items r1 each --limit 10000", "export r1"])
def test_a_signal_ends_a_command_that_prints_a_long_list(
    fanwise, write, command: str, number: int, status: int
):
    """Also while it waits for a reader who has read the first line only."""
    write(**{"flow.yaml": LONG})
    assert fanwise("run", "flow.yaml", "--run-id", "r1").status == 0
    with subprocess.Popen(
        [*FANWISE, *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.send_signal(number)
        assert (process.wait(), process.stderr.read()) == (status, b"")


def test_an_ignored_signal_stays_ignored(strike, write):
    """As `nohup` and a shell's `&` want it."""
    write(**{"flow.yaml": "tasks: [{name: each, action: core.noop}]\n"})
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert strike(signal.SIGINT, "fanwise.definition", "validate", "flow.yaml")[0] == 0
    finally:
        signal.signal(signal.SIGINT, previous)


def test_a_demo_that_is_ended_leaves_no_files_behind(folder: Path, strike, monkeypatch):
    """Its temporary folder goes with it."""
    (folder / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / "temporary"))
    status, said = strike(signal.SIGTERM, "fanwise.demos.logs.play", "demo", "logs")
    assert (status, said) == (143, "")
    assert list((folder / "temporary").iterdir()) == []
