"""Kills what `core.shell` has started if fanwise dies before it could do so itself.

A process that is killed takes nobody with it: a command would run on beside the one that a resumed
run starts in its place. So a small shell waits at the other end of a pipe, in a session of its own,
which no Ctrl-C reaches. It is told of each process group that begins and ends; when the pipe is
closed, for whatever reason, it kills those that are left, and ends. It never does anything else.

A command is known to it some turns of the event loop after its start: if fanwise is killed in these
few milliseconds, the command is left.
"""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import suppress
from typing import Final

_SCRIPT: Final = """
groups=" "
while read -r sign group; do
    case $sign in
        +) groups="$groups$group " ;;
        -) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
    esac
done
for group in $groups; do
    kill -s KILL -- "-$group"
done
"""


class Reaper:
    """Waits for the end of this process, to kill the process groups that it watches."""

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """Kill this group if this process dies."""
        self._tell(f"+ {group}")

    def forget(self, group: int) -> None:
        """Leave this group alone: it has ended."""
        self._tell(f"- {group}")

    async def close(self) -> None:
        """Kill what is watched still, and end."""
        assert self._shell.stdin is not None
        with suppress(OSError):
            self._shell.stdin.close()
        await asyncio.to_thread(self._shell.wait)

    def _tell(self, what: str) -> None:
        assert self._shell.stdin is not None
        with suppress(OSError):  # it is gone itself; commands run without it as well
            self._shell.stdin.write(f"{what}\n".encode())
            self._shell.stdin.flush()
