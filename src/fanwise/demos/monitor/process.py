"""Starting the demo's server in a process of its own, and asking it for its counts."""

from __future__ import annotations

from contextlib import AbstractContextManager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from fanwise.demos import process
from fanwise.demos.monitor.server import Stats


def serving(
    *,
    servers: int = 1000,
    seed: int = 7,
    all_healthy: bool = False,
    access_log: Path | None = None,
    port: int = 0,
) -> AbstractContextManager[str]:
    """Run the server while the block lasts, and give its URL. As port 0 it takes any that is free.

    Raises `UsageError` if it can't start; why is on standard error.
    """
    arguments: list[object] = ["--servers", servers, "--seed", seed, "--port", port]
    if all_healthy:
        arguments.append("--all-healthy")
    if access_log is not None:
        arguments += ["--access-log", access_log]
    return process.serving("fanwise.demos.monitor.server", *arguments)


def ask_stats(url: str) -> Stats:
    """Fetch the counts of the server at `url`, directly, whatever proxies are set."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request("GET", "/stats")
        return msgspec.json.decode(connection.getresponse().read(), type=Stats)
    finally:
        connection.close()
