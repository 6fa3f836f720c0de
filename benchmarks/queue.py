"""Taking submitted runs from a PostgreSQL store: two engines, each a process of `fanwise work`.

How many runs of one no-op they drive, and how many of a workflow with a limit on its runs: each in
an empty store, and in turn in one where a limit holds very many runs back, of the same queue and of
the same workflow. How soon a run whose engine stands still for good, as one whose machine is gone,
makes its next item with the other engine. How many statements an engine sends that has nothing to
do. And how soon a run that is submitted has its first task begun, there and in a file.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import count, pairwise
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

import fanwise
from benchmarks.postgres_server import DURABLE, PostgresServer, postgres_server
from fanwise.bench.budget import Budget, at_least, at_most, nothing_of
from fanwise.bench.measure import DEFAULT_ROUNDS
from fanwise.bench.tables import figures_table
from fanwise.errors import UsageError
from fanwise.units import show_seconds
from fanwise.values import JsonObject

if TYPE_CHECKING:
    from rich.console import RenderableType

RUNS = 1_000
HELD = 100_000
SUBMITTED = 100
IDLE_S = 20.0

_Found = TypeVar("_Found")

_ENGINES = 2
_LOOK_S = 0.05
_PATIENCE_S = 300.0
_SLOTS = 20
_NOOP: JsonObject = {"name": "noop", "tasks": [{"name": "work", "action": "core.noop"}]}
_LIMITED: JsonObject = {**_NOOP, "name": "limited", "concurrency": _SLOTS}
_HELD: JsonObject = {
    "name": "held",
    "concurrency": {"limit": 1, "while-waiting": "keep"},
    "tasks": [{"name": "work", "action": "core.sleep", "input": {"seconds": 86_400}}],
}
_SLOW: JsonObject = {
    "tasks": [
        {
            "name": "work",
            "action": "core.sleep",
            "with-items": {"range": 100},
            "concurrency": 1,
            "input": {"seconds": 0.2},
        }
    ]
}
_COPIES = (
    """
    INSERT INTO runs (run_no, id, workflow, file, status, created_at, parameters, definition,
        origin)
    SELECT run_no + i, '{id}-' || i, workflow, file, status, created_at, parameters, definition,
        origin
    FROM runs, generate_series(1, {count}) AS i WHERE id = '{id}'
    """,
    """
    INSERT INTO submissions (run_no, queue, priority, is_waiting, since, tries, why, tried_by,
        progress, turn, scope, key, most, is_held_back)
    SELECT run_no + i, queue, priority, is_waiting, since, tries, why, tried_by, progress,
        turn + i * 0.001, scope, key, most, scope IS NOT NULL
    FROM submissions, generate_series(1, {count}) AS i
    WHERE run_no = (SELECT run_no FROM runs WHERE id = '{id}')
    """,
    "SELECT setval(pg_get_serial_sequence('runs', 'run_no'), max(run_no)) FROM runs",
    "ANALYZE",
)
_ENDED = "SELECT count(*) FROM runs WHERE status = 'succeeded' AND workflow = '{workflow}'"
_RATE = """
    SELECT (count(*) - 1) / (max(ended_at) - min(ended_at)) FROM (
        SELECT ended_at FROM runs
        WHERE status = 'succeeded' AND workflow = '{workflow}' ORDER BY ended_at OFFSET {before}
    ) AS found
"""
_TWICE = """
    SELECT count(*) FROM (SELECT run_no FROM events WHERE kind = 'RunStarted'
        GROUP BY run_no HAVING count(*) > 1) AS found
