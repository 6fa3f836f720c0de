"""One life of a run: a `fanwise` process, which is struck by a signal after it has said so much.

What it prints to standard error and what its actions tell (`torture_pack`) come by one pipe, line
by line. So a signal is sent at a moment of the process's own, not of the clock, and what was told
by then is known for sure, whatever becomes of the process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Self


class Life:
    """A process that runs `fanwise` with these arguments, to be used as a block; its end kills it.

    `begun` and `ended` are the idempotency keys that its actions have told, `said` is all else.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.said: list[str] = []
        source, target = os.pipe()
        self._lines = os.fdopen(source, encoding="utf-8", errors="replace")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fanwise", *arguments],
                env={**os.environ, **environment, "TORTURE_TO": str(target)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=target,
                pass_fds=[target],
            )
        finally:
            os.close(target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._lines.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def read(self, lines: int) -> bool:
        """Wait for so many lines more; False if the process has ended before."""
        for line in self._lines:
            if not (text := line.strip()):
                continue
            match text.split(" ", 1):
                case ["@begin", key]:
                    self.begun.append(key)
                case ["@end", key]:
                    self.ended.append(key)
                case _:
                    self.said.append(text)
            lines -= 1
            if lines <= 0:
                return True
        return False

    def strike(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def stop(self) -> bool:
        """Stop the process where it is; False if it has ended before."""
        self.strike(signal.SIGSTOP)
        awaited = os.WSTOPPED | os.WEXITED | os.WNOWAIT
        found = os.waitid(os.P_PID, self.pid, awaited)
        return found is not None and found.si_code == os.CLD_STOPPED

    def end(self) -> int:
        """Wait for the end of the process, and return its exit status; below 0 for a signal."""
        self.read(sys.maxsize)
        return self._process.wait()
