"""Taking submitted runs from a PostgreSQL store: two engines, each a process of `fanwise work`.

How many runs of one no-op they drive, alone and beside very many that wait in another queue; how
soon a run that is submitted has its first task begun; and how soon a run whose engine stands still
for good, as one whose machine is gone, makes its next item with the other engine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, TypeVar

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

RUNS = 3_000
HELD = 100_000
SUBMITTED = 100

_Found = TypeVar("_Found")

_ENGINES = 2
_LOOK_S = 0.05
_PATIENCE_S = 300.0
_NOOP: JsonObject = {"tasks": [{"name": "work", "action": "core.noop"}]}
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
    SELECT run_no + i, '{queue}-' || i, workflow, file, status, created_at, parameters, definition,
        origin
    FROM runs, generate_series(1, {count}) AS i WHERE id = '{queue}'
    """,
    """
    INSERT INTO submissions (run_no, queue, priority, is_waiting, since, tries, why, tried_by,
        progress)
    SELECT run_no + i, queue, priority, is_waiting, since, tries, why, tried_by, progress
    FROM submissions, generate_series(1, {count}) AS i WHERE queue = '{queue}'
    """,
    "SELECT setval(pg_get_serial_sequence('runs', 'run_no'), max(run_no)) FROM runs",
    "ANALYZE",
)
_SPAN = """
    SELECT count(*), min(started_at), max(ended_at),
        (SELECT count(*) FROM events JOIN runs ON runs.run_no = events.run_no
            WHERE runs.id LIKE '{queue}%' AND events.kind = 'RunStarted')
    FROM runs WHERE id LIKE '{queue}%' AND status = 'succeeded'
"""


class QueueFigures(msgspec.Struct, frozen=True):
    """Runs a second, the spans from submission to first task, and that of a take-over."""

    runs: int
    held: int
    runs_per_s: float
    runs_per_s_beside_held: float
    driven_twice: int
    waits_s: list[float]
    taken_over_s: float

    @property
    def beside_held(self) -> float:
        """The runs a second beside many that wait, against those without."""
        return self.runs_per_s_beside_held / self.runs_per_s

    def wait_s(self, part: float) -> float:
        """The time within which such a part of the runs had begun."""
        return sorted(self.waits_s)[ceil(part * len(self.waits_s)) - 1]


def compare(
    *,
    rounds: int = DEFAULT_ROUNDS,
    runs: int = RUNS,
    held: int = HELD,
    submitted: int = SUBMITTED,
    lease_s: float | None = None,
) -> QueueFigures:
    """Measure; it takes about two minutes. Raises `UsageError` if runs don't come to their ends.

    `rounds` are for figures with medians, and mean nothing here. Leases hold for the default time
    or for `lease_s`.
    """
    with postgres_server(**DURABLE) as server:
        alone = _drain(server, "alone", runs)
        _fill(server, "held", held)
        beside = _drain(server, "beside", runs)
        with _engines(server, "soon"):
            waits_s = [_begun_after(server, f"soon-{number}") for number in range(submitted)]
        taken_over_s = _taken_over_after(server, lease_s)
    return QueueFigures(
        runs, held, alone[0], beside[0], alone[1] + beside[1], waits_s, taken_over_s
    )


def _drain(server: PostgresServer, queue: str, runs: int) -> tuple[float, int]:
    """The runs a second of a queue that was full before the engines began, and those begun again.

    It counts from the first start to the last end.
    """
    _fill(server, queue, runs - 1)

    def span() -> tuple[int, float, float, int] | None:
        with server.connect() as connection:
            row = connection.execute(_SPAN.format(queue=queue).encode()).fetchone()
        assert row is not None
        return row if row[0] == runs else None

    with _engines(server, queue):
        count, first, last, starts = _soon(span)
    return count / (last - first), starts - count


def _fill(server: PostgresServer, queue: str, more: int) -> None:
    """Submit a run of a no-op, and copy it."""
    fanwise.submit(_NOOP, store=server.url(), run_id=queue, queue=queue)
    with server.connect() as connection:
        for statement in _COPIES:
            connection.execute(statement.format(queue=queue, count=more).encode())


def _begun_after(server: PostgresServer, run_id: str) -> float:
    """The seconds from a submission to the start of the run's first task."""
    since = time.time()
    fanwise.submit(_NOOP, store=server.url(), run_id=run_id, queue="soon")

    def started() -> list[float] | None:
        return _times(server, run_id, "tasks", "path = 'work'")

    return _soon(started)[0] - since


def _taken_over_after(server: PostgresServer, lease_s: float | None) -> float:
    """The longest pause between items of a run whose engine is stopped amid it."""
    lease = {} if lease_s is None else {"FANWISE_LEASE": f"{lease_s}s"}

    def items() -> list[float] | None:
        return _times(server, "gone", "items", "TRUE")

    with _engine(server, "gone", lease) as first:
        fanwise.submit(_SLOW, store=server.url(), run_id="gone", queue="gone")
        _soon(items)
        with _engine(server, "gone", lease):
            os.kill(first.pid, signal.SIGSTOP)
            before = len(_soon(items))
            found = _soon(lambda: found if len(found := items() or []) > before + 1 else None)
    return max(later - earlier for earlier, later in pairwise(found))


def _times(server: PostgresServer, run_id: str, table: str, condition: str) -> list[float] | None:
    """The times at which work of a run began, in their order; None if there is none yet."""
    query = (
        f"SELECT {table}.started_at FROM {table} JOIN runs ON runs.run_no = {table}.run_no"
        f" WHERE runs.id = '{run_id}' AND {condition} ORDER BY 1"
    )
    with server.connect() as connection:
        return [at for (at,) in connection.execute(query.encode())] or None


def _soon(look: Callable[[], _Found | None]) -> _Found:
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        found = look()
        if found is not None:
            return found
        time.sleep(_LOOK_S)
    raise UsageError(f"the benchmark's runs haven't come to their ends in {_PATIENCE_S:g} s.")


@contextmanager
def _engines(server: PostgresServer, queue: str) -> Iterator[None]:
    with ExitStack() as engines:
        for _ in range(_ENGINES):
            engines.enter_context(_engine(server, queue, {}))
        yield


@contextmanager
def _engine(
    server: PostgresServer, queue: str, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "fanwise", "work", "--queue", queue]
    with subprocess.Popen(
        [*command, "--store", server.url()],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    ) as engine:
        try:
            yield engine
        finally:
            engine.kill()


def budgets(figures: QueueFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        at_least("runs a second of two engines", 300, "number", figures.runs_per_s),
        at_least(f"... as many beside {figures.held:,}", 0.9, "times", figures.beside_held),
        nothing_of("runs that were driven twice", figures.driven_twice),
        at_most("submission to first task, 95 % within", 0.1, "seconds", figures.wait_s(0.95)),
        at_most("a lost engine's run makes its next item", 20, "seconds", figures.taken_over_s),
    ]


def render(figures: QueueFigures) -> RenderableType:
    """A table of the figures."""
    rows = [
        ("runs a second", f"{figures.runs_per_s:,.0f}"),
        (f"... beside {figures.held:,} that wait", f"{figures.runs_per_s_beside_held:,.0f}"),
        ("submission to first task, half of them", show_seconds(median(figures.waits_s))),
        ("... 95 %", show_seconds(figures.wait_s(0.95))),
        ("a lost engine's run, to its next item", show_seconds(figures.taken_over_s)),
    ]
    return figures_table(f"{figures.runs:,} runs, {_ENGINES} engines", ("",), rows)


__all__ = ["budgets", "compare", "render"]