"""


class Sides(msgspec.Struct, frozen=True):
    """The median runs a second in a store that is empty else, and in one with many held back."""

    alone: float
    beside: float

    @property
    def ratio(self) -> float:
        """The runs a second beside many, against those alone."""
        return self.beside / self.alone


class QueueFigures(msgspec.Struct, frozen=True):
    """Runs a second, the spans from submission to first task, and that of a take-over."""

    runs: int
    held: int
    free_per_s: Sides
    limited_per_s: Sides
    driven_twice: int
    waits_s: list[float]
    file_waits_s: list[float]
    taken_over_s: float
    idle_per_s: float


def within_s(waits_s: Sequence[float], part: float) -> float:
    """The time within which such a part of runs had begun."""
    return sorted(waits_s)[ceil(part * len(waits_s)) - 1]


def compare(
    *,
    rounds: int = DEFAULT_ROUNDS,
    runs: int = RUNS,
    held: int = HELD,
    submitted: int = SUBMITTED,
    lease_s: float | None = None,
    idle_s: float = IDLE_S,
) -> QueueFigures:
    """Measure; it takes some minutes. Raises `UsageError` if runs don't come to their ends.

    Leases hold for the default time or for `lease_s`; an engine idles for `idle_s`.
    """
    with postgres_server(**DURABLE) as server, ExitStack() as engines:
        empty, crowded = (_Store(server, name) for name in ("empty", "crowded"))
        engines.enter_context(crowded.engine("holder"))
        crowded.hold_back(held)
        free = _medians(
            partial(empty.fill_and_drain, _NOOP, runs),
            partial(crowded.fill_and_drain, _NOOP, runs),
            rounds,
        )
        limited = _medians(
            partial(empty.fill_and_drain, _LIMITED, runs),
            partial(crowded.drain, "limited", runs),
            rounds,
        )
        waits_s = crowded.waits_s(submitted)
        taken_over_s = empty.taken_over_after(lease_s)
        twice = empty.driven_twice() + crowded.driven_twice()
        idle_per_s = _idle_per_s(server, idle_s)
    with TemporaryDirectory() as folder:
        file_waits_s = _File(Path(folder) / "fanwise.db").waits_s(submitted)
    return QueueFigures(
        runs, held, free, limited, twice, waits_s, file_waits_s, taken_over_s, idle_per_s
    )


def _idle_per_s(server: PostgresServer, idle_s: float) -> float:
    """The statements a second of an engine that has nothing to do, by the server's log."""
    store, log = _Store(server, "idle"), server.folder / "log"
    with server.connect() as connection:
        connection.execute("ALTER DATABASE idle SET log_statement = 'all'")
    with store.engine("idle"):
        _soon(lambda: _count(log, b"UPDATE engines SET beats") or None)
        before = _count(log, b";", b"statement: ")
        time.sleep(idle_s)
        return (_count(log, b";", b"statement: ") - before) / idle_s


def _count(log: Path, *words: bytes) -> int:
    text = log.read_bytes()
    return sum(text.count(word) for word in words)


def _medians(alone: Callable[[], float], beside: Callable[[], float], rounds: int) -> Sides:
    """The medians of both sides, each measured in turn."""
    measured = [(alone(), beside()) for _ in range(rounds)]
    return Sides(*map(median, zip(*measured, strict=True)))


class _Place:
    """A store, its engines, and how soon they begin."""

    url: str

    def waits_s(self, runs: int) -> list[float]:
        """The seconds from submissions to the starts of the runs' first tasks."""
        with self.engines("soon"):
            return [self._begun_after(f"soon-{number}") for number in range(runs)]

    def _begun_after(self, run_id: str) -> float:
        since = time.time()
        self._submit(_NOOP, run_id, "soon")
        return _soon(lambda: self._times(run_id, "tasks", "path = 'work'"))[0] - since

    @contextmanager
    def engines(self, queue: str) -> Iterator[None]:
        """Two engines of a queue."""
        with ExitStack() as engines:
            for _ in range(_ENGINES):
                engines.enter_context(self.engine(queue))
            yield

    @contextmanager
    def engine(
        self, queue: str, environment: Mapping[str, str] = {}
    ) -> Iterator[subprocess.Popen[bytes]]:
        """An engine of a queue, which gives its runs back in the end."""
        command = [sys.executable, "-m", "fanwise", "work", "--queue", queue]
        with subprocess.Popen(
            [*command, "--store", self.url],
            env={**os.environ, **environment},
            stderr=subprocess.DEVNULL,
        ) as engine:
            try:
                yield engine
            finally:
                engine.terminate()

    def _submit(self, workflow: JsonObject, run_id: str, queue: str) -> None:
        fanwise.submit(workflow, store=self.url, run_id=run_id, queue=queue)

    def _times(self, run_id: str, table: str, condition: str) -> list[float] | None:
        """The times at which work of a run began, in their order; None if there is none yet."""
        found = self._rows(
            f"SELECT {table}.started_at FROM {table} JOIN runs ON runs.run_no = {table}.run_no"
            f" WHERE runs.id = '{run_id}' AND {condition} ORDER BY 1"
        )
        return [at for (at,) in found] or None

    def _rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        raise NotImplementedError


class _File(_Place):
    """A store in a file."""

    def __init__(self, path: Path) -> None:
        self.url = str(path)

    def _rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.url}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()


