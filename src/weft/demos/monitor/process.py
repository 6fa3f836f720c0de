"""Starting the demo's server in a process of its own, and ending it.

The server ends with the block that started it, and also when this process is killed: its standard
input closes then. Ctrl-C in the terminal doesn't reach it, so checks in flight can finish.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weft.errors import UsageError


@contextmanager
def serving(
    *,
    servers: int = 1000,
    seed: int = 7,
    all_healthy: bool = False,
    access_log: Path | None = None,
) -> Iterator[str]:
    """Run the server while the block lasts, and give its URL.

    Raises `UsageError` if it can't start; why is on standard error.
    """
    command = [sys.executable, "-m", "weft.demos.monitor.server"]
    command += ["--servers", str(servers), "--seed", str(seed)]
    if all_healthy:
        command.append("--all-healthy")
    if access_log is not None:
        command += ["--access-log", str(access_log)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise UsageError("the demo's server didn't start.", hint="Its own message is above.")
        try:
            yield url
        finally:
            # Popen closes the pipes and waits when the `with` block is left.
            process.terminate()
