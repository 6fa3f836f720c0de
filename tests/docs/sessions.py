"""Carries out the sessions that the documentation shows, in this process, to be quick.

What ends its process, so that a shell says "Killed", gets one of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fanwise.cli import main

FOLDER = "/home/ada/work"
"""What the documentation calls the folder of a session."""

KILLED = "Killed\n"
"""What a shell says of a process that SIGKILL has ended."""

_RESULTS_ONLY = " 2>/dev/null"
_VARYING = [
    (re.compile(r"\b\d{8}-\d{6}-[a-z0-9]{4}\b"), "RUN"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z?)?"), "TIME"),
    # Told only where the two spans differ by much, as they do on a busy machine.
    (re.compile(r", [^,\n]+ after its start$", flags=re.MULTILINE), ""),
    (re.compile(r"\b[\d.,]+ ?(ms|s)\b"), "SPAN"),
    (re.compile(r"^Store: .*", flags=re.MULTILINE), "Store: PLACE, SIZE"),
    (re.compile(r" +"), " "),
]


class Command(NamedTuple):
    """A command line, and what the page says that it prints."""

    line: str
    printed: str


def commands(session: str) -> Iterator[Command]:
    """The commands of a session."""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        line, _, printed = part.partition("\n")
        yield Command(line, printed)


def carry_out(line: str, folder: Path, *, is_killed: bool = False) -> str:
    """What `NAME=VALUE... fanwise ...`, `... python FILE` or `cat FILE` prints in a folder.

    Errors are included. `python -m pytest ...`, and what is killed or in a pipe, gets a process of
    its own.
    """
    words = shlex.split(line.removesuffix(_RESULTS_ONLY))
    environment = dict(os.environ)
    told = io.StringIO()
    errors = io.StringIO() if line.endswith(_RESULTS_ONLY) else told
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(told),
        contextlib.redirect_stderr(errors),
    ):
        try:
            while "=" in words[0]:
                name, _, value = words.pop(0).partition("=")
                os.environ[name] = value
            os.environ.pop("COLUMNS", None)  # pages show texts whole
            os.environ.pop("PYTEST_ADDOPTS", None)
            os.environ["FANWISE_STORE"] = str(folder.parent / "fanwise.db")
            with contextlib.suppress(SystemExit):
                if "|" in words:
                    told.write(run_piped(line))
                elif words[0] == "cat":
                    told.write(Path(words[1]).read_text())
                elif is_killed:
                    told.write(run_aside(["-m", *words]))
                elif words[0] == "fanwise":
                    main(words[1:])
                elif words[1] == "-m":
                    told.write(run_aside(words[1:]))
                else:
                    _, script = words
                    runpy.run_path(script, run_name="__main__")
        finally:
            os.environ.clear()
            os.environ.update(environment)
    return told.getvalue().replace(str(folder), FOLDER)


def run_piped(line: str) -> str:
    """What a shell prints for a line in the current folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", line],
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ran.stdout


def run_aside(arguments: list[str]) -> str:
    """What Python prints in a process of its own, in the current folder."""
    command = [sys.executable, "-B", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr + (KILLED if ran.returncode == -signal.SIGKILL else "")


def alike(text: str) -> list[str]:
    """The lines of a text, with what differs from run to run made the same."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]