class _Store(_Place):
    """A database of the server, and what is measured there."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        with server.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self._server = server
        self._name = name
        self._numbers = count()
        self.url = server.url(name)

    def hold_back(self, runs: int) -> None:
        """Have so many runs of a queue wait for a slot that a run of another one keeps.

        And as many of the workflow with a limit, in a queue of their own.
        """
        self._submit(_HELD, "holder", "holder")
        _soon(lambda: self._times("holder", "tasks", "TRUE"))
        self._fill(_HELD, "held", "noop", runs)
        self._fill(_LIMITED, "line", "limited", runs)

    def fill_and_drain(self, workflow: JsonObject, runs: int) -> float:
        """The runs a second of a queue with so many runs, of the workflow's name."""
        name = str(workflow["name"])
        self._fill(workflow, f"{name}-{next(self._numbers)}", name, runs)
        return self.drain(name, runs)

    def drain(self, name: str, runs: int) -> float:
        """The runs a second of so many runs of a queue, which wait before the engines begin.

        It counts from the first end to the last: some have begun with the engines before.
        """
        before = self._ended(name)
        with self.engines(name):
            _soon(lambda: self._ended(name) >= before + runs or None)
        return float(self._value(_RATE.format(workflow=name, before=before)))

    def taken_over_after(self, lease_s: float | None) -> float:
        """The longest pause between items of a run whose engine is stopped amid it."""
        lease = {} if lease_s is None else {"FANWISE_LEASE": f"{lease_s}s"}

        def items() -> list[float] | None:
            return self._times("gone", "items", "TRUE")

        with self.engine("gone", lease) as first:
            self._submit(_SLOW, "gone", "gone")
            _soon(items)
            with self.engine("gone", lease):
                os.kill(first.pid, signal.SIGSTOP)
                before = len(_soon(items))
                found = _soon(lambda: found if len(found := items() or []) > before + 1 else None)
            first.kill()
        return max(later - earlier for earlier, later in pairwise(found))

    def driven_twice(self) -> int:
        """The number of runs that were begun more than once."""
        return int(self._value(_TWICE))

    def _fill(self, workflow: JsonObject, run_id: str, queue: str, runs: int) -> None:
        """Submit a run, and copy it."""
        self._submit(workflow, run_id, queue)
        with self._server.connect(self._name) as connection:
            for statement in _COPIES:
                connection.execute(statement.format(id=run_id, count=runs - 1).encode())

    def _ended(self, workflow: str) -> int:
        return int(self._value(_ENDED.format(workflow=workflow)))

    def _value(self, query: str) -> Any:
        ((value,),) = self._rows(query)
        return value

    def _rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        with self._server.connect(self._name) as connection:
            return connection.execute(query.encode()).fetchall()


def _soon(look: Callable[[], _Found | None]) -> _Found:
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        found = look()
        if found is not None:
            return found
        time.sleep(_LOOK_S)
    raise UsageError(f"the benchmark's runs haven't come to their ends in {_PATIENCE_S:g} s.")


def budgets(figures: QueueFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        at_least("runs a second of two engines", 300, "number", figures.free_per_s.alone),
        at_least(f"... beside {figures.held:,} held back", 0.9, "times", figures.free_per_s.ratio),
        at_least(
            f"... under a limit, of {figures.held:,}", 0.9, "times", figures.limited_per_s.ratio
        ),
        nothing_of("runs that were driven twice", figures.driven_twice),
        at_most(
            "submission to first task, 95 % within", 0.1, "seconds", within_s(figures.waits_s, 0.95)
        ),
        at_most("... on SQLite", 0.25, "seconds", within_s(figures.file_waits_s, 0.95)),
        at_most("statements a second of an idle engine", 5, "number", figures.idle_per_s),
        at_most("a lost engine's run makes its next item", 20, "seconds", figures.taken_over_s),
    ]


def render(figures: QueueFigures) -> RenderableType:
    """A table of the figures."""
    free, limited = figures.free_per_s, figures.limited_per_s
    rows = [
        ("runs a second", f"{free.alone:,.0f}"),
        (f"... beside {figures.held:,} held back", f"{free.beside:,.0f}"),
        (f"... at most {_SLOTS} at a time", f"{limited.alone:,.0f}"),
        (f"... and {figures.held:,} more wait", f"{limited.beside:,.0f}"),
        ("submission to first task, half of them", show_seconds(median(figures.waits_s))),
        ("... 95 %", show_seconds(within_s(figures.waits_s, 0.95))),
        ("... on SQLite, half of them", show_seconds(median(figures.file_waits_s))),
        ("... 95 %", show_seconds(within_s(figures.file_waits_s, 0.95))),
        ("statements a second of an idle engine", f"{figures.idle_per_s:.1f}"),
        ("a lost engine's run, to its next item", show_seconds(figures.taken_over_s)),
    ]
    return figures_table(f"{figures.runs:,} runs, {_ENGINES} engines", ("",), rows)


__all__ = ["budgets", "compare", "render"]
