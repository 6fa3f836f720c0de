"""Starting the demo's server in a process of its own, asking it for its counts, and ending it.

The server ends with the block that started it, and also when this process is killed: its standard
input closes then. Ctrl-C in the terminal doesn't reach it, so checks in flight can finish.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from weft.demos.monitor.server import Stats
from weft.errors import UsageError


@contextmanager
def serving(
    *,
    servers: int = 1000,
    seed: int = 7,
    all_healthy: bool = False,
    access_log: Path | None = None,
    port: int = 0,
) -> Iterator[str]:
    """Run the server while the block lasts, and give its URL. As port 0 it takes any that is free.

    Raises `UsageError` if it can't start; why is on standard error.
    """
    command = [sys.executable, "-m", "weft.demos.monitor.server"]
    command += ["--servers", str(servers), "--seed", str(seed), "--port", str(port)]
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


def ask_stats(url: str) -> Stats:
    """What the server at `url` has counted. Goes there directly, whatever proxies are set."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request("GET", "/stats")
        return msgspec.json.decode(connection.getresponse().read(), type=Stats)
    finally:
        connection.close()
