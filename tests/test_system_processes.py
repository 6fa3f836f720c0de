"""What can be told of a process: whether it is there, stands still, or is gone for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from fanwise import system
from fanwise.model import Owner
from fanwise.ports import ProcessState
from fanwise.system import SystemProcesses, usable_cores

STAY = """
import msgspec, sys
from fanwise.system import SystemProcesses
sys.stdout.buffer.write(msgspec.json.encode(SystemProcesses().this()) + b"\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[bytes], Owner]]:
    """Another process, and what it says of itself."""
    with subprocess.Popen(
        [sys.executable, "-c", STAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield process, msgspec.json.decode(process.stdout.readline(), type=Owner)
        process.kill()


def test_this_process_is_alive() -> None:
    """It is told by its number, and each time with a token that nobody else has."""
    processes = SystemProcesses()
    one, same = processes.this(), processes.this()
    assert one.pid == os.getpid()
    assert processes.state(one) is ProcessState.ALIVE
    assert replace(one, token="") == replace(same, token="")
    assert one.token != same.token


def test_another_process_is_alive_until_it_ends(other) -> None:
    """Also while nobody has asked how it ended: such a process does nothing any more."""
    process, owner = other
    processes = SystemProcesses()
    assert processes.state(owner) is ProcessState.ALIVE
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert processes.state(owner) is ProcessState.GONE
    process.wait()
    assert processes.state(owner) is ProcessState.GONE


def test_a_stopped_process_is_no_dead_one(other) -> None:
    """It may go on at any time."""
    process, owner = other
    processes = SystemProcesses()
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert processes.state(owner) is ProcessState.STOPPED
    process.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, process.pid, os.WCONTINUED)
    assert processes.state(owner) is ProcessState.ALIVE


def test_a_number_that_another_process_has_by_now_is_not_taken_for_the_first() -> None:
    """When it was started tells the two apart."""
    reused = replace(SystemProcesses().this(), started="1")
    assert SystemProcesses().state(reused) is ProcessState.GONE


@pytest.mark.parametrize("changes", [{"host": "elsewhere"}, {"machine": "another boot"}])
def test_of_a_process_on_another_machine_nothing_is_known(changes: dict[str, str]) -> None:
    """Its number says nothing here, nor does it after this machine was started anew."""
    elsewhere = replace(SystemProcesses().this(), **changes)
    assert SystemProcesses().state(elsewhere) is ProcessState.UNKNOWN


PS = """#!/bin/sh
# As POSIX's ps: what it prints of a time depends on the locale and the time zone.
test "$*" = "-o state=,lstart= -p 42" && echo "$STATE the time in $LC_ALL and $TZ"
"""


def test_where_there_is_no_proc_the_ps_command_is_asked(tmp_path: Path, monkeypatch) -> None:
    """Whatever locale and time zone each of the processes that ask has."""
    (tmp_path / "ps").write_text(PS)
    (tmp_path / "ps").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(system, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(os, "getpid", lambda: 42)
    monkeypatch.setenv("STATE", "S+")
    processes = SystemProcesses()
    owner = processes.this()
    monkeypatch.setenv("LC_ALL", "ja_JP")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    for letters, state in {
        "Ss": ProcessState.ALIVE,
        "T": ProcessState.STOPPED,
        "Z+": ProcessState.GONE,
    }.items():
        monkeypatch.setenv("STATE", letters)
        assert processes.state(owner) is state
    assert processes.state(replace(owner, pid=43)) is ProcessState.GONE


@pytest.mark.parametrize(
    ("cgroup", "quotas", "cores"),
    [
        ("0::/", {"": "max 100000"}, 64),
        ("0::/", {"": "150000 100000"}, 2),
        ("0::/a/b", {"a/b": "max 100000", "a": "100000 100000"}, 1),
        ("0::/a/b", {"a/b": "10000 100000", "a": "max 100000"}, 1),
        ("1:name=systemd:/x", {"": "300000 100000"}, 3),
        ("", {}, 64),
    ],
)
def test_the_quota_of_a_cgroup_or_one_around_it_bounds_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cgroup: str, quotas: dict[str, str], cores: int
) -> None:
    """A container has as many cores as it may keep busy, whatever the machine has."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{cgroup}\n")
    for folder, quota in quotas.items():
        (tmp_path / "sys/fs/cgroup" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/fs/cgroup" / folder / "cpu.max").write_text(f"{quota}\n")
    assert usable_cores(tmp_path) == cores


_THREADS = """
import ctypes, sys, threading
from fanwise.system import keep_one_heap
told = keep_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
places = [libc.malloc(1000)]
thread = threading.Thread(target=lambda: places.append(libc.malloc(1000)))
thread.start()
thread.join()
print(told, abs(places[0] - places[1]) < 2**26)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the C library of Linux")
def test_threads_of_a_process_that_serves_share_one_heap() -> None:
    """Where the C library has a heap for each thread, none but the first one grows."""
    told = subprocess.run(
        [sys.executable, "-c", _THREADS], check=True, capture_output=True, text=True
    ).stdout.split()
    assert told in (["True", "True"], ["False", "True"], ["False", "False"])
