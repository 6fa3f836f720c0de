"""A store that fails in the middle of a run stops it in one line, and the run can go on from there.

The disk is full, the file can't be written any more, or another process keeps it locked.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanwise.model import ItemOutcome
from fanwise.stores import open_store

FLOW = """\
tasks:
  - {name: before, action: my.work, with-items: {range: 30}, input: {n: "{{ item }}"}}
  - name: each
    action: my.work
    with-items: {range: 70}
    concurrency: 3
    input: {n: "{{ 30 + item }}"}
  - {name: after, action: my.work, input: {n: 100}}
output: "{{ task.each.output | map('length') | sum }}"
"""
# The work 30 makes the trouble that the variable TROUBLE names. All work tells that it begins.
ACTIONS = """\
import asyncio, os, resource, subprocess, sys
import fanwise

STORE = os.environ["STORE"]
TROUBLE = os.environ.get("TROUBLE")
LOCK = '''
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
'''

def fill():
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(f"{STORE}-wal"), hard))

def close_for_writing():
    for name in os.listdir("/proc/self/fd"):
        path = os.path.realpath(f"/proc/self/fd/{name}")
        if path == f"{STORE}-wal":
            unwritable = os.open(path, os.O_RDONLY)
            os.dup2(unwritable, int(name))
            os.close(unwritable)

def lock(span_s):
    locker = subprocess.Popen(
        [sys.executable, "-c", LOCK, STORE, span_s],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert locker.stdout.readline() == b"locked\\n"
    with open("locker", "w") as file:
        file.write(str(locker.pid))

TROUBLES = {
    "full": fill,
    "stuck": fill,
    "unwritable": close_for_writing,
    "removed": lambda: os.unlink(STORE),
    "locked": lambda: lock("1000"),
    "locked for a while": lambda: lock("0.3"),
}

@fanwise.action("my.work")
async def work(n: int) -> str:
    with open("begun", "a") as begun:
        begun.write(f"{n}\\n")
    if n == 30 and TROUBLE in TROUBLES:
        TROUBLES[TROUBLE]()
    while n == 31 and TROUBLE == "stuck":
        try:
            await asyncio.sleep(1_000)
        except asyncio.CancelledError:
            pass
    return "x" * 2_000
"""


class Project:
    """A folder with a workflow, in which `fanwise` runs in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "runs.db"

    def fanwise(self, *arguments: str, query: str = "", trouble: str = "") -> tuple[int, str, str]:
        """The exit status, standard output and standard error of a command."""
        done = subprocess.run(
            [sys.executable, "-m", "fanwise", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "FANWISE_STORE": f"{self.store}{query}",
                "STORE": str(self.store),
                "TROUBLE": trouble,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    def recorded(self) -> set[int]:
        """The numbers of the work that is recorded as done."""
        with open_store(str(self.store), read_only=True) as store:
            items = [each for each in store.export("r") if isinstance(each, ItemOutcome)]
        return {each.index + 30 * (each.visit_no - 1) for each in items}

    def begun(self) -> list[int]:
        """The numbers of the work that has begun since this was asked for the last time."""
        file = self.folder / "begun"
        numbers = [int(line) for line in file.read_text().split()]
        file.unlink()
        return numbers

    def mend(self) -> None:
        """End the process that keeps the store locked, if there is one."""
        locker = self.folder / "locker"
        if locker.exists():
            os.kill(int(locker.read_text()), signal.SIGKILL)
            locker.unlink()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "actions.py").write_text(ACTIONS)
    project = Project(tmp_path)
    yield project
    project.mend()


on_linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc")


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("full", "the disk "),
        ("stuck", "the disk "),
        pytest.param("unwritable", "the disk reports an error", marks=on_linux),
        ("locked", "another process keeps it locked (database is locked). Wait until that "),
    ],
)
def test_a_store_that_fails_stops_the_run_which_goes_on_once_it_is_mended(
    project: Project, trouble: str, told: str
) -> None:
    """One line says what and where, what to do, and how to go on; nothing recorded is done again.

    An action that lets nobody cut it off holds up nothing.
    """
    status, out, err = project.fanwise(
        "run", "flow.yaml", "--run-id", "r", query="?timeout=100ms", trouble=trouble
    )
    assert (status, out) == (2, "")
    line = err.splitlines()[-1]
    assert err.count(str(project.store)) == 1
    assert line.startswith(f"{project.store}: {told}")
    assert line.endswith("What was recorded by now is kept. Resume with: fanwise resume r")
    project.begun()

    project.mend()
    recorded = project.recorded()
    assert {*range(30)} <= recorded
    assert len(recorded) < 100
    status, out, err = project.fanwise("resume", "r")
    assert (status, out) == (0, "140000\n")
    assert sorted(project.begun()) == [n for n in range(101) if n not in recorded]


def test_a_store_that_is_removed_stops_the_run(project: Project) -> None:
    """One line says so, and hardly anything more is done: nothing of it could be recorded."""
    status, out, err = project.fanwise("run", "flow.yaml", "--run-id", "r", trouble="removed")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"{project.store}: the file was removed while it was in")
    assert "Resume with" not in err
    assert 100 not in project.begun()


def test_a_store_that_is_locked_for_a_while_is_waited_for(project: Project) -> None:
    """The run goes on as if nothing had been."""
    status, out, _ = project.fanwise("run", "flow.yaml", trouble="locked for a while")
    assert (status, out) == (0, "140000\n")
    assert sorted(project.begun()) == list(range(101))


def has_own_mounts() -> bool:
    """Whether a process may have file systems of its own here, without any rights."""
    unshare = shutil.which("unshare")
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return unshare is not None and not subprocess.run(command, capture_output=True).returncode


@pytest.mark.skipif(not has_own_mounts(), reason="needs namespaces for users and mounts")
def test_a_run_goes_on_when_a_disk_that_was_full_has_room_again(project: Project) -> None:
    """On a real file system of 2.6 MB: it says that the disk is full, also when asked to go on."""
    script = """
        mkdir disk && mount -t tmpfs -o size=2600k tmpfs disk
        fanwise run flow.yaml --run-id r; echo "status $?"
        fanwise resume r; echo "status $?"
        mount -o remount,size=30m disk
        fanwise resume r; echo "status $?"
    """
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script.replace("fanwise ", f"{sys.executable} -m fanwise ")],
        cwd=project.folder,
        env={**os.environ, "FANWISE_STORE": "disk/runs.db", "STORE": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    full = f"{project.folder}/disk/runs.db: the disk is full (database or disk is full). Free some"
    first, again, rest = done.stdout.split("status 2\n")
    assert full in first
    assert full in again
    assert rest.endswith("140000\nstatus 0\n")
