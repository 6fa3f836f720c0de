"""Kills engines and their PostgreSQL server while many runs are driven: nothing may be lost by it.

Several engines, each a process of `fanwise work`, share the runs. Each time that so many attempts
more have begun, one blow is struck: an engine is killed and another one started, the server is
killed or restarted, all sessions are ended, or the connections lose an answer, such as that of a
COMMIT, or get them late. At the end each item has one outcome, no work was
begun after its outcome had been recorded, and at no moment did more runs of one key have items at
work than the workflow's concurrency allows.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

import fanwise
from benchmarks.postgres_server import PostgresServer, postgres_server
from benchmarks.relay import Relay, relay_to
from fanwise.bench.budget import Budget, nothing_of
from fanwise.bench.measure import DEFAULT_ROUNDS
from fanwise.bench.tables import figures_table
from fanwise.errors import UsageError
from fanwise.units import show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

RUNS = 1_000
ENGINES = 4
BLOWS = 40
ITEMS: Final = 10
KEYS: Final = 8
AT_A_TIME: Final = 2

_LOOK_S = 0.02
_LATE_S = 0.2
_LATE_FOR_S = 1.0
_BLOWS = (
    "an engine killed",
    "sessions ended",
    "answers lost",
    "restarted",
    "answers late",
    "killed",
)
_PATIENCE_S = 300.0
_FLOW = f"""\
parameters: {{key: {{type: integer, required: true}}}}
concurrency: {{limit: {AT_A_TIME}, key: "{{{{ parameters.key }}}}"}}
tasks:
  - name: each
    action: storm.work
    with-items: {{range: {ITEMS}}}
    concurrency: 2
    input: {{run: "{{{{ run.id }}}}", n: "{{{{ item }}}}"}}
output: "{{{{ task.each.output | sum }}}}"
"""
_ACTIONS = """\
import asyncio, os, time
import fanwise

@fanwise.action("storm.work")
async def work(run: str, n: int) -> int:
    with open(os.environ["STORM_TO"], "a") as begun:
        begun.write(f"{time.time()} {run} {n}\\n")
    await asyncio.sleep(0.01)
    return n
