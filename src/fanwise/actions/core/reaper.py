"""A reaper of commands: it kills those of `core.shell` that outlive a fanwise that was killed.

A process that is killed takes nobody with it: a command would run on beside the one that a resumed
run starts in its place. So a small shell waits at the other end of a pipe, in a session of its own,
which no Ctrl-C reaches. When the pipe is closed, for whatever reason, it kills the commands that
are left, and ends. It never does anything else.

A command is known before it runs, by a mark in its environment; once it has started, by its process
group. The pipe is closed only when no process has it open any more, and a process that fanwise has
forked has it open until it becomes the command. So at that moment each command has its mark, or is
about to: Linux shows it in `/proc/PID/environ`. Elsewhere the mark finds nothing, and a command
that was begun in the last few milliseconds may be left.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import suppress
from typing import Final

MARK: Final = "FANWISE_COMMAND"
"""The environment variable that holds a command's mark."""

_SCRIPT: Final = """
marks=" " groups=" "
while read -r sign mark group; do
    case $sign in
        begin) marks="$marks$mark " ;;
        watch) groups="$groups$group " ;;
        forget) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
    esac
    case $sign in
        watch|failed) marks="${marks%%" $mark "*} ${marks#*" $mark "}" ;;
    esac
done
for group in $groups; do
    kill -s KILL -- "-$group"
done
set --
for mark in $marks; do
    set -- "$@" -e "@MARK@=$mark"
done
for turn in 1 2 3; do
    [ $# -gt 0 ] || break
    for file in $(grep -lzxF "$@" /proc/[0-9]*/environ); do
        pid=${file#/proc/}
        kill -s KILL -- "-${pid%/environ}" || kill -s KILL "${pid%/environ}"
    done
    sleep 0.1
done
""".replace("@MARK@", MARK)


class Reaper:
    """Waits for the end of this process, to kill the commands that it knows of."""

    def __init__(self) -> None:
        self._token = os.urandom(8).hex()
        self._count = 0
        environment = {name: value for name, value in os.environ.items() if name != MARK}
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,  # a fanwise that is itself a command has a mark
        )

    def begin(self) -> str:
        """Return the mark of a command that is about to be started with it."""
        self._count += 1
        mark = f"{self._token}-{self._count}"
        self._write(f"begin {mark}")
        return mark

    def watch(self, mark: str, group: int) -> None:
        """Note the process group of a command that has started."""
        self._write(f"watch {mark} {group}")

    def failed(self, mark: str) -> None:
        """Forget a command that couldn't be started."""
        self._write(f"failed {mark}")

    def forget(self, group: int) -> None:
        """Forget a process group that has ended."""
        self._write(f"forget - {group}")

    async def close(self) -> None:
        """Kill the commands that are left, and end."""
        assert self._shell.stdin is not None
        with suppress(OSError):
            self._shell.stdin.close()
        await asyncio.to_thread(self._shell.wait)

    def _write(self, line: str) -> None:
        assert self._shell.stdin is not None
        # It is gone itself, or closed after the last run; commands run without it as well.
        with suppress(OSError, ValueError):
            self._shell.stdin.write(f"{line}\n".encode())
            self._shell.stdin.flush()
