"""The cost of being watched: a fan-out that a server tells of, and one that nobody watches.

The server and the reader of its stream are processes of their own on the same machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from benchmarks.serving import answer, serving
from fanwise.bench.budget import Budget, at_least
from fanwise.bench.comparison import Comparison, render
from fanwise.bench.measure import DEFAULT_ROUNDS, alternate
from fanwise.bench.runs import run, task_seconds
from fanwise.errors import UsageError
from fanwise.model import Role
from fanwise.server.token_making import new_token_text
from fanwise.stores import open_store
from fanwise.values import Json

ITEMS: Final = 300_000
ALONE: Final = "nobody watches"
WATCHED: Final = "watched"
_TASK: Final = "work"
_LOOK_S: Final = 0.02


def compare(*, items: int = ITEMS, rounds: int = DEFAULT_ROUNDS) -> Comparison:
    """Measure; it takes some seconds a round. Raises `UsageError` if nothing was told."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "fanwise.db"
        with open_store(str(file)) as store:
            token = str(new_token_text(store, "reader", Role.READ))
        with serving(file, Path(folder)) as (_, connection, _):
            url = f"http://{connection.host}:{connection.port}"
            sides: dict[str, Callable[[], float]] = {
                ALONE: partial(_fan_out, file, items),
                WATCHED: lambda: _watched(file, items, url, token),
            }
            for side in sides.values():  # what only a first run does isn't measured
                side()
            seconds = alternate(sides, rounds)
    return Comparison(
        what=f"A fan-out of {items:,} no-ops on SQLite beside a server",
        baseline=ALONE,
        rounds=rounds,
        seconds=seconds,
        items=items,
    )


def _fan_out(file: Path, items: int) -> float:
    task: dict[str, Json] = {
        "name": _TASK,
        "action": "bench.noop",
        "with-items": {"range": items},
        "input": {"item": "{{ item }}"},
    }
    return task_seconds(run({"tasks": [task]}, file), _TASK)


def _watched(file: Path, items: int, url: str, token: str) -> float:
    """The seconds of a fan-out of which a stream tells."""
    command = [sys.executable, "-m", "benchmarks.watched", url, token, str(items)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        try:
            reader.stdout.readline()  # it looks
            seconds = _fan_out(file, items)
            told, _ = reader.communicate()
        finally:
            reader.terminate()
    if not int(told):
        raise UsageError("the server's stream ended before the run.")
    return seconds


def _watch(url: str, token: str, items: int) -> int:
    """Read of the next run until all its items have ended; the times that it was told of."""
    place = urlsplit(url)
    with closing(HTTPConnection(place.hostname or "", place.port, timeout=60)) as connection:
        before = _newest(connection, token)
        sys.stdout.write("looks\n")
        sys.stdout.flush()
        while (run_id := _newest(connection, token)) in ("", before):
            time.sleep(_LOOK_S)
        topics = f"topic=run:{run_id}&topic=task:{run_id}/{_TASK}"
        events = answer(connection, f"/api/v1/events?{topics}", token)
        for told, counts in enumerate(_tasks(events), start=1):
            if counts["succeeded"] == items:
                return told
    return 0


def _newest(connection: HTTPConnection, token: str) -> str:
    """The id of the newest run, or empty text."""
    runs = json.loads(answer(connection, "/api/v1/runs?limit=1", token).read())["runs"]
    return str(runs[0]["run_id"]) if runs else ""


def _tasks(lines: Iterable[bytes]) -> Iterator[dict[str, int]]:
    """The counts of items, each time that the stream tells them."""
    kind = b""
    for line in lines:
        if line.startswith(b"event: "):
            kind = line.removeprefix(b"event: ").strip()
        elif line.startswith(b"data: ") and kind == b"task":
            yield json.loads(line.removeprefix(b"data: "))["items"]


def budgets(figures: Comparison) -> list[Budget]:
    """The promised limit, beside the measured figure."""
    what = "a fan-out that is watched, against one that nobody watches"
    return [at_least(what, 0.97, "times", figures.speed(WATCHED))]


__all__ = ["budgets", "compare", "render"]


if __name__ == "__main__":
    sys.stdout.write(str(_watch(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
