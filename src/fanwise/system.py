"""The machine's clock, chance, secrets and processes: the engine's ports outside of tests."""

from __future__ import annotations

import asyncio
import getpass
import os
import random
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path

from fanwise.model import Owner
from fanwise.ports import SECRET_PREFIX, ProcessState, Timer

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
_PROC = Path("/proc")
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # without those that are read as another


class SystemClock:
    """The machine's time; implements `ports.Clock`."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, on the running event loop."""
        return asyncio.get_running_loop().call_later(delay_s, callback)


class SystemChance:
    """The machine's randomness; implements `ports.Randomness`."""

    fraction = staticmethod(random.random)

    def token(self, length: int) -> str:
        """So many letters and digits that can't be guessed."""
        return "".join(secrets.choice(_LETTERS) for _ in range(length))


class EnvironmentSecrets:
    """Secrets from environment variables `FANWISE_SECRET_NAME`; implements `ports.Secrets`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def get(self, name: str) -> str | None:
        """The secret's value, or None if there is none."""
        return self._environment.get(SECRET_PREFIX + name)

    def values(self) -> Sequence[str]:
        """The values of all secrets that there are."""
        return [
            value for name, value in self._environment.items() if name.startswith(SECRET_PREFIX)
        ]


def user_name() -> str:
    """The name of the user that this process runs as."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in some containers
        return str(os.getuid())


class SystemProcesses:
    """The processes of this machine; implements `ports.Processes`.

    On Linux they are read from `/proc`, elsewhere asked of `ps`, which POSIX describes.
    """

    def this(self) -> Owner:
        """This process, with a token that nobody else has."""
        pid = os.getpid()
        _, started = _look_at(pid) or ("", "")
        return Owner(socket.gethostname(), _machine(), pid, started, secrets.token_hex(8))

    def state(self, owner: Owner) -> ProcessState:
        """The state of a process; that of a process on another machine is unknown."""
        if (owner.host, owner.machine) != (socket.gethostname(), _machine()):
            return ProcessState.UNKNOWN
        found = _look_at(owner.pid)
        if found is None:
            return ProcessState.GONE
        letter, started = found
        if started != owner.started or letter in "ZX":  # its number is another's, or it is dead
            return ProcessState.GONE
        return ProcessState.STOPPED if letter in "Tt" else ProcessState.ALIVE


def usable_cores(files: Path = Path("/")) -> int:
    """The cores that this process may use: by its affinity, and by the quota of its cgroup.

    `files` is where the machine's files are.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quotas = [quota for folder in _cgroups(files) if (quota := _cpu_quota(folder)) is not None]
    return max(1, min([cores, *map(ceil, quotas)]))


def _cgroups(files: Path) -> list[Path]:
    """The folders of this process's cgroup (version 2) and of those around it."""
    root = files / "sys/fs/cgroup"
    with suppress(OSError):
        for line in (files / "proc/self/cgroup").read_text("utf-8").splitlines():
            if line.startswith("0::/"):
                own = root / line.removeprefix("0::/")
                return [own, *(folder for folder in own.parents if folder.is_relative_to(root))]
    return [root]


def _cpu_quota(cgroup: Path) -> float | None:
    """The cores that a cgroup may keep busy; None if it has no bound."""
    try:
        quota, period = (cgroup / "cpu.max").read_text("ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # "max" is no number
        return None


def _machine() -> str:
    """The running system that process numbers count in: this boot, and this namespace of it."""
    with suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{os.readlink(_PROC / 'self/ns/pid')}"  # noqa: PTH115  # not a path
    return ""


def _look_at(pid: int) -> tuple[str, str] | None:
    """A process's state, as a letter, and when it was started; None if there is none."""
    try:
        text = (_PROC / f"{pid}/stat").read_text("utf-8", "replace")
    except FileNotFoundError:
        return None if (_PROC / "self/stat").exists() else _ask_ps(pid)
    except ProcessLookupError:  # it has ended in this moment
        return None
    # The name before the last parenthesis may hold anything; see proc(5).
    letter, *rest = text.rpartition(")")[2].split()
    return letter, rest[18]


def _ask_ps(pid: int) -> tuple[str, str] | None:
    asked = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
    # The time is compared with what another process was told, whatever its locale and time zone.
    plain = {**os.environ, "LC_ALL": "C", "TZ": "UTC0"}
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=plain)
    told = done.stdout.split(None, 1)
    return (told[0][0], told[1].strip()) if len(told) == 2 else None


def keep_one_heap() -> bool:
    """Let all threads of this process take memory from one heap; False if its C library can't.

    A heap for each thread gives little back. Threads that wait for a lock of Python most of the
    time lose nothing.
    """
    import ctypes

    try:
        return bool(ctypes.CDLL(None).mallopt(_ARENA_MAX, 1))
    except (AttributeError, OSError):
        return False
