"""Kills real processes, over and over, and counts what was lost by it: nothing may be.

Runs of workflows with streams, lists, children, loops, delays, retries and secrets are started as
processes and killed, stopped or interrupted at moments drawn by chance, also while they resume,
recover or retry. They are recorded in files or, if that is asked for, on a PostgreSQL server.
`torture_run` says how, and what is looked at after each blow. What is found must
be nothing, on any machine; the folder of a run of which something was found is kept.
"""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import msgspec

from benchmarks.postgres_server import PostgresServer, postgres_server
from benchmarks.torture_records import Findings, Snapshot
from benchmarks.torture_run import WORKFLOWS, Counts, TorturedRun
from fanwise.bench.budget import Budget, nothing_of
from fanwise.bench.measure import DEFAULT_ROUNDS
from fanwise.bench.tables import figures_table
from fanwise.units import show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

KILLS = 20
"""The default number of processes that are killed."""

_SEED = 1


class TortureFigures(msgspec.Struct, frozen=True):
    """The blows and the findings; `kept` are the folders of runs to look at."""

    counts: Counts
    findings: Findings
    kept: tuple[str, ...]
    seconds: float


def compare(
    *,
    rounds: int = DEFAULT_ROUNDS,
    kills: int = KILLS,
    seed: int = _SEED,
    postgres: bool = False,
) -> TortureFigures:
    """Torture runs until so many processes were killed; each takes a second or two.

    What moments are drawn follows from `seed`, but not where a process then is. `rounds` are for
    figures with medians, and mean nothing here.
    """
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server()) if postgres else None
        return _torture(kills, seed, server)


def _torture(kills: int, seed: int, server: PostgresServer | None) -> TortureFigures:
    started = time.perf_counter()
    counts, findings, kept = Counts(), Findings(), list[str]()
    expected: dict[str, Snapshot] = {}
    while counts.kills < kills:
        number = counts.runs
        workflow = WORKFLOWS[number % len(WORKFLOWS)]
        if workflow not in expected:
            expected[workflow] = _undisturbed(workflow)
        folder = Path(mkdtemp(prefix=f"fanwise-torture-{workflow}-"))
        store = None if server is None else _schema(server, f"run_{number}")
        run = TorturedRun(workflow, folder, Random(f"{seed}/{number}"), store)
        run.live_on(expected[workflow], most_kills=kills - counts.kills)
        counts.add(run.counts)
        findings.add(run.findings)
        if any(run.findings.lines()):
            kept.append(str(folder))
        else:
            shutil.rmtree(folder)
    return TortureFigures(counts, findings, tuple(kept), time.perf_counter() - started)


def _schema(server: PostgresServer, name: str) -> str:
    """The URL of a new schema, for the store of one run."""
    with server.connect() as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return server.url(query=f"options=-csearch_path%3D{name}")


def _undisturbed(workflow: str) -> Snapshot:
    """The records of a run that nothing disturbs."""
    folder = Path(mkdtemp(prefix="fanwise-torture-"))
    try:
        return TorturedRun(workflow, folder, Random(0)).live_undisturbed()
    finally:
        shutil.rmtree(folder)


def budgets(figures: TortureFigures) -> list[Budget]:
    """The failures that must never happen, beside their counts."""
    findings, killed = figures.findings, f"after {figures.counts.kills:,} kills"
    return [
        nothing_of(f"records lost {killed}", len(findings.lost)),
        nothing_of("records changed", len(findings.changed)),
        nothing_of("recorded work begun again", len(findings.repeated)),
        nothing_of("outcomes unlike those of an undisturbed run", len(findings.differing)),
        nothing_of("other surprises", len(findings.strange)),
    ]


def render(figures: TortureFigures) -> RenderableType:
    """A table of what was done, and a line for each thing that was found."""
    from rich.console import Group
    from rich.text import Text

    counts = figures.counts
    rows = [
        ("runs that came to their end", counts.runs),
        ("processes killed", counts.kills),
        ("... stopped, and woken later", counts.stops),
        ("... of those, after another one had taken the run", counts.takeovers),
        ("... interrupted, to pause", counts.pauses),
        ("runs resumed", counts.resumes),
        ("... recovered", counts.recoveries),
        ("... retried", counts.retries),
        ("attempts begun", counts.attempts),
        ("outcomes recorded", counts.outcomes),
    ]
    table = figures_table(
        f"in {show_seconds(figures.seconds)}",
        ("times",),
        [(what, f"{number:,}") for what, number in rows],
    )
    found = [*figures.findings.lines(), *(f"kept: {folder}" for folder in figures.kept)]
    return Group(table, *map(Text, found))
