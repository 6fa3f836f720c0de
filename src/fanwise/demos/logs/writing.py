"""Writes the logs of the demo: the demo's server writes them, because it really is asked.

For more than `MAX_REQUESTS` lines, what the server wrote is repeated.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import msgspec

from fanwise.demos.logs.rotation import rotate
from fanwise.demos.logs.traffic import calls, request_all
from fanwise.demos.monitor.fleet import make_fleet
from fanwise.demos.monitor.inventory import write_inventory
from fanwise.demos.monitor.process import ask_stats, serving
from fanwise.errors import UsageError

MAX_REQUESTS = 10_000
"""So many requests are made at most."""

_SERVERS = 1_000
_SEED = 7
_MAX_FILES = 8


class Written(msgspec.Struct, frozen=True):
    """The files written: `log` is the newest of them, `inventory` lists the servers.

    `answers` has how many requests the server says that it answered with which status, each of
    which has a line; `cut` is how many lines there are besides, each cut off in its middle.
    """

    log: Path
    inventory: Path
    answers: dict[int, int]
    cut: int


def write_logs(folder: Path, lines: int) -> Written:
    """Write logs of at least so many lines into `folder`, in the place of those that are there.

    Raises `UsageError` if that isn't one line at least, or if the server doesn't start.
    """
    if lines < 1:
        raise UsageError(f"logs of {lines} lines can't be written.", hint="Take at least 1.")
    fleet = make_fleet(_SERVERS, _SEED)
    requests = min(lines, MAX_REQUESTS)
    whole, log = folder / "whole.log", folder / "access.log"
    for old in (*folder.glob("whole.log"), *folder.glob("access.log*")):
        old.unlink()
    with serving(servers=_SERVERS, seed=_SEED, access_log=whole) as url:
        asyncio.run(request_all(url, calls(fleet, requests, _SEED)))
        answers = Counter(ask_stats(url).by_status)
        answers[200] += 1  # the one that told them
        write_inventory(folder / "servers.json", url, fleet)
    times = -(-lines // requests)
    _repeat(whole, times)
    return Written(
        log=log,
        inventory=folder / "servers.json",
        answers={status: count * times for status, count in sorted(answers.items())},
        # Each file but the newest has a line that is cut off: one in a hundred at most.
        cut=rotate(whole, log, min(_MAX_FILES, 1 + lines // 100)),
    )


def _repeat(log: Path, times: int) -> None:
    content = log.read_bytes()
    with log.open("ab") as file:
        for _ in range(times - 1):
            file.write(content)
