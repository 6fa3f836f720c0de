"""Kills engines and their PostgreSQL server while many runs are driven: nothing may be lost by it.

Several engines, each a process of `fanwise work`, share the runs. Each time that so many attempts
more have begun, one blow is struck: an engine is killed and another one started, the server is
killed or restarted, all sessions are ended, or the connections lose an answer, such as that of a
COMMIT, or get them late. Each run also calls a workflow whose slots the calls of
all runs share, and its items are under a named limit. At the end each item and each call has one
outcome, no work was begun after its outcome had been recorded, and at no moment were more runs of
one key, or more calls, at work than the concurrency of their workflow allows, or more items than
the limit does.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec

import fanwise
from benchmarks.overlap import Spell, too_many
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
CALLS: Final = 2
CALLED_AT_A_TIME: Final = 3
LIMITED_TO: Final = 6

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
    limit: vendor
    input: {{run: "{{{{ run.id }}}}", n: "{{{{ item }}}}"}}
  - name: call
    action: ./called.yaml
    with-items: {{range: {CALLS}}}
    input: {{run: "{{{{ run.id }}}}", n: "{{{{ {ITEMS} + item }}}}"}}
output: "{{{{ (task.each.output + task.call.output) | sum }}}}"
"""
_CALLED = f"""\
parameters: {{run: {{required: true}}, n: {{type: integer, required: true}}}}
concurrency: {{limit: {CALLED_AT_A_TIME}, children: true}}
tasks:
  - name: work
    action: storm.work
    input: {{run: "{{{{ parameters.run }}}}", n: "{{{{ parameters.n }}}}"}}
output: "{{{{ task.work.output }}}}"
"""
_ACTIONS = """\
import asyncio, os, time
import fanwise

@fanwise.action("storm.work")
async def work(run: str, n: int) -> int:
    started_at = time.time()
    with open(os.environ["STORM_TO"], "a") as begun:
        begun.write(f"{started_at} {run} {n}\\n")
    await asyncio.sleep(0.01)
    with open(os.environ["STORM_TO"] + "-ended", "a") as ended:
        ended.write(f"{started_at} {time.time()} {run} {n}\\n")
    return n
"""
_RUNS = "SELECT id, status, output FROM runs"
_ITEMS = (
    "SELECT runs.id, items.idx, items.status, items.started_at,"
    " items.started_at + items.duration_s FROM items"
    " JOIN tasks ON tasks.run_no = items.run_no AND tasks.visit_no = items.visit_no"
    " JOIN runs ON runs.run_no = items.run_no WHERE tasks.path = 'each'"
)
_STEPS = (
    f"SELECT runs.id, {ITEMS} + substring(path from '[0-9]+')::int, tasks.status,"
    " tasks.started_at, tasks.ended_at FROM tasks JOIN runs ON runs.run_no = tasks.run_no"
    " WHERE path LIKE 'call[%].work'"
)
_STILL_OPEN = "SELECT count(*) FROM runs WHERE status IN ('pending', 'running')"


_Row: TypeAlias = "tuple[Any, ...]"


class Outcome(NamedTuple):
    """The recorded outcome of the work `n` of a run; that of its calls comes after its items'."""

    run_id: str
    n: int
    status: str
    started_at: float
    ended_at: float


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
    """Drive so many runs through so many blows; it takes some minutes.

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
    (folder / "called.yaml").write_text(_CALLED)
    (folder / "fanwise.yaml").write_text(f"limits: {{vendor: {LIMITED_TO}}}\n")
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
            _until(partial(_has_lines, begun, number * runs * (ITEMS + CALLS) // (blows + 1)))
            strikes[name]()
            counts[name] += 1
        _until(lambda: _ask(server, store, _STILL_OPEN)[0][0] == 0)
    items, steps = (
        [Outcome(*row) for row in _ask(server, store, query)] for query in (_ITEMS, _STEPS)
    )
    outcomes = [*items, *steps]
    return StormFigures(
        runs,
        counts,
        _lines(begun),
        _lost(_ask(server, store, _RUNS), outcomes),
        repeated(begun.read_text().splitlines(), outcomes),
        [
            *too_many_runs(items),
            *too_many_items(begun.with_name("begun-ended").read_text().splitlines()),
            *too_many_calls(steps),
        ],
        time.perf_counter() - started,
    )


def _delay(relay: Relay) -> None:
    """Have answers come late for a while."""
    relay.delay(_LATE_S)
    time.sleep(_LATE_FOR_S)
    relay.delay(0.0)


def _lost(runs: Sequence[_Row], outcomes: Sequence[Outcome]) -> list[str]:
    """Outcomes that are lost or wrong."""
    total = sum(range(ITEMS + CALLS))
    lost = [
        f"{run_id} is {status} with {output}"
        for run_id, status, output in runs
        if (status, output) != ("succeeded", str(total))
    ]
    return lost + [
        f"{each.run_id}[{each.n}] has {each.status}"
        for each in outcomes
        if each.status != "succeeded"
    ]


def repeated(begun: Iterable[str], outcomes: Sequence[Outcome]) -> list[str]:
    """Work that was begun once more after its outcome was recorded, by a line for each beginning.

    The first time is never too late: a recorded time is off by as long as the machine has held up
    the engine between two looks at its clocks.
    """
    ended = {(each.run_id, each.n): each.ended_at for each in outcomes}
    first: set[tuple[str, int]] = set()
    found = []
    for line in begun:
        at, run_id, number = line.split()
        work = run_id, int(number)
        if work in first and float(at) > ended.get(work, float("inf")):
            found.append(f"{run_id}[{number}] has begun after its outcome was recorded")
        first.add(work)
    return found


def too_many_runs(items: Sequence[Outcome]) -> list[str]:
    """Moments at which too many runs of one key had items at work."""
    of_keys: dict[int, list[Spell]] = defaultdict(list)
    for each in items:
        key = int(each.run_id.partition("-")[2]) % KEYS
        of_keys[key].append(Spell(each.run_id, each.started_at, each.ended_at))
    return [found for spells in of_keys.values() for found in too_many(spells, AT_A_TIME)]


def too_many_items(ended: Iterable[str]) -> list[str]:
    """Moments at which more items were at work than their named limit allows.

    The times are those that the work itself has noted, by a line for each end: of an item that
    follows another one in its engine the recorded start may lie a little before the other's end.
    """
    attempts = [(float(start), float(end), run, n) for start, end, run, n in map(str.split, ended)]
    spells = [
        Spell(f"{run}[{n}] since {start}", start, end)
        for start, end, run, n in attempts
        if int(n) < ITEMS
    ]
    return list(too_many(spells, LIMITED_TO))


def too_many_calls(steps: Sequence[Outcome]) -> list[str]:
    """Moments at which too many called workflows were at work."""
    spells = [Spell(f"{each.run_id}[{each.n}]", each.started_at, each.ended_at) for each in steps]
    return list(too_many(spells, CALLED_AT_A_TIME))


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
        nothing_of("moments with too many runs, items or calls at work", len(figures.too_many)),
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


__all__ = [
    "budgets",
    "compare",
    "render",
    "repeated",
    "storm",
    "too_many_calls",
    "too_many_items",
    "too_many_runs",
]