"""
_RUNS = "SELECT id, status, output FROM runs"
_OUTCOMES = (
    "SELECT runs.id, items.idx, items.status, items.started_at,"
    " items.started_at + items.duration_s FROM items JOIN runs ON runs.run_no = items.run_no"
)
_STILL_OPEN = "SELECT count(*) FROM runs WHERE status IN ('pending', 'running')"


_Row: TypeAlias = "tuple[Any, ...]"


class StormFigures(msgspec.Struct, frozen=True):
    """The runs and blows, and the findings in words: each of them is one too many."""

    runs: int
    blows: Mapping[str, int]
    attempts: int
    lost: Sequence[str]
    repeated: Sequence[str]
    too_many: Sequence[str]
    seconds: float


class _Engines:
    """The engines, of which the oldest is killed and a new one started."""

    def __init__(self, store: str, begun: Path, stack: ExitStack) -> None:
        self._command = [sys.executable, "-m", "fanwise", "work", "--store", store]
        self._environment = {**os.environ, "STORM_TO": str(begun), "FANWISE_LEASE": "5s"}
        self._stack = stack
        self._alive: list[subprocess.Popen[bytes]] = []

    def add(self) -> None:
        engine = subprocess.Popen(self._command, env=self._environment, stderr=subprocess.DEVNULL)
        self._stack.callback(engine.wait)
        self._stack.callback(engine.kill)
        self._alive.append(engine)

    def replace(self) -> None:
        self._alive.pop(0).kill()
        self.add()


def compare(
    *,
    rounds: int = DEFAULT_ROUNDS,
    runs: int = RUNS,
    engines: int = ENGINES,
    blows: int = BLOWS,
) -> StormFigures:
    """Drive so many runs through so many blows; it takes a minute or two.

    `rounds` are for figures with medians, and mean nothing here. Raises `UsageError` if runs don't
    come to their ends.
    """
    with postgres_server() as server, TemporaryDirectory() as folder:
        return storm(server, server.url(query="wait=5m"), Path(folder), runs, engines, blows)


def storm(
    server: PostgresServer, store: str, folder: Path, runs: int, engines: int, blows: int
) -> StormFigures:
    """Drive runs in the store of a server, which is struck as well."""
    started = time.perf_counter()
    (folder / "flow.yaml").write_text(_FLOW)
    (folder / "actions.py").write_text(_ACTIONS)
    begun = folder / "begun"
    for number in range(runs):
        parameters = {"key": number % KEYS}
        fanwise.submit(folder / "flow.yaml", parameters, store=store, run_id=f"run-{number}")
    counts = dict.fromkeys(_BLOWS, 0)
    with ExitStack() as stack:
        relay = stack.enter_context(relay_to(server.folder))
        crew = _Engines(relay.url(store), begun, stack)
        for _ in range(engines):
            crew.add()
        strikes: dict[str, Callable[[], None]] = dict(
            zip(
                counts,
                (
                    crew.replace,
                    server.end_sessions,
                    relay.lose_answers,
                    server.restart,
                    partial(_delay, relay),
                    server.crash,
                ),
                strict=True,
            )
        )
        for number, name in zip(range(1, blows + 1), itertools.cycle(strikes)):
            _until(partial(_has_lines, begun, number * runs * ITEMS // (blows + 1)))
            strikes[name]()
            counts[name] += 1
        _until(lambda: _ask(server, store, _STILL_OPEN)[0][0] == 0)
    outcomes = _ask(server, store, _OUTCOMES)
    return StormFigures(
        runs,
        counts,
        _lines(begun),
        _lost(_ask(server, store, _RUNS), outcomes),
        _repeated(begun, outcomes),
        too_many(outcomes),
        time.perf_counter() - started,
    )


def _delay(relay: Relay) -> None:
    """Have answers come late for a while."""
    relay.delay(_LATE_S)
    time.sleep(_LATE_FOR_S)
    relay.delay(0.0)


def _lost(runs: Sequence[_Row], outcomes: Sequence[_Row]) -> list[str]:
    """Outcomes that are lost or wrong."""
    total = sum(range(ITEMS))
    lost = [
        f"{run_id} is {status} with {output}"
        for run_id, status, output in runs
        if (status, output) != ("succeeded", str(total))
    ]
    return lost + [
        f"{run_id}[{idx}] has {status}"
        for run_id, idx, status, *_ in outcomes
        if status != "succeeded"
    ]


def _repeated(begun: Path, outcomes: Sequence[_Row]) -> list[str]:
    """Work that was begun after its outcome was recorded."""
    ended = {(run_id, idx): at for run_id, idx, _, _, at in outcomes}
    repeated = []
    for line in begun.read_text().splitlines():
        at, run_id, idx = line.split()
        if float(at) > ended.get((run_id, int(idx)), float("inf")):
            repeated.append(f"{run_id}[{idx}] has begun after its outcome was recorded")
    return repeated


def too_many(outcomes: Sequence[_Row]) -> list[str]:
    """Moments at which too many runs of one key had items at work, by what is recorded of these."""
    changes: list[tuple[float, int, str]] = []
    for run_id, _, _, started_at, ended_at in outcomes:
        changes += [(started_at, 1, run_id), (ended_at, -1, run_id)]
    working: dict[int, Counter[str]] = defaultdict(Counter)
    found = []
    for at, change, run_id in sorted(changes):
        runs = working[int(run_id.partition("-")[2]) % KEYS]
        runs[run_id] += change
        if not runs[run_id]:
            del runs[run_id]
        if len(runs) > AT_A_TIME:
            found.append(f"at {at} items of {', '.join(sorted(runs))} were at work together")
    return found


def _ask(server: PostgresServer, store: str, query: str) -> list[_Row]:
    """The rows of an answer about the store, whose schema its URL may name."""
    schema = store.partition("search_path%3D")[2].partition("&")[0] or "public"
    with server.connect() as connection:
        connection.execute(f"SET search_path TO {schema}".encode())
        return connection.execute(query.encode()).fetchall()


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def _has_lines(file: Path, count: int) -> bool:
    return _lines(file) >= count


def _until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > ends:
            raise UsageError(f"the runs stand still for {_PATIENCE_S:g} s.")
        time.sleep(_LOOK_S)


def budgets(figures: StormFigures) -> list[Budget]:
    """The failures that must never happen, beside their counts."""
    blows = sum(figures.blows.values())
    return [
        nothing_of(f"outcomes lost or wrong after {blows:,} blows", len(figures.lost)),
        nothing_of("recorded work begun again", len(figures.repeated)),
        nothing_of("moments with too many runs of a key", len(figures.too_many)),
    ]


def render(figures: StormFigures) -> RenderableType:
    """A table of what was done, and a line for each thing that was found."""
    from rich.console import Group
    from rich.text import Text

    rows = [
        ("runs", f"{figures.runs:,}"),
        *((f"server or engine: {name}", f"{count:,}") for name, count in figures.blows.items()),
        ("attempts begun", f"{figures.attempts:,}"),
    ]
    table = figures_table(f"in {show_seconds(figures.seconds)}", ("times",), rows)
    return Group(table, *map(Text, [*figures.lost, *figures.repeated, *figures.too_many]))


__all__ = ["budgets", "compare", "render", "storm", "too_many"]
